import Autograd
import Compute

/// The U-Net of ADM (Dhariwal & Nichol 2021, arXiv 2105.05233) as EDM uses it (Karras et al. 2022, arXiv 2206.00364).
struct DhariwalUNet: UNet {
  let noiseEmbedding: NoiseEmbedding
  let mapAugment: Linear?
  let mapLayer0: Linear, mapLayer1: Linear
  let mapLabel: ClassEmbedding?
  let input: Convolution
  let encoder: [UNetBlock]  // the output of each, and of `input`, goes on the stack of skip connections
  let decoder: [UNetBlock]
  let outputNorm: GroupNorm
  let output: Convolution

  /// - Parameter c: validated.
  init(_ c: NetworkConfiguration, _ builder: ParameterBuilder, prefix: String) {
    let embeddingChannels = c.modelChannels * c.channelMultEmb
    noiseEmbedding = .positional(.dhariwal, channels: c.modelChannels)
    mapAugment =
      c.augmentDim > 0
      ? Linear(builder, prefix + "map_augment", inputs: c.augmentDim, outputs: c.modelChannels, bias: false) : nil
    mapLayer0 = Linear(builder, prefix + "map_layer0", inputs: c.modelChannels, outputs: embeddingChannels)
    mapLayer1 = Linear(builder, prefix + "map_layer1", inputs: embeddingChannels, outputs: embeddingChannels)
    mapLabel = ClassEmbedding(
      builder, prefix + "map_label", classes: c.labelDim, outputs: embeddingChannels, bias: false, scale: 1)

    func block(
      _ name: String, _ inputs: Int, _ outputs: Int, _ resampling: Convolution.Resampling = .none,
      attention: Bool = false
    ) -> UNetBlock {
      UNetBlock(
        builder, prefix + name, .dhariwal, inputs: inputs, outputs: outputs, embedding: embeddingChannels,
        resampling: resampling, attention: attention, filter: [1, 1])
    }

    // Encoder, full resolution first.
    var channels = c.modelChannels * c.channelMult[0]
    var skipChannels = [channels]
    var encoder: [UNetBlock] = []
    input = Convolution(
      builder, prefix + "enc.\(c.imgResolution)x\(c.imgResolution)_conv", inputs: c.imgChannels, outputs: channels,
      kernel: 3)
    for (level, multiplier) in c.channelMult.enumerated() {
      let resolution = c.imgResolution >> level
      let size = "enc.\(resolution)x\(resolution)"
      if level > 0 {
        encoder.append(block(size + "_down", channels, channels, .down))
        skipChannels.append(channels)
      }
      for index in 0..<c.numBlocks {
        let outputs = c.modelChannels * multiplier
        encoder.append(
          block("\(size)_block\(index)", channels, outputs, attention: c.attnResolutions.contains(resolution)))
        channels = outputs
        skipChannels.append(channels)
      }
    }
    self.encoder = encoder

    // Decoder, deepest level first.
    var decoder: [UNetBlock] = []
    for (level, multiplier) in c.channelMult.enumerated().reversed() {
      let resolution = c.imgResolution >> level
      let size = "dec.\(resolution)x\(resolution)"
      if level == c.channelMult.count - 1 {
        decoder.append(block(size + "_in0", channels, channels, attention: true))
        decoder.append(block(size + "_in1", channels, channels))
      } else {
        decoder.append(block(size + "_up", channels, channels, .up))
      }
      for index in 0...c.numBlocks {
        let inputs = channels + (skipChannels.popLast() ?? 0)
        channels = c.modelChannels * multiplier
        decoder.append(
          block("\(size)_block\(index)", inputs, channels, attention: c.attnResolutions.contains(resolution)))
      }
    }
    self.decoder = decoder
    outputNorm = GroupNorm(builder, prefix + "out_norm", channels: channels, epsilon: 1e-5)
    output = Convolution(builder, prefix + "out_conv", inputs: channels, outputs: c.outputChannels, kernel: 3)
  }

  func encode(_ x: Variable, noise: [Float], classLabels: Tensor?, augmentLabels: Tensor?, _ pass: ForwardPass)
    -> EncodedFeatures
  {
    var embedding = noiseEmbedding(noise, pass)
    if let mapAugment, let augmentLabels {
      embedding = addScaled(embedding, mapAugment(Variable(augmentLabels), pass))
    }
    embedding = silu(mapLayer0(embedding, pass))
    embedding = mapLayer1(embedding, pass)
    if let mapLabel { embedding = addScaled(embedding, mapLabel(classLabels, images: noise.count, pass)) }
    embedding = silu(embedding)

    var features = input(x, pass)
    var skips = [features]
    for block in encoder {
      features = block(features, embedding, pass)
      skips.append(features)
    }
    return EncodedFeatures(features: features, skips: skips, embedding: embedding)
  }

  func decode(_ encoded: inout EncodedFeatures, _ pass: ForwardPass) -> Variable {
    for block in decoder {
      let skip = encoded.features.shape[3] == block.inputs ? nil : encoded.skips.popLast()
      encoded.features = block(encoded.features, joining: skip, encoded.embedding, pass)
    }
    return output(outputNorm(encoded.features, silu: true, pass), pass)
  }
}
