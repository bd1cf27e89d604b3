import Autograd
import Compute

/// The residual block of SongUNet, with self-attention after it where the architecture has it.
///
/// h = conv1(dropout(silu(norm1(conv0(silu(norm0(x))) + affine(embedding))))), x = (h + skip(x)) * sqrt(1/2), and then
/// x = (proj(attention(norm2(x))) + x) * sqrt(1/2).
struct UNetBlock: Sendable {
  let name: String
  let inputs: Int, outputs: Int  // channels
  let skipScale: Float  // sqrt(1/2)
  let key: UInt64  // distinguishes this block's dropout masks from the other blocks'
  let norm0: GroupNorm, norm1: GroupNorm
  let conv0: Convolution, conv1: Convolution
  let affine: Linear
  let skip: Convolution?
  let selfAttention: SelfAttention?

  /// One head over the pixels of each image.
  struct SelfAttention: Sendable {
    let heads: Int
    let norm: GroupNorm
    let qkv: Convolution
    let projection: Convolution
  }

  init(
    _ builder: ParameterBuilder, _ name: String, inputs: Int, outputs: Int, embedding: Int,
    resampling: Convolution.Resampling = .none,
    attention: Bool, filter: [Float]
  ) {
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    skipScale = Float(0.5.squareRoot())
    key = UInt64(builder.specifications.count)
    let epsilon: Float = 1e-6
    norm0 = GroupNorm(builder, name + ".norm0", channels: inputs, epsilon: epsilon)
    conv0 = Convolution(
      builder, name + ".conv0", inputs: inputs, outputs: outputs, kernel: 3, resampling: resampling, filter: filter)
    affine = Linear(builder, name + ".affine", inputs: embedding, outputs: outputs)
    norm1 = GroupNorm(builder, name + ".norm1", channels: outputs, epsilon: epsilon)
    conv1 = Convolution(builder, name + ".conv1", inputs: outputs, outputs: outputs, kernel: 3)
    if inputs != outputs || resampling != .none {
      skip = Convolution(
        builder, name + ".skip", inputs: inputs, outputs: outputs, kernel: 1, resampling: resampling, filter: filter)
    } else {
      skip = nil
    }
    if attention {
      selfAttention = SelfAttention(
        heads: 1,
        norm: GroupNorm(builder, name + ".norm2", channels: outputs, epsilon: epsilon),
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
  func callAsFunction(_ x: Variable, joining skip: Variable? = nil, _ embedding: Variable, _ pass: ForwardPass)
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
    h = norm1(h, shift: affine(embedding, pass), silu: true, pass)
    if let (base, firstImage) = pass.dropout, pass.dropoutProbability > 0 {
      h = dropout(
        h, probability: pass.dropoutProbability, key: base &+ key &* 0xD1B5_4A32_D192_ED03, firstImage: firstImage)
    }
    var y = conv1(h, residual: skip.map { $0(x, pass) } ?? x, scale: skipScale, pass)
    if let selfAttention {
      let a = attention(selfAttention.qkv(selfAttention.norm(y, silu: false, pass), pass), heads: selfAttention.heads)
      y = selfAttention.projection(a, residual: y, scale: skipScale, pass)
    }
    return pass.show(name, y)
  }
}
