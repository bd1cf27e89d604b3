import Compute
import Diagnostics

/// Inception-v3 with its weights: images of bytes to pool features, spatial features and class scores.
///
/// Each batch normalization is folded into its convolution when the network is made. Convolutions of one pixel that read
/// the same input are one matrix product; an average pool before such a convolution comes after it instead, which is the
/// same function of far fewer channels. Branches write into their channels of the block's result.
struct InceptionNetwork: Sendable {
  private let stages: [Stage]
  /// [featureCount, scoreCount].
  private let scoreWeight: Tensor

  /// A stage with its weights.
  private enum Stage: Sendable {
    case layer(String, FusedConvolution)
    case maximumPool(String)
    case block(InceptionBlock)

    var name: String {
      switch self {
      case .layer(let name, _), .maximumPool(let name): name
      case .block(let block): block.name
      }
    }
  }

  /// Takes the weights from a state_dict.
  /// - Throws: a `Failure` with status `dataError` naming the tensor that is missing, unknown, of another shape or not finite.
  init(source: some TensorSource, origin: String) throws {
    try Self.check(source, origin: origin)
    let weights = InceptionWeights(source: source, origin: origin)
    stages = try InceptionArchitecture.stages.map { stage in
      switch stage {
      case .layer(let layer): .layer(layer.name, try weights.convolution([layer]))
      case .maximumPool(let name): .maximumPool(name)
      case .block(let name, let branches): .block(try InceptionBlock(name: name, branches, weights: weights))
      }
    }
    scoreWeight = ParameterLayout.linear.arranged(try weights.tensor("fc.weight"))
    // The scores leave it out, and it is not to be broken all the same.
    _ = try weights.tensor("fc.bias")
  }

  /// Images that go through the network at once, and through its early stages, whose results are large and whose weights
  /// are small. Results do not depend on it.
  private static let groups: [(last: String, images: Int)] = [("Mixed_6a", 2), ("Mixed_7a", 8), ("Mixed_7c", 32)]

  /// The most images at once.
  static var largestGroup: Int { groups.last?.images ?? 1 }

  /// - Parameters:
  ///   - bytes: of whole images.
  ///   - shape: height, width and channels, 1 or 3.
  ///   - observe: is called with the name and the result of each stage, [N, H, W, C], for each group of images.
  func outputs(
    _ bytes: [UInt8], shape: [Int], convention: InputConvention, wanted: FeatureKinds,
    observe: ((String, Tensor) -> Void)? = nil
  ) -> FeatureOutputs {
    let count = bytes.count / shape.reduce(1, *)
    let features = Tensor(uninitialized: [count, InceptionArchitecture.featureCount])
    let spatial =
      wanted.contains(.spatial) ? Tensor(uninitialized: [count, FeatureNetwork.inceptionSpatialCount]) : nil
    for first in stride(from: 0, to: count, by: Self.largestGroup) {
      let images = first..<min(first + Self.largestGroup, count)
      let last = run(groups: Self.groups[...], images) { group in
        let input = convention.input(bytes, shape: shape, images: group)
        observe?("input", input)
        return input
      } observe: { name, images, result in
        if let spatial, name == InceptionArchitecture.spatial.stage {
          Self.copySpatial(result, into: spatial.mutable + images.lowerBound * FeatureNetwork.inceptionSpatialCount)
        }
        observe?(name, result)
      }
      let means = meanOverPixels(last)
      observe?("avgpool", means.reshaped([images.count, 1, 1, means.shape[1]]))
      (features.mutable + images.lowerBound * means.shape[1]).update(from: means.pointer, count: means.count)
    }
    return FeatureOutputs(
      features: features, spatial: spatial,
      scores: wanted.contains(.scores) ? linear(features, weight: scoreWeight) : nil)
  }

  /// Runs the stages up to the end of the last of `groups`, in groups of images within groups.
  private func run(
    groups: ArraySlice<(last: String, images: Int)>, _ images: Range<Int>, input: (Range<Int>) -> Tensor,
    observe: (String, Range<Int>, Tensor) -> Void
  ) -> Tensor {
    guard let group = groups.last else { return input(images) }
    let earlier = groups.dropLast()
    let end = (stages.firstIndex { $0.name == group.last } ?? stages.count - 1) + 1
    let start = (earlier.last.flatMap { before in stages.firstIndex { $0.name == before.last } } ?? -1) + 1
    var parts: [Tensor] = []
    for first in stride(from: images.lowerBound, to: images.upperBound, by: group.images) {
      let some = first..<min(first + group.images, images.upperBound)
      var x = run(groups: earlier, some, input: input, observe: observe)
      for stage in stages[start..<end] {
        switch stage {
        case .layer(_, let convolution): x = convolution(ChannelSlice(x))
        case .maximumPool: x = PoolingKind.maximum(stride: 2, padding: 0).result(x)
        case .block(let block): x = block(x)
        }
        observe(stage.name, some, x)
      }
      parts.append(x)
    }
    return Tensor(concatenating: parts)
  }

  /// The first channels of each pixel, in the order of the original graph: row, column, channel.
  private static func copySpatial(_ x: Tensor, into target: UnsafeMutablePointer<Float>) {
    let (count, channels) = (InceptionArchitecture.spatial.channels, x.shape[3])
    for pixel in 0..<x.count / channels {
      (target + pixel * count).update(from: x.pointer + pixel * channels, count: count)
    }
  }
}

