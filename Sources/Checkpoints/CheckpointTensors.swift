import Compute
import Diagnostics

/// Named tensors of a checkpoint, read from the file one at a time.
public struct CheckpointTensors: TensorSource, Sendable {
  let file: CheckpointFile
  /// Names in state_dict order.
  public let tensorNames: [String]
  /// What stood beside the tensors and is passed over: names, and in words what each is.
  public let leftOut: [(name: String, what: String)]
  private let tensors: [String: StoredTensor]
  /// Why something of a name is no tensor that can be read.
  private let problems: [String: String]

  /// - Parameters:
  ///   - entries: names and tensors.
  ///   - leftOut: what else stands there: names, and in words what each is.
  init(
    _ entries: [(name: String, tensor: StoredTensor)], leftOut: [(name: String, what: String)] = [],
    file: CheckpointFile
  ) throws {
    var tensors: [String: StoredTensor] = [:]
    for (name, tensor) in entries {
      guard tensors.updateValue(tensor, forKey: name) == nil else { throw file.refuse("two tensors are named \(name)") }
    }
    self.file = file
    self.tensors = tensors
    self.leftOut = leftOut
    problems = Dictionary(leftOut.map { ($0.name, $0.what) }) { first, _ in first }
    tensorNames = entries.map(\.name)
  }

  /// The shape of one tensor, or nil where there is none of that name.
  public func shape(of name: String) -> [Int]? { tensors[name]?.shape }

  /// Why there is no tensor of a name: it is something that is not read.
  public func problem(with name: String) -> String? { tensors[name] == nil ? problems[name] : nil }

  /// The number format in the file, or nil where there is no tensor of that name.
  public func elementType(of name: String) -> ElementType? { tensors[name]?.storage.type }

  /// The elements of one tensor, widened to float32.
  /// - Throws: `dataError` where there is no such tensor or its checksum is wrong, `ioError` where reading fails.
  public func tensor(_ name: String) throws -> Tensor {
    guard let tensor = tensors[name] else {
      throw file.refuse(problem(with: name).map { "\(name): \($0)" } ?? "there is no tensor \(name)")
    }
    return try tensor.read(from: file, name: name)
  }

  /// Compares every tensor's data with the checksum that its container has, if it has one.
  /// - Throws: `dataError` naming the entry that is damaged.
  public func verifyChecksums() throws {
    for name in tensorNames {
      if let entry = tensors[name]?.storage.entry { try file.verify(entry) }
    }
  }

  /// The same tensors under other names.
  /// - Parameter rename: gives every name its new one.
  /// - Throws: `dataError` where two get the same name.
  func renamed(_ rename: (String) -> String) throws -> CheckpointTensors {
    try CheckpointTensors(
      tensorNames.compactMap { name in tensors[name].map { (rename(name), $0) } },
      leftOut: leftOut.map { (rename($0.name), $0.what) }, file: file)
  }
}
