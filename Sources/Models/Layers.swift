import Autograd
import Compute

/// What a forward pass carries besides its data: the parameters, and how training or a test differ from inference.
package struct ForwardPass {
  /// Parameters and buffers, in the network's order.
  var parameters: [Variable]
  /// Set in training: the key from which every dropout mask of this pass follows, and the number of its first image.
  var dropout: (key: UInt64, firstImage: Int)?
  /// Probability of dropping an element in training.
  var dropoutProbability: Float = 0
  /// Probability of dropping the class of an image in training.
  var labelDropout: Float = 0
  /// Is shown the output of every module; what is otherwise fused with its successor is then computed apart.
  var observe: ((String, Tensor) -> Void)?

  /// Whether blocks make their inner results again for the gradient instead of keeping them.
  var checkpointsActivations = false

  /// A pass outside of training.
  package init(parameters: [Variable], observe: ((String, Tensor) -> Void)? = nil) {
    self.parameters = parameters
    self.observe = observe
  }

  subscript(_ index: ParameterIndex) -> Variable { parameters[index.position] }

  /// The same pass with nothing to be recorded.
  var detached: ForwardPass {
    var pass = self
    pass.parameters = parameters.map(\.detached)
    return pass
  }

  /// Reports a module's output and hands it on.
  func show(_ name: String, _ output: Variable) -> Variable {
    observe?(name, output.value)
    return output
  }
}

/// y = x W^T + b.
package struct Linear: Sendable {
  let name: String
  let weight: ParameterIndex  // [in, out] in memory
  let bias: ParameterIndex?  // [out]

  package init(_ builder: ParameterBuilder, _ name: String, inputs: Int, outputs: Int, bias hasBias: Bool = true) {
    self.name = name
    weight = builder.add(name + ".weight", [outputs, inputs], .linear)
    bias = hasBias ? builder.add(name + ".bias", [outputs], .vector) : nil
  }

  /// - Parameter x: [N, in].
  /// - Returns: [N, out].
  package func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    pass.show(name, linear(x, weight: pass[weight], bias: bias.map { pass[$0] }))
  }
}

/// Group normalization over the channel groups of each image, then a learned scale and shift per channel.
///
/// y = (x - mean_g) / sqrt(var_g + epsilon) * weight + bias, biased variance (Wu & He 2018, arXiv 1803.08494).
package struct GroupNorm: Sendable {
  let name: String
  package let groups: Int  // min(32, C / 4)
  let epsilon: Float  // 1e-6 in SongUNet, 1e-5 in DhariwalUNet
  let weight: ParameterIndex  // [C]
  let bias: ParameterIndex  // [C]

  package init(_ builder: ParameterBuilder, _ name: String, channels: Int, epsilon: Float) {
    self.name = name
    self.epsilon = epsilon
    groups = min(32, channels / 4)
    if groups == 0 || channels % groups != 0, builder.contradiction == nil {
      builder.contradiction = "\(name) would normalize \(channels) channels in \(groups) groups"
    }
    weight = builder.add(name + ".weight", [channels], .vector)
    bias = builder.add(name + ".bias", [channels], .vector)
  }

  /// - Parameters:
  ///   - x: [N, H, W, C].
  ///   - shift: [N, C], added to every pixel before the normalization.
  ///   - modulation: [N, 2 C], scale and shift of the result y: y * (scale + 1) + shift.
  ///   - silu: whether SiLU follows.
  /// - Returns: the shape of x.
  package func callAsFunction(
    _ x: Variable, shift: Variable? = nil, modulation: Variable? = nil, silu: Bool, _ pass: ForwardPass
  ) -> Variable {
    if let observe = pass.observe {
      let alone = groupNorm(
        x, shift: shift, weight: pass[weight], bias: pass[bias], groups: groups, epsilon: epsilon, silu: false)
      observe(name, alone.value)
    }
    return groupNorm(
      x, shift: shift, weight: pass[weight], bias: pass[bias], modulation: modulation, groups: groups,
      epsilon: epsilon, silu: silu)
  }
}

/// Convolution by a 1x1 or 3x3 kernel with zero padding, after halving or doubling the resolution if asked.
package struct Convolution: Sendable {
  /// The change of resolution.
  package enum Resampling: Sendable { case none, up, down }

  let name: String
  let inputs: Int, outputs: Int  // channels
  let resampling: Resampling
  let kernel: Int  // 0: resampling alone
  let filter: ResamplingFilter
  let isShown: Bool  // its output is in PyTorch's order of channels
  let isFused: Bool  // filter and kernel share their zeros at the borders; down, the kernel comes first
  let weight: ParameterIndex?  // [k, k, in, out] in memory
  let bias: ParameterIndex?  // [out]

  package init(
    _ builder: ParameterBuilder, _ name: String, inputs: Int, outputs: Int, kernel: Int, resampling: Resampling = .none,
    filter taps: [Float] = [1, 1], fused: Bool = false, layout: ParameterLayout = .convolution,
    biasLayout: ParameterLayout = .vector
  ) {
    self.name = name
    (self.inputs, self.outputs) = (inputs, outputs)
    self.kernel = kernel
    self.resampling = resampling
    filter = ResamplingFilter(taps)
    isFused = fused
    isShown = layout == .convolution
    weight = kernel > 0 ? builder.add(name + ".weight", [outputs, inputs, kernel, kernel], layout) : nil
    bias = kernel > 0 ? builder.add(name + ".bias", [outputs], biasLayout) : nil
    if resampling != .none {
      let sum = taps.reduce(0, +)
      let outer = taps.flatMap { row in taps.map { row * $0 / (sum * sum) } }
      builder.addDerivedBuffer(
        name + ".resample_filter", [1, 1, taps.count, taps.count], outer, from: "resample_filter")
    }
  }

  /// - Parameters:
  ///   - x: [N, H, W, in].
  ///   - residual: [N, H', W', out], added to the result before `scale`.
  /// - Returns: [N, H', W', out].
  package func callAsFunction(_ x: Variable, residual: Variable? = nil, scale: Float = 1, _ pass: ForwardPass)
    -> Variable
  {
    var x = x
    if isFused, resampling == .down, let weight {
      let wide = convolution(x, weight: pass[weight], bias: bias.map { pass[$0] }, padding: kernel / 2 + filter.padding)
      return pass.show(name, downsample(wide, filter, padding: 0))
    }
    let joint = isFused ? filter.padding - kernel / 2 : 0  // zeros that the filter and the kernel share
    switch resampling {
    case .none: break
    case .up: x = upsample(x, filter, padding: isFused ? max(joint, 0) : nil)
    case .down: x = downsample(x, filter)
    }
    guard let weight else { return pass.show(name, x) }
    let y = convolution(
      x, weight: pass[weight], bias: bias.map { pass[$0] }, residual: residual, scale: scale,
      padding: isFused ? max(-joint, 0) : nil)
    return isShown && residual == nil && scale == 1 ? pass.show(name, y) : y
  }
}
