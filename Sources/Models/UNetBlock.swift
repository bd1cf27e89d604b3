import Autograd
import Compute

/// A residual block of a U-Net, with self-attention after it where the architecture has it.
///
/// h = conv0(silu(norm0(x))), then SongUNet's h = silu(norm1(h + p)) or, adaptive, DhariwalUNet's
/// h = silu(norm1(h) * (scale + 1) + shift), where p = affine(embedding) = [scale, shift]; x = (conv1(dropout(h)) +
/// skip(x)) * skipScale, and then x = (proj(attention(norm2(x))) + x) * skipScale.
package struct UNetBlock: Sendable {
  /// What distinguishes the blocks of the two families.
  package struct Style: Sendable {
    let isAdaptive: Bool  // the embedding scales and shifts after norm1; else it shifts before it
    let skipScale: Float
    let epsilon: Float  // of the norms
    let channelsPerHead: Int?  // nil: one head whatever the width; no attention where no head is filled
    let projectsSkip: Bool  // whether a skip that only changes the resolution is a 1x1 convolution, too

    package static let song = Style(
      isAdaptive: false, skipScale: Float(0.5.squareRoot()), epsilon: 1e-6, channelsPerHead: nil, projectsSkip: true)
    package static let dhariwal = Style(
      isAdaptive: true, skipScale: 1, epsilon: 1e-5, channelsPerHead: 64, projectsSkip: false)
  }

  let name: String
  let style: Style
  let inputs: Int, outputs: Int  // channels
  let key: UInt64  // distinguishes this block's dropout masks from the other blocks'
  let norm0: GroupNorm, norm1: GroupNorm
  let conv0: Convolution, conv1: Convolution
  let affine: Linear
  let skip: Convolution?
  let selfAttention: SelfAttention?

  /// Self-attention over the pixels of each image.
  struct SelfAttention: Sendable {
    let heads: Int
    let norm: GroupNorm
    let qkv: Convolution
    let projection: Convolution
  }

  package init(
    _ builder: ParameterBuilder, _ name: String, _ style: Style, inputs: Int, outputs: Int, embedding: Int,
    resampling: Convolution.Resampling = .none, attention: Bool, filter: [Float]
  ) {
    self.name = name
    self.style = style
    self.inputs = inputs
    self.outputs = outputs
    key = UInt64(builder.specifications.count)
    norm0 = GroupNorm(builder, name + ".norm0", channels: inputs, epsilon: style.epsilon)
    conv0 = Convolution(
      builder, name + ".conv0", inputs: inputs, outputs: outputs, kernel: 3, resampling: resampling, filter: filter)
    affine = Linear(builder, name + ".affine", inputs: embedding, outputs: style.isAdaptive ? 2 * outputs : outputs)
    norm1 = GroupNorm(builder, name + ".norm1", channels: outputs, epsilon: style.epsilon)
    conv1 = Convolution(builder, name + ".conv1", inputs: outputs, outputs: outputs, kernel: 3)
    if inputs != outputs || resampling != .none {
      skip = Convolution(
        builder, name + ".skip", inputs: inputs, outputs: outputs,
        kernel: inputs != outputs || style.projectsSkip ? 1 : 0, resampling: resampling, filter: filter)
    } else {
      skip = nil
    }
    let heads = attention ? style.channelsPerHead.map { outputs / $0 } ?? 1 : 0
    if heads > 0 {
      if outputs % heads != 0, builder.contradiction == nil {
        builder.contradiction = "\(name) would cut \(outputs) channels into \(heads) heads"
      }
      selfAttention = SelfAttention(
        heads: heads,
        norm: GroupNorm(builder, name + ".norm2", channels: outputs, epsilon: style.epsilon),
        qkv: Convolution(
          builder, name + ".qkv", inputs: outputs, outputs: 3 * outputs, kernel: 1,
          layout: .attentionConvolution,
          biasLayout: .attentionBias),
        projection: Convolution(builder, name + ".proj", inputs: outputs, outputs: outputs, kernel: 1))
    } else {
      selfAttention = nil
    }
  }

  /// - Parameters:
  ///   - x: [N, H, W, inputs], or its first channels.
  ///   - skip: the other channels, where the block takes a skip connection.
  ///   - embedding: [N, embedding].
  /// - Returns: [N, H', W', outputs].
  package func callAsFunction(_ x: Variable, joining skip: Variable? = nil, _ embedding: Variable, _ pass: ForwardPass)
    -> Variable
  {
    guard pass.checkpointsActivations else {
      return compute(skip.map { concatenateChannels(x, $0) } ?? x, embedding, pass)
    }
    return checkpoint([x, embedding] + (skip.map { [$0] } ?? []) + pass.parameters) { isRecording in
      func input(_ variable: Variable) -> Variable { isRecording ? variable : variable.detached }
      var inner = isRecording ? pass : pass.detached
      if isRecording { inner.observe = nil }
      return compute(
        skip.map { concatenateChannels(input(x), input($0)) } ?? input(x), input(embedding), inner)
    }
  }

  private func compute(_ x: Variable, _ embedding: Variable, _ pass: ForwardPass) -> Variable {
    var h = conv0(norm0(x, silu: true, pass), pass)
    let p = affine(embedding, pass)
    h = style.isAdaptive ? norm1(h, modulation: p, silu: true, pass) : norm1(h, shift: p, silu: true, pass)
    if let (base, firstImage) = pass.dropout, pass.dropoutProbability > 0 {
      h = dropout(
        h, probability: pass.dropoutProbability, key: base &+ key &* 0xD1B5_4A32_D192_ED03, firstImage: firstImage)
    }
    var y = pass.joined(conv1, h, residual: skip.map { $0(x, pass) } ?? x, scale: style.skipScale)
    if let selfAttention {
      let qkv = selfAttention.qkv(selfAttention.norm(y, silu: false, pass), pass)
      if let observe = pass.observe {
        observe(selfAttention.qkv.name, ParameterLayout.attentionBias.restored(qkv.value, shape: qkv.shape))
      }
      let attended = attention(qkv, heads: selfAttention.heads)
      y = pass.joined(selfAttention.projection, attended, residual: y, scale: style.skipScale)
    }
    return pass.show(name, y)
  }
}

extension ForwardPass {
  /// (convolution(x) + residual) * scale, in one go unless the convolution's own output is asked for.
  func joined(_ convolution: Convolution, _ x: Variable, residual: Variable?, scale: Float = 1) -> Variable {
    guard observe != nil, let residual else { return convolution(x, residual: residual, scale: scale, self) }
    return addScaled(convolution(x, self), residual, scale: scale)
  }
}
