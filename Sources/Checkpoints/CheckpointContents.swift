import Diagnostics
import Files

/// Something in a checkpoint, by its key.
public struct CheckpointItem: Sendable {
  /// What it is.
  public enum Kind: Sendable, Equatable {
    /// A network that was saved as an object, by its class.
    case module(className: String)
    /// A dictionary of so many tensors, and of so many other values that are passed over.
    case stateDictionary(tensors: Int, others: Int)
    /// A dictionary that has items of its own; they follow it.
    case dictionary(count: Int)
    /// A number, a text, a list of such; in words otherwise.
    case value(String)
  }

  /// The key that `Checkpoint.module` and `stateDictionary` take: those of nested dictionaries joined by dots.
  public let key: String
  /// What stands under it.
  public let kind: Kind
  /// The keys that lead to it, as Python writes them: `["model"]["ema"]`, `[0]`.
  public let place: String
  /// Whether the key leads to it and to nothing else: not where a key on the way is neither text nor a whole number, nor
  /// where it reads the same as another, `{"0": ..., 0: ...}`.
  public internal(set) var isReachable = true
  /// The object or dictionary itself, whatever other key reads the same.
  var index = -1

  /// The key as it is shown: with the keys that lead to the item where it cannot be given.
  public var shownKey: String { isReachable ? key : "\(key) (\(place))" }
}

extension Checkpoint {
  private static let itemLimit = 2000
  /// Values of a plain container that is shown as it is; of a larger one its size is.
  private static let shownValues = 200

  /// What the file holds: every key, and below a dictionary that is no state_dict its own, in the file's order.
  ///
  /// A state_dict at the top level is not listed: its keys are tensors. At most 2,000 items are listed.
  public var items: [CheckpointItem] {
    guard case .objects(let document, let survey, let root) = content else { return [] }
    var items: [CheckpointItem] = []
    append(root, of: document, survey, at: ("", "", true), open: [root], to: &items)
    var counts: [String: Int] = [:]
    for item in items { counts[item.key, default: 0] += 1 }
    for index in items.indices where counts[items[index].key, default: 0] > 1 { items[index].isReachable = false }
    return items
  }

  /// Keys under which there is something to convert: a network as an object, or a state_dict.
  public var candidates: [CheckpointItem] { parts.filter(\.isReachable) }

  /// The same with those that no key leads to.
  private var parts: [CheckpointItem] {
    items.filter {
      switch $0.kind {
      case .module, .stateDictionary: true
      default: false
      }
    }
  }

  private func append(
    _ place: Int, of document: PickleDocument, _ survey: PickleSurvey,
    at way: (prefix: String, place: String, isReachable: Bool), open: Set<Int>, to items: inout [CheckpointItem]
  ) {
    let dictionary = document.dictionaries[place]
    for (key, value) in zip(dictionary.keys, dictionary.values) where items.count < Self.itemLimit {
      let path = way.prefix + (key.title ?? "?")
      let here = way.place + "[" + key.python + "]"
      let isReachable = way.isReachable && key.title != nil
      func add(_ kind: CheckpointItem.Kind, _ index: Int = -1) {
        items.append(CheckpointItem(key: path, kind: kind, place: here, isReachable: isReachable, index: index))
      }
      switch value {
      case .object(let index) where document.isModule(value):
        add(.module(className: document.objects[index].className), index)
      case .dictionary(let index) where !open.contains(index) && open.count < 16:
        if document.isOptimizerState(index) {
          add(.value(optimizer(path) ?? "the state of an optimizer"))
        } else if survey.isStateDictionary(index) {
          let count = survey.tensorCounts[index]
          add(.stateDictionary(tensors: count, others: document.dictionaries[index].keys.count - count), index)
        } else if !survey.holdsParts[index], let plain = document.plain(value, budget: Self.shownValues) {
          add(.value(Self.shown(plain)))
        } else {
          add(.dictionary(count: document.dictionaries[index].keys.count))
          append(
            index, of: document, survey, at: (path + ".", here, isReachable), open: open.union([index]), to: &items)
        }
      case .tensor(let index):
        let tensor = document.tensor(index)
        add(.value("a tensor \(tensor.shape) of \(tensor.storage.type.rawValue)"))
      default:
        let text = document.plain(value, budget: Self.shownValues).map(Self.shown) ?? document.description(of: value)
        add(.value(text))
      }
    }
  }

  private func optimizer(_ key: String) -> String? {
    (try? optimizerState(key)).map {
      "optimizer state of \($0.parameterIndices.count) of \($0.parameterCount) parameters"
    }
  }

  private static func shown(_ value: PlainValue) -> String { String(value.description.oneLine.prefix(200)) }

