/// A collection of named tensors that are read one at a time: a checkpoint, a network file, a test's dictionary.
public protocol TensorSource {
  /// Every name, in the order of the source.
  var tensorNames: [String] { get }
  /// The shape of one tensor, or nil where there is none of that name. Reads no elements.
  func shape(of name: String) -> [Int]?
  /// The elements of one tensor, widened to float32.
  /// - Throws: a `Failure` naming the file and the tensor where it is missing or cannot be read.
  func tensor(_ name: String) throws -> Tensor
  /// Why there is no tensor of a name although something of that name is there; nil where nothing is.
  func problem(with name: String) -> String?
  /// Whether `tensor` may be called from several threads at once, and gains by it.
  var isConcurrent: Bool { get }
}

extension TensorSource {
  /// One tensor after the other, unless a source says that it can do more.
  public var isConcurrent: Bool { false }

  /// Nothing is known of names that have no tensor.
  public func problem(with name: String) -> String? { nil }
}
