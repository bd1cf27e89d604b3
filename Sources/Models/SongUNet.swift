import Autograd
import Compute

/// The U-Net of DDPM++ and NCSN++ (Song et al. 2021, arXiv 2011.13456) as EDM uses it (Karras et al. 2022, arXiv 2206.00364).
struct SongUNet: UNet {
  /// A step of the encoder; its output goes on the stack of skip connections.
  enum EncoderStep: Sendable {
    case convolution(Convolution)
    case block(UNetBlock)
    /// The image, reduced and projected, joins the features (`encoder_type` "skip").
    case auxiliarySkip(down: Convolution, projection: Convolution)
    /// A running reduction of the image joins the features (`encoder_type` "residual").
    case auxiliaryResidual(Convolution)
  }

  /// A step of the decoder.
  enum DecoderStep: Sendable {
    case block(UNetBlock)
    case auxiliaryUp(Convolution)
    case auxiliaryOutput(norm: GroupNorm, convolution: Convolution)
  }

  let noiseEmbedding: NoiseEmbedding
  let mapLabel: ClassEmbedding?
  let mapAugment: Linear?
  let mapLayer0: Linear, mapLayer1: Linear
  let encoder: [EncoderStep]
  let decoder: [DecoderStep]

  /// - Parameter c: validated.
  init(_ c: NetworkConfiguration, _ builder: ParameterBuilder, prefix: String) {
    let embeddingChannels = c.modelChannels * c.channelMultEmb
    let noiseChannels = c.modelChannels * c.channelMultNoise
    let filter = c.resampleFilter.map(Float.init)

    if c.embeddingType == "fourier" {
      let frequencies = builder.add(prefix + "map_noise.freqs", [noiseChannels / 2], .buffer)
      noiseEmbedding = .fourier(frequencies: frequencies, channels: noiseChannels)
    } else {
      noiseEmbedding = .positional(.song, channels: noiseChannels)
    }
    mapLabel = ClassEmbedding(
      builder, prefix + "map_label", classes: c.labelDim, outputs: noiseChannels, bias: true,
      scale: Float(Double(c.labelDim).squareRoot()))
    mapAugment =
      c.augmentDim > 0
      ? Linear(builder, prefix + "map_augment", inputs: c.augmentDim, outputs: noiseChannels, bias: false) : nil
    mapLayer0 = Linear(builder, prefix + "map_layer0", inputs: noiseChannels, outputs: embeddingChannels)
    mapLayer1 = Linear(builder, prefix + "map_layer1", inputs: embeddingChannels, outputs: embeddingChannels)

    func block(
      _ name: String, _ inputs: Int, _ outputs: Int, _ resampling: Convolution.Resampling = .none,
      attention: Bool = false
    ) -> UNetBlock {
      UNetBlock(
        builder, prefix + name, .song, inputs: inputs, outputs: outputs, embedding: embeddingChannels,
        resampling: resampling, attention: attention, filter: filter)
    }

    // Encoder, full resolution first.
    var encoder: [EncoderStep] = []
    var skipChannels: [Int] = []
    var channels = c.imgChannels
    var auxiliaryChannels = c.imgChannels
    for (level, multiplier) in c.channelMult.enumerated() {
      let resolution = c.imgResolution >> level
      let size = "enc.\(resolution)x\(resolution)"
      if level == 0 {
        encoder.append(
          .convolution(
            Convolution(builder, prefix + size + "_conv", inputs: channels, outputs: c.modelChannels, kernel: 3)))
        channels = c.modelChannels
        skipChannels.append(channels)
      } else {
        encoder.append(.block(block(size + "_down", channels, channels, .down)))
        skipChannels.append(channels)
        if c.encoderType == "skip" {
          let down = Convolution(
            builder, prefix + size + "_aux_down", inputs: auxiliaryChannels, outputs: auxiliaryChannels, kernel: 0,
            resampling: .down,
            filter: filter)
          let projection = Convolution(
            builder, prefix + size + "_aux_skip", inputs: auxiliaryChannels, outputs: channels, kernel: 1)
          encoder.append(.auxiliarySkip(down: down, projection: projection))
        } else if c.encoderType == "residual" {
          let residual = Convolution(
            builder, prefix + size + "_aux_residual", inputs: auxiliaryChannels, outputs: channels, kernel: 3,
            resampling: .down,
            filter: filter, fused: true)
          encoder.append(.auxiliaryResidual(residual))
          auxiliaryChannels = channels
        }
      }
      for index in 0..<c.numBlocks {
        let outputs = c.modelChannels * multiplier
        encoder.append(
          .block(block("\(size)_block\(index)", channels, outputs, attention: c.attnResolutions.contains(resolution))))
        channels = outputs
        skipChannels.append(channels)
      }
    }
    self.encoder = encoder

    // Decoder, deepest level first.
    var decoder: [DecoderStep] = []
    let deepest = c.channelMult.count - 1
    for (level, multiplier) in c.channelMult.enumerated().reversed() {
      let resolution = c.imgResolution >> level
      let size = "dec.\(resolution)x\(resolution)"
      if level == deepest {
        decoder.append(.block(block(size + "_in0", channels, channels, attention: true)))
        decoder.append(.block(block(size + "_in1", channels, channels)))
      } else {
        decoder.append(.block(block(size + "_up", channels, channels, .up)))
      }
      for index in 0...c.numBlocks {
        let inputs = channels + (skipChannels.popLast() ?? 0)
        channels = c.modelChannels * multiplier
        let attention = index == c.numBlocks && c.attnResolutions.contains(resolution)
        decoder.append(.block(block("\(size)_block\(index)", inputs, channels, attention: attention)))
      }
      if c.decoderType == "skip" || level == 0 {
        if c.decoderType == "skip", level < deepest {
          decoder.append(
            .auxiliaryUp(
              Convolution(
                builder, prefix + size + "_aux_up", inputs: c.outputChannels, outputs: c.outputChannels, kernel: 0,
                resampling: .up,
                filter: filter)))
        }
        let norm = GroupNorm(builder, prefix + size + "_aux_norm", channels: channels, epsilon: 1e-6)
        let output = Convolution(
          builder, prefix + size + "_aux_conv", inputs: channels, outputs: c.outputChannels, kernel: 3)
        decoder.append(.auxiliaryOutput(norm: norm, convolution: output))
      }
    }
    self.decoder = decoder
  }