  /// The failure for a key under which there is not what is wanted.
  ///
  /// - Parameters:
  ///   - key: the key; nil where none was given.
  ///   - wanted: what was looked for: "network", "state_dict".
  func refusal(_ key: String?, wanted: String) -> Failure {
    let candidates = candidates
    let hidden = parts.filter { !$0.isReachable }
    func shown(_ items: [CheckpointItem]) -> String {
      items.prefix(8).map { "\($0.shownKey) (\($0.words))" }.joined(separator: ", ") + (items.count > 8 ? ", ..." : "")
    }
    var problem: String
    switch (key, content) {
    case (nil, _):
      problem = candidates.isEmpty ? "" : "not a state_dict itself, and which of its parts is meant is open"
    case (let key?, .tensors): problem = "a \(kind.rawValue) has no key \"\(key)\""
    case (let key?, .objects(let document, _, let root)):
      if let value = document.value(at: key, in: root) {
        let what = items.first { $0.key == key }?.words ?? document.description(of: value)
        problem = "the value of key \"\(key)\" is \(what) and no \(wanted)"
        if case .opaque = value { problem += ": nothing of a pickle is executed" }
      } else if document.values(at: key, in: root).count > 1 {
        let places = items.filter { $0.key == key }.map(\.place)
        problem = "the key \"\(key)\" is ambiguous: it reads as \(places.joined(separator: " and as "))"
      } else {
        problem = "there is no key \"\(key)\""
      }
    }
    if !problem.isEmpty { problem += "; " }
    switch content {
    case .tensors: problem += "it holds \(list(keys))"
    case .objects where candidates.isEmpty && !hidden.isEmpty:
      problem += "it holds \(shown(hidden)), which no key leads to"
    case .objects where candidates.isEmpty:
      problem += "it holds no network and no state_dict, but \(items.isEmpty ? "nothing" : shown(items))"
    case .objects: problem += "it holds \(shown(candidates + hidden))"
    }
    let remedy =
      switch (content, candidates.count) {
      case (.tensors, _): "leave the key out: the file is one state_dict"
      case (_, 0) where !hidden.isEmpty: "save it under a key of its own that is text"
      case (_, 0): "save a state_dict: torch.save(network.state_dict(), FILE)"
      case (_, 1): "give \(candidates[0].key) as the key"
      default: "name one of them as the key"
      }
    return file.refuse(problem, remedy: remedy)
  }

  func list(_ names: [String]) -> String {
    names.prefix(8).map { "\"\($0)\"" }.joined(separator: ", ") + (names.count > 8 ? ", ..." : "")
  }
}

extension CheckpointItem {
  /// What it is, in words.
  public var words: String {
    switch kind {
    case .module(let className): "a network of the class \(className)"
    case .stateDictionary(let tensors, let others):
      "a state_dict of \(tensors) tensor\(tensors == 1 ? "" : "s")"
        + (others == 0 ? "" : " and \(others) other value\(others == 1 ? "" : "s")")
    case .dictionary(let count): "a dictionary of \(count)"
    case .value(let text): text
    }
  }
}

extension PickleDictionary.Key {
  /// The key as text; nil where it is neither text nor a number.
  var title: String? {
    switch self {
    case .text(let text): text
    case .integer(let number): String(number)
    case .other: nil
    }
  }

  /// The key as Python writes it.
  var python: String {
    switch self {
    case .text(let text): "\"\(text)\""
    case .integer(let number): String(number)
    case .other: "a key that is neither text nor a whole number"
    }
  }
}

extension PickleDocument {
  /// The value under a key, which may reach into nested dictionaries by dots.
  /// - Returns: nil where there is none, or where keys hold dots themselves, or numbers stand beside texts, so that the key
  ///   reads as several.
  func value(at key: String, in place: Int) -> PickleValue? {
    let values = values(at: key, in: place)
    return values.count == 1 ? values[0] : nil
  }

  /// All values that a key can mean.
  func values(at key: String, in place: Int) -> [PickleValue] {
    var budget = 10_000
    var values: [PickleValue] = []
    find(key[...], in: place, &budget, &values)
    return values
  }

  private func find(_ key: Substring, in place: Int, _ budget: inout Int, _ values: inout [PickleValue]) {
    budget -= 1
    guard budget > 0 else { return }
    let dictionary = dictionaries[place]
    func all(_ key: Substring) -> [PickleValue] {
      // Text that only reads as a number, "007", is none.
      let number = Int(key).flatMap { String($0) == key ? dictionary[$0] : nil }
      return [dictionary[String(key)], number].compactMap { $0 }
    }
    values += all(key)
    for dot in key.indices where key[dot] == "." {
      for case .dictionary(let inner) in all(key[..<dot]) {
        find(key[key.index(after: dot)...], in: inner, &budget, &values)
      }
    }
  }

  /// Whether a value is a network that was saved as an object.
  func isModule(_ value: PickleValue) -> Bool {
    guard case .object(let index) = value, let state = objects[index].state else { return false }
    return dictionaries[state]["_modules"] != nil
  }

  /// Whether a dictionary is what PyTorch's optimizers save.
  func isOptimizerState(_ place: Int) -> Bool {
    let dictionary = dictionaries[place]
    guard case .dictionary? = dictionary["state"], case .list? = dictionary["param_groups"] else { return false }
    return true
  }
}
