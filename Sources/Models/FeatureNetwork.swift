import Compute
import Diagnostics
import HDF5

/// A small feature network: images to the vectors whose distribution the Frechet distance compares.
public struct FeatureNetwork: Sendable {
  /// The architecture.
  public let configuration: FeatureNetworkConfiguration
  /// The length D of the feature vector.
  public let featureCount: Int
  /// The number of class scores; nil where the network has none.
  public let scoreCount: Int?
  /// Floating-point operations for one image, a multiply-add counted as two.
  public let flopsPerImage: Double
  /// Numbers in the largest of the layers' results for one image.
  public let largestActivation: Int

  private let layers: [BoundLayer]
  private let parameters: [(specification: ParameterSpecification, tensor: Tensor)]

  /// The `format` attribute of a feature network's file.
  public static let format = "sid-features"

  /// A layer with its tensors, arranged for NHWC.
  private enum BoundLayer: Sendable {
    case convolution(weight: Tensor, bias: Tensor, padding: Int)
    case relu
    case averagePool
    case flatten
    case linear(weight: Tensor, bias: Tensor)
  }

  /// Takes the parameters from a source of named tensors in PyTorch's layout.
  ///
  /// - Parameters:
  ///   - configuration: the architecture.
  ///   - source: has `NAME.weight` and `NAME.bias` for each named layer, and nothing else.
  ///   - origin: the file that errors name.
  /// - Throws: a `Failure` with status `dataError` naming the layer whose shape is impossible or the tensor that is
  ///   missing, unknown, of another shape or not finite.
  public init(configuration: FeatureNetworkConfiguration, source: some TensorSource, origin: String) throws {
    var builder = Builder(configuration: configuration, origin: origin)
    var layers: [BoundLayer] = []
    var counts: [FeatureNetworkConfiguration.Output: Int] = [:]
    for (index, layer) in configuration.layers.enumerated() {
      layers.append(try builder.bind(layer.operation, index: index, source: source))
      guard builder.shape.reduce(1.0, { $0 * Double($1) }) <= 0x1p32 else {
        throw builder.failure(index, "makes activations of shape \(builder.shape), more than 2^32 numbers an image")
      }
      if let output = layer.output {
        guard let length = builder.vectorLength else {
          throw builder.failure(index, "gives images; features and scores are vectors")
        }
        counts[output] = length
      }
    }
    let known = Set(builder.parameters.map(\.specification.name))
    if let unknown = source.tensorNames.first(where: { !known.contains($0) }) {
      throw Failure(.dataError, origin, "tensor \"\(unknown)\" belongs to no layer of the configuration")
    }
    self.configuration = configuration
    self.layers = layers
    parameters = builder.parameters
    // The configuration has exactly one layer with features.
    featureCount = counts[.features] ?? 0
    scoreCount = counts[.scores]
    flopsPerImage = builder.flops
    largestActivation = builder.largestActivation
  }

  /// Reads a feature network's file (`sid-features`).
  /// - Throws: a `Failure` naming the file and what in it cannot be used.
  public init(contentsOf path: String) throws {
    let file = try HDF5File.open(path)
    try file.requireFormat(Self.format)
    let configuration = try FeatureNetworkConfiguration(json: try file.root.stringAttribute("config"), origin: path)
    try self.init(
      configuration: configuration, source: HDF5Tensors(try file.root.group("parameters"), path: path), origin: path)
  }

  /// Writes `format`, `format_version`, `config` and `/parameters` into a new file.
  public func write(to file: HDF5File) throws {
    try file.root.setAttribute("format", Self.format)
    try file.root.setAttribute("format_version", 1)
    try file.root.setAttribute("config", configuration.json)
    let group = try file.root.createGroup("parameters")
    for (specification, tensor) in parameters {
      let restored = specification.layout.restored(tensor, shape: specification.shape)
      try group.write(restored.values, shape: specification.shape, to: specification.name)
    }
  }

  /// Height, width and channels of the images.
  public var imageShape: [Int] {
    [configuration.imgResolution, configuration.imgResolution, configuration.imgChannels]
  }

  /// The conventions that the network can be used with.
  public var conventions: [InputConvention] { [.native] }

  /// The length of the spatial features; nil where the network has none.
  public var spatialCount: Int? { nil }

  /// Refuses images that the network does not take.
  /// - Parameters:
  ///   - shape: height, width and channels.
  ///   - origin: the file that errors name.
  /// - Throws: a `Failure` with status `dataError`.
  public func requireImageShape(_ shape: [Int], origin: String) throws {
    func text(_ shape: [Int]) -> String {
      shape.count == 3 ? "\(shape[0])x\(shape[1]) pixels of \(shape[2]) channel\(shape[2] == 1 ? "" : "s")" : "\(shape)"
    }
    guard shape == imageShape else {
      throw Failure(
        .dataError, origin, "the images have \(text(shape)), the feature network needs \(text(imageShape))",
        remedy: "use the feature network that was made for these images")
    }
  }

