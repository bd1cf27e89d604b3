import Diagnostics

/// What modules that wrap a network add to the names of its state_dict: DistributedDataParallel and DataParallel
/// `module.`, torch.compile `_orig_mod.`, a LightningModule or a class of one's own the name of its attribute.
public struct WrapperPrefix: Sendable {
  /// The tensors under the network's own names.
  public let tensors: CheckpointTensors
  /// What was taken off every name, such as `module._orig_mod.`; nil where nothing was.
  public let removed: String?

  private static let wrappers: Set = ["module", "_orig_mod"]

  /// Takes off what every name has and a network has not.
  ///
  /// The wrappers' own words go wherever they stand in what all names begin with; another word only where the names
  /// are not recognised with it and are without it, since EDM's preconditioners themselves begin with `model.`.
  /// - Parameters:
  ///   - tensors: a state_dict.
  ///   - isRecognised: whether names are those of a network.
  /// - Throws: `dataError` where only some names have a wrapper's prefix.
  public init(_ tensors: CheckpointTensors, isRecognised: (CheckpointTensors) throws -> Bool) throws {
    if try isRecognised(tensors) {
      try Self.requireWhole(tensors)
      (self.tensors, removed) = (tensors, nil)
      return
    }
    let common = Self.commonComponents(tensors.tensorNames)
    let kept = common.filter { !Self.wrappers.contains($0) }
    var result = tensors
    func named(_ components: [String]) throws -> CheckpointTensors {
      let (old, new) = (Self.prefix(common), Self.prefix(components))
      return try tensors.renamed { $0.hasPrefix(old) ? new + $0.dropFirst(old.count) : $0 }
    }
    var rest = kept
    if kept != common { result = try named(kept) }
    for count in 0...kept.count {
      let candidate = try named(Array(kept.dropFirst(count)))
      if try isRecognised(candidate) {
        (result, rest) = (candidate, Array(kept.dropFirst(count)))
        break
      }
    }
    try Self.requireWhole(result)
    self.tensors = result
    let isUnchanged = rest == common
    removed = isUnchanged ? nil : Self.prefix(Self.removed(common, leaving: rest))
  }

  /// The components that are not among those that stay, in their order.
  private static func removed(_ common: [String], leaving rest: [String]) -> [String] {
    var stay = rest[...]
    var gone: [String] = []
    for component in common.reversed() {
      if stay.last == component { stay.removeLast() } else { gone.append(component) }
    }
    return gone.reversed()
  }

  private static func prefix(_ components: [String]) -> String { components.map { $0 + "." }.joined() }

  /// The words before dots that all names begin with; none for a single tensor, which has nothing in common.
  private static func commonComponents(_ names: [String]) -> [String] {
    guard let first = names.first, names.count > 1 else { return [] }
    var common = first.split(separator: ".", omittingEmptySubsequences: false).dropLast().map(String.init)[...]
    for name in names where !common.isEmpty {
      let components = name.split(separator: ".", omittingEmptySubsequences: false).dropLast()
      let equal = zip(common, components).prefix { $0 == $1 }.count
      common = common.prefix(equal)
    }
    return Array(common.prefix(8))
  }

  /// Refuses names of which only some have a wrapper's word.
  private static func requireWhole(_ tensors: CheckpointTensors) throws {
    func wrapper(_ name: String) -> String? {
      name.split(separator: ".").dropLast().map(String.init).first { wrappers.contains($0) }
    }
    let wrapped = tensors.tensorNames.filter { wrapper($0) != nil }
    guard let example = wrapped.first, let word = wrapper(example) else { return }
    let other = tensors.tensorNames.first { wrapper($0) == nil }
    throw tensors.file.refuse(
      "\(wrapped.count) of \(tensors.tensorNames.count) tensors have the wrapper's prefix \"\(word).\" in their names "
        + "(\"\(example)\")" + (other.map { ", others have not (\"\($0)\")" } ?? ""),
      remedy: "save the state_dict of the module that was wrapped: torch.save(wrapper.\(word).state_dict(), FILE)")
  }
}
