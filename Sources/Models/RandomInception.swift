import Compute

/// Weights of Inception-v3 drawn from a seed, for measurements: results stay of the size of the images.
public struct RandomInception: TensorSource {
  private let shapes: [String: (place: Int, shape: [Int])]
  private let generator: Philox
  /// The names of pytorch-fid's state_dict.
  public let tensorNames: [String]

  /// - Parameter seed: any number.
  public init(seed: UInt64) {
    let tensors = InceptionArchitecture.tensors
    tensorNames = tensors.map(\.name)
    shapes = Dictionary(tensors.enumerated().map { ($1.name, ($0, $1.shape)) }) { first, _ in first }
    generator = Philox(seed: seed)
  }

  /// The shape of one tensor.
  public func shape(of name: String) -> [Int]? { shapes[name]?.shape }

  /// Draws one tensor: weights of the deviation that keeps the size of rectified results, variances and norms of one.
  /// - Precondition: the network has it.
  public func tensor(_ name: String) throws -> Tensor {
    guard let (place, shape) = shapes[name] else { preconditionFailure("no tensor \"\(name)\"") }
    if name.hasSuffix(".running_var") || name.hasSuffix(".bn.weight") { return Tensor(shape: shape, repeating: 1) }
    let isWeight = shape.count > 1
    let deviation = isWeight ? (2 / Float(shape.dropFirst().reduce(1, *))).squareRoot() : 0.1
    let normals = generator.normals(shape.reduce(1, *), stream: (UInt64(place), 0))
    return Tensor(normals.map { $0 * deviation }, shape: shape)
  }
}