  /// The features of images.
  ///
  /// An image's features do not depend on its neighbours.
  ///
  /// - Parameters:
  ///   - images: bytes in image, row, column, channel order, of whole images.
  ///   - shape: height, width and channels of the images, as `requireImageShape` lets them pass.
  ///   - convention: one of `conventions`.
  ///   - wanted: which results are computed; the feature vector always is.
  public func outputs(
    images: [UInt8], shape: [Int], convention: InputConvention, wanted: FeatureKinds = .features
  ) -> FeatureOutputs {
    precondition(shape == imageShape && conventions.contains(convention), "\(shape) and \(convention)")
    let imageBytes = imageShape.reduce(1, *)
    precondition(images.count % imageBytes == 0, "\(images.count) bytes for images of \(imageShape)")
    let count = images.count / imageBytes
    guard count > 0 else {
      let scores = wanted.contains(.scores) ? scoreCount.map { Tensor(shape: [0, $0]) } : nil
      return FeatureOutputs(features: Tensor(shape: [0, featureCount]), spatial: nil, scores: scores)
    }
    var x = Tensor(images.map { Float($0) / 127.5 - 1 }, shape: [count] + imageShape)
    var features = x
    var scores: Tensor?
    for (layer, description) in zip(layers, configuration.layers) {
      switch layer {
      case .convolution(let weight, let bias, let padding):
        x = convolution(x, weight: weight, bias: bias, padding: padding)
      case .relu: x = relu(x)
      case .averagePool: x = downsample(x, ResamplingFilter([1, 1]))
      case .flatten: x = x.nchw.reshaped([count, x.count / count])
      case .linear(let weight, let bias): x = linear(x, weight: weight, bias: bias)
      }
      switch description.output {
      case .features: features = x
      case .scores: scores = x
      case nil: break
      }
    }
    return FeatureOutputs(features: features, spatial: nil, scores: wanted.contains(.scores) ? scores : nil)
  }

  /// Follows the shape through the layers and collects their tensors.
  private struct Builder {
    let origin: String
    /// Height, width and channels; or the length of a vector.
    var shape: [Int] { didSet { largestActivation = max(largestActivation, shape.reduce(1, *)) } }
    var flops = 0.0
    var largestActivation = 0
    var parameters: [(specification: ParameterSpecification, tensor: Tensor)] = []

    var vectorLength: Int? { shape.count == 1 ? shape[0] : nil }

    init(configuration: FeatureNetworkConfiguration, origin: String) {
      self.origin = origin
      shape = [configuration.imgResolution, configuration.imgResolution, configuration.imgChannels]
      largestActivation = shape.reduce(1, *)
    }

    func failure(_ index: Int, _ problem: String) -> Failure {
      Failure(.dataError, origin, "layer \(index + 1) of the configuration \(problem)")
    }

    mutating func bind(
      _ operation: FeatureNetworkConfiguration.Operation, index: Int, source: some TensorSource
    ) throws -> BoundLayer {
      switch operation {
      case .convolution(let name, let outputs, let kernel, let padding):
        let channels = try imageChannels(index)
        let side = shape.dropLast().map { $0 + 2 * padding - kernel + 1 }
        guard side.allSatisfy({ $0 > 0 }) else { throw failure(index, "has a kernel larger than its padded input") }
        shape = side + [outputs]
        flops += 2 * Double(shape.reduce(1, *)) * Double(kernel * kernel) * Double(channels)
        let weight = try take(name + ".weight", [outputs, channels, kernel, kernel], .convolution, source)
        return .convolution(
          weight: weight, bias: try take(name + ".bias", [outputs], .vector, source), padding: padding)
      case .relu: return .relu
      case .averagePool:
        let channels = try imageChannels(index)
        guard shape[0] % 2 == 0, shape[1] % 2 == 0 else {
          throw failure(index, "halves images of \(shape[0])x\(shape[1]) pixels")
        }
        shape = [shape[0] / 2, shape[1] / 2, channels]
        return .averagePool
      case .flatten:
        _ = try imageChannels(index)
        shape = [shape.reduce(1, *)]
        return .flatten
      case .linear(let name, let outputs):
        guard let inputs = vectorLength else { throw failure(index, "is linear and needs vectors; flatten first") }
        shape = [outputs]
        flops += 2 * Double(inputs) * Double(outputs)
        let weight = try take(name + ".weight", [outputs, inputs], .linear, source)
        return .linear(weight: weight, bias: try take(name + ".bias", [outputs], .vector, source))
      }
    }

    private func imageChannels(_ index: Int) throws -> Int {
      guard shape.count == 3 else { throw failure(index, "needs images and gets vectors") }
      return shape[2]
    }

    private mutating func take(
      _ name: String, _ expected: [Int], _ layout: ParameterLayout, _ source: some TensorSource
    ) throws -> Tensor {
      guard !parameters.contains(where: { $0.specification.name == name }) else {
        throw Failure(.dataError, origin, "two layers of the configuration use the tensor \"\(name)\"")
      }
      guard let found = source.shape(of: name) else {
        throw Failure(.dataError, origin, "tensor \"\(name)\" is missing; the configuration needs it")
      }
      guard found == expected else {
        throw Failure(.dataError, origin, "tensor \"\(name)\" has shape \(found); the configuration needs \(expected)")
      }
      let tensor = layout.arranged(try source.tensor(name))
      guard tensor.isFinite else {
        throw Failure(.dataError, origin, "tensor \"\(name)\" holds numbers that are not finite")
      }
      parameters.append((ParameterSpecification(name: name, shape: expected, layout: layout), tensor))
      return tensor
    }
  }
}