  func encode(_ x: Variable, noise: [Float], classLabels: Tensor?, augmentLabels: Tensor?, _ pass: ForwardPass)
    -> EncodedFeatures
  {
    var embedding = noiseEmbedding(noise, pass)
    if let mapLabel { embedding = addScaled(embedding, mapLabel(classLabels, images: noise.count, pass)) }
    if let mapAugment, let augmentLabels {
      embedding = addScaled(embedding, mapAugment(Variable(augmentLabels), pass))
    }
    embedding = silu(mapLayer0(embedding, pass))
    embedding = silu(mapLayer1(embedding, pass))
    let (features, skips) = encode(x, embedding, pass)
    return EncodedFeatures(features: features, skips: skips, embedding: embedding)
  }

  func decode(_ encoded: inout EncodedFeatures, _ pass: ForwardPass) -> Variable {
    var image: Variable?
    for step in decoder {
      switch step {
      case .block(let block):
        let skip = encoded.features.shape[3] == block.inputs ? nil : encoded.skips.popLast()
        encoded.features = block(encoded.features, joining: skip, encoded.embedding, pass)
      case .auxiliaryUp(let up):
        image = image.map { up($0, pass) }
      case .auxiliaryOutput(let norm, let output):
        image = pass.joined(output, norm(encoded.features, silu: true, pass), residual: image)
      }
    }
    return image ?? encoded.features
  }

  /// Runs the encoder: the features at the lowest resolution and the stack of skip connections.
  private func encode(_ x: Variable, _ embedding: Variable, _ pass: ForwardPass) -> (Variable, [Variable]) {
    var features = x
    var auxiliary = x
    var skips: [Variable] = []
    for step in encoder {
      switch step {
      case .convolution(let convolution):
        features = convolution(features, pass)
        skips.append(features)
      case .block(let block):
        features = block(features, embedding, pass)
        skips.append(features)
      case .auxiliarySkip(let down, let projection):
        auxiliary = down(auxiliary, pass)
        features = pass.joined(projection, auxiliary, residual: features)
        skips[skips.count - 1] = features
      case .auxiliaryResidual(let residual):
        features = addScaled(features, residual(auxiliary, pass), scale: Float(0.5.squareRoot()))
        auxiliary = features
        skips[skips.count - 1] = features
      }
    }
    return (features, skips)
  }
}
