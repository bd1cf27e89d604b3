import Compute
import Diagnostics

/// The parameters of an architecture, found complete and of the right shapes in a source, and still there.
///
/// So a network of any size is copied, checked or listed one tensor at a time.
public struct StateDictionary {
  /// Every entry, in the architecture's order.
  public let specifications: [ParameterSpecification]
  private let derived: [String: ParameterBuilder.DerivedBuffer]
  private let source: any TensorSource
  private let origin: String

  /// Compares names and shapes; reads no elements.
  ///
  /// - Parameters:
  ///   - configuration: the architecture.
  ///   - source: a state_dict: exactly the names and shapes of the architecture. Buffers that follow from the
  ///     configuration may be missing.
  ///   - origin: the file that errors name.
  /// - Throws: a `Failure` naming the first option that is not known, tensor that is missing, unknown or of another shape.
  public init(_ configuration: NetworkConfiguration, source: some TensorSource, origin: String) throws {
    let builder = ParameterBuilder()
    _ = try Network.architecture(configuration, builder, origin: origin)
    try self.init(builder, source: source, origin: origin)
  }

  init(_ builder: ParameterBuilder, source: some TensorSource, origin: String) throws {
    specifications = builder.specifications
    derived = builder.derived
    self.source = source
    self.origin = origin
    let known = Set(specifications.map(\.name))
    if let unknown = source.tensorNames.first(where: { !known.contains($0) }) {
      throw Failure(
        .dataError, origin, "tensor \"\(unknown)\" does not belong to the architecture that the configuration describes"
      )
    }
    for specification in specifications {
      guard let shape = source.shape(of: specification.name) else {
        if let problem = source.problem(with: specification.name) {
          throw Failure(.dataError, origin, "\"\(specification.name)\", which the architecture needs: \(problem)")
        }
        if derived[specification.name] != nil { continue }
        throw Failure(.dataError, origin, "tensor \"\(specification.name)\" is missing; the architecture needs it")
      }
      guard shape == specification.shape else {
        throw Failure(
          .dataError, origin,
          "tensor \"\(specification.name)\" has shape \(shape); the architecture needs \(specification.shape)")
      }
    }
  }

  /// One entry, in PyTorch's order of elements.
  /// - Throws: a `Failure` where it cannot be read, or is a buffer that contradicts the configuration.
  public func tensor(_ index: Int) throws -> Tensor {
    let specification = specifications[index]
    let expected = derived[specification.name]
    if let expected, source.shape(of: specification.name) == nil {
      return Tensor(expected.values, shape: specification.shape)
    }
    let tensor = try source.tensor(specification.name)
    if let expected, !expected.agrees(with: tensor) {
      throw Failure(
        .dataError, origin, "\"\(specification.name)\" is not what the configuration's \(expected.options) give")
    }
    return tensor
  }

  /// The same, refused where it holds a number that is not finite.
  public func finiteTensor(_ index: Int) throws -> Tensor {
    let tensor = try tensor(index)
    guard tensor.isFinite else {
      throw Failure(
        .dataError, origin, "tensor \"\(specifications[index].name)\" holds numbers that are not finite",
        remedy: "use another snapshot of the run, or give --allow-nonfinite to convert it as it is")
    }
    return tensor
  }
}
