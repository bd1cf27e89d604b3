import Compute
import Diagnostics
import HDF5

/// A feature network of a few layers, with its weights.
struct LayeredNetwork: Sendable {
  let configuration: FeatureNetworkConfiguration
  let featureCount: Int
  let scoreCount: Int?
  let flopsPerImage: Double
  let largestActivation: Int

  private let layers: [BoundLayer]
  private let parameters: [(specification: ParameterSpecification, tensor: Tensor)]

  /// A layer with its tensors, arranged for NHWC.
  private enum BoundLayer: Sendable {
    case convolution(weight: Tensor, bias: Tensor, padding: Int)
    case relu
    case averagePool
    case flatten
    case linear(weight: Tensor, bias: Tensor)
  }

  /// - Throws: a `Failure` with status `dataError` naming the layer whose shape is impossible or the tensor that is
  ///   missing, unknown, of another shape or not finite.
  init(configuration: FeatureNetworkConfiguration, source: some TensorSource, origin: String) throws {
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

  /// Writes `/parameters`.
  func write(to file: HDF5File) throws {
    let group = try file.root.createGroup("parameters")
    for (specification, tensor) in parameters {
      let restored = specification.layout.restored(tensor, shape: specification.shape)
      try group.write(restored.values, shape: specification.shape, to: specification.name)
    }
  }

  var parameterCount: Int { parameters.reduce(0) { $0 + $1.tensor.count } }

  var imageShape: [Int] {
    [configuration.imgResolution, configuration.imgResolution, configuration.imgChannels]
  }

  /// - Parameter images: bytes of at least one whole image.
  func outputs(_ images: [UInt8], wanted: FeatureKinds) -> FeatureOutputs {
    let count = images.count / imageShape.reduce(1, *)
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
        if let problem = source.problem(with: name) {
          throw Failure(.dataError, origin, "\"\(name)\", which the configuration needs: \(problem)")
        }
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
