import Compute
import Diagnostics

/// Named tensors of a checkpoint, read from the file one at a time.
public struct CheckpointTensors: TensorSource, Sendable {
  let file: CheckpointFile
  /// Names in state_dict order.
  public let tensorNames: [String]
  private let tensors: [String: StoredTensor]

  init(_ entries: [(name: String, tensor: StoredTensor)], file: CheckpointFile) throws {
    var tensors: [String: StoredTensor] = [:]
    for (name, tensor) in entries {
      guard tensors.updateValue(tensor, forKey: name) == nil else { throw file.refuse("two tensors are named \(name)") }
    }
    self.file = file
    self.tensors = tensors
    tensorNames = entries.map(\.name)
  }

  /// The shape of one tensor, or nil where there is none of that name.
  public func shape(of name: String) -> [Int]? { tensors[name]?.shape }

  /// The number format in the file, or nil where there is no tensor of that name.
  public func elementType(of name: String) -> ElementType? { tensors[name]?.storage.type }

  /// The elements of one tensor, widened to float32.
  /// - Throws: `dataError` where there is no such tensor or its checksum is wrong, `ioError` where reading fails.
  public func tensor(_ name: String) throws -> Tensor {
    guard let tensor = tensors[name] else { throw file.refuse("there is no tensor \(name)") }
    return try tensor.read(from: file, name: name)
  }

  /// Compares every tensor's data with the checksum that its container has, if it has one.
  /// - Throws: `dataError` naming the entry that is damaged.
  public func verifyChecksums() throws {
    for name in tensorNames {
      if let entry = tensors[name]?.storage.entry { try file.verify(entry) }
    }
  }
}