/// A block of branches with its weights.
struct InceptionBlock: Sendable {
  let name: String
  /// The convolutions of one pixel that read the block's input.
  private let heads: FusedConvolution?
  private let branches: [Branch]

  fileprivate struct Branch: Sendable {
    /// How many outputs of `heads` are the first result of the branch; nil where its own layers read the block's input.
    let headOutputs: Int?
    let pool: PoolingKind?
    let layers: [FusedConvolution]
    let tails: [FusedConvolution]
  }

  init(name: String, _ branches: [InceptionArchitecture.Branch], weights: InceptionWeights) throws {
    self.name = name
    var heads: [InceptionArchitecture.Layer] = []
    self.branches = try branches.map { branch in
      var (layers, tails) = (branch.layers, branch.tails)
      var (headOutputs, pool): (Int?, PoolingKind?) = (nil, nil)
      var canShare = true
      switch branch.pool {
      case .maximum(let stride):
        // A maximum does not change places with a convolution.
        (pool, canShare) = (.maximum(stride: stride, padding: stride == 1 ? 1 : 0), false)
      case .average: pool = .rectifiedAverage
      case nil: break
      }
      if canShare, let first = layers.first ?? tails.first, first.kernel == (1, 1) {
        heads.append(first)
        headOutputs = first.outputs
        if layers.isEmpty { tails.removeFirst() } else { layers.removeFirst() }
      }
      return Branch(
        headOutputs: headOutputs, pool: pool, layers: try layers.map { try weights.convolution([$0]) },
        tails: try tails.map { try weights.convolution([$0]) })
    }
    self.heads = heads.isEmpty ? nil : try weights.convolution(heads)
  }

  /// - Parameter x: [N, H, W, C].
  func callAsFunction(_ x: Tensor) -> Tensor {
    let size = outputSize(x)
    let y = Tensor(uninitialized: size.shape)
    var offset = 0
    /// The next channels of the result.
    func next(_ count: Int) -> ChannelSlice {
      offset += count
      return ChannelSlice(y, offset - count..<offset)
    }
    // Where the first results go, then where the branches end: in the order of the branches in both cases.
    var parts: [FusedConvolution.Part] = []
    var remaining: [() -> Void] = []
    for branch in branches {
      let isDirect = branch.layers.isEmpty && branch.tails.isEmpty
      var start = x
      if let outputs = branch.headOutputs {
        if isDirect, branch.pool == nil {
          parts.append(.init(next(outputs)))
          continue
        }
        start = Tensor(uninitialized: Array(x.shape.dropLast()) + [outputs])
        // Pooled first and rectified then.
        parts.append(.init(ChannelSlice(start), rectifies: branch.pool == nil))
      }
      let targets = isDirect ? [next(start.shape[3])] : branch.tails.map { next($0.outputs) }
      remaining.append { branch.finish(start, isDirect: isDirect, targets) }
    }
    heads?(ChannelSlice(x), into: parts)
    for body in remaining { body() }
    return y
  }

  private func outputSize(_ x: Tensor) -> (shape: [Int], channels: Int) {
    var (height, width, channels) = (x.shape[1], x.shape[2], 0)
    for branch in branches {
      if case .maximum(stride: 2, _)? = branch.pool {
        (height, width) = (PoolingKind.maximum(stride: 2, padding: 0).outputSide(x.shape[1]), (x.shape[2] - 3) / 2 + 1)
      }
      let isDirect = branch.layers.isEmpty && branch.tails.isEmpty
      channels += isDirect ? branch.headOutputs ?? x.shape[3] : branch.tails.reduce(0) { $0 + $1.outputs }
    }
    return ([x.shape[0], height, width, channels], channels)
  }
}

extension InceptionBlock.Branch {
  /// What follows the first result.
  fileprivate func finish(_ start: Tensor, isDirect: Bool, _ targets: [ChannelSlice]) {
    if isDirect {
      pool?(ChannelSlice(start), into: targets[0])
      return
    }
    var x = pool?.result(start) ?? start
    for layer in layers { x = layer(ChannelSlice(x)) }
    for (tail, target) in zip(tails, targets) { tail(ChannelSlice(x), into: [.init(target)]) }
  }
}

extension PoolingKind {
  /// All channels, in a tensor of their own.
  fileprivate func result(_ x: Tensor) -> Tensor {
    let y = Tensor(uninitialized: [x.shape[0], outputSide(x.shape[1]), outputSide(x.shape[2]), x.shape[3]])
    self(ChannelSlice(x), into: ChannelSlice(y))
    return y
  }
}

extension InputConvention {
  /// The network's input, [N, 299, 299, 3].
  fileprivate func input(_ bytes: [UInt8], shape: [Int], images: Range<Int>) -> Tensor {
    let imageBytes = shape.reduce(1, *)
    let side = InceptionArchitecture.side
    let some = bytes[images.lowerBound * imageBytes..<images.upperBound * imageBytes]
    switch self {
    case .tensorflow:
      return resizedImages(some, shape: shape, scale: 1 / 128, offset: -1) { size in
        (0..<side).map { Double($0 * size) / Double(side) }
      }
    case .pytorchFID, .native:
      return resizedImages(some, shape: shape, scale: 2 / 255, offset: -1) { size in
        (0..<side).map { (Double($0) + 0.5) * Double(size) / Double(side) - 0.5 }
      }
    }
  }
}
