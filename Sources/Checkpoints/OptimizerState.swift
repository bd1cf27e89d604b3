import Compute
import Diagnostics
import Files

/// The state of a PyTorch optimizer: a few tensors for each parameter that has had a gradient.
public struct OptimizerState: Sendable {
  /// The options of each parameter group, such as `lr`, `betas`, `eps`.
  public let parameterGroups: [[String: PlainValue]]
  /// How many parameters the optimizer has, in the order of the network's parameters.
  public let parameterCount: Int
  /// The numbers of the parameters that have an entry, ascending; one that never got a gradient has none.
  public let parameterIndices: [Int]
  private let tensors: CheckpointTensors
  /// Step counts that are plain numbers, as older versions of PyTorch save them.
  private let plainSteps: [Int: Int]
  private let key: String

  /// How many steps the optimizer has made for a parameter.
  /// - Throws: `dataError` where that is no whole number.
  public func step(parameter index: Int) throws -> Int {
    if let step = plainSteps[index] { return step }
    let values = try tensor("step", parameter: index).values
    guard values.count == 1, let step = Int(exactly: values[0]) else {
      throw tensors.file.refuse("\(key): the step of parameter \(index) is not a whole number")
    }
    return step
  }

  /// One tensor of a parameter's entry.
  ///
  /// - Parameters:
  ///   - name: `exp_avg` and `exp_avg_sq` (shaped like the parameter), `step` (a scalar).
  ///   - index: the parameter's number.
  /// - Throws: `dataError` where there is no such entry.
  public func tensor(_ name: String, parameter index: Int) throws -> Tensor {
    try tensors.tensor("\(index).\(name)")
  }

  init(_ value: PickleValue?, key: String, of document: PickleDocument, file: CheckpointFile) throws {
    guard let root = document.dictionary(value), let state = document.dictionary(root["state"]),
      let groups = document.items(root["param_groups"])
    else { throw file.refuse("\(key) is not the state of an optimizer with `state` and `param_groups`") }
    parameterGroups = groups.map { document.plainDictionary($0) }
    parameterCount = parameterGroups.reduce(0) { count, group in
      if case .list(let parameters)? = group["params"] { count + parameters.count } else { count }
    }
    var entries: [(name: String, tensor: StoredTensor)] = []
    var indices: [Int] = []
    var plainSteps: [Int: Int] = [:]
    for (index, value) in zip(state.keys, state.values) {
      guard case .integer(let number) = index, (0..<parameterCount).contains(number),
        let entry = document.dictionary(value)
      else { throw file.refuse("\(key) has an entry that belongs to none of its \(parameterCount) parameters") }
      indices.append(number)
      for (name, value) in zip(entry.keys, entry.values) {
        guard case .text(let name) = name else { continue }
        if case .tensor(let tensor) = value { entries.append(("\(number).\(name)", document.tensor(tensor))) }
        if case .integer(let step) = value, name == "step" { plainSteps[number] = step }
      }
    }
    parameterIndices = indices.sorted()
    self.plainSteps = plainSteps
    self.key = key
    tensors = try CheckpointTensors(entries, file: file)
  }
}
