import Files

extension PickleValue {
  var textValue: String? { if case .text(let text) = self { text } else { nil } }
}

/// What of a pickle is plain metadata.
extension PickleDocument {
  /// The elements of a list, tuple or set.
  func items(_ value: PickleValue?) -> [PickleValue]? {
    switch value {
    case .list(let index)?, .tuple(let index)?, .set(let index)?: sequences[index]
    default: nil
    }
  }

  /// A dictionary's entries that have text keys and plain values; empty for what is no dictionary.
  func plainDictionary(_ value: PickleValue?) -> [String: PlainValue] {
    guard let dictionary = dictionary(value) else { return [:] }
    return plainEntries(dictionary)
  }

  /// The plain attributes of an object whose names do not begin with an underscore.
  func plainAttributes(_ state: PickleDictionary) -> [String: PlainValue] {
    plainEntries(state).filter { !$0.key.hasPrefix("_") }
  }

  /// A dictionary's entries with text keys whose values are neither plain nor tensors, objects or modules that are read
  /// otherwise: by key, in words what each is. Names that begin with an underscore are left out.
  func opaqueEntries(_ dictionary: PickleDictionary) -> [String: String] {
    var result: [String: String] = [:]
    var budget = 100_000
    for (key, value) in zip(dictionary.keys, dictionary.values) {
      guard case .text(let name) = key, !name.hasPrefix("_") else { continue }
      switch value {
      case .tensor, .object: continue
      default: if plain(value, depth: 0, budget: &budget) == nil { result[name] = description(of: value) }
      }
    }
    return result
  }

  /// A plain value, or nil for tensors, objects, bytes and what is nested too deeply or is too much.
  /// - Parameter budget: how many values it may have.
  func plain(_ value: PickleValue, budget: Int = 100_000) -> PlainValue? {
    var budget = budget
    return plain(value, depth: 0, budget: &budget)
  }

  private func plainEntries(_ dictionary: PickleDictionary) -> [String: PlainValue] {
    var result: [String: PlainValue] = [:]
    var budget = 100_000
    for (key, value) in zip(dictionary.keys, dictionary.values) {
      if case .text(let name) = key, let plain = plain(value, depth: 0, budget: &budget) { result[name] = plain }
    }
    return result
  }

  private func plain(_ value: PickleValue, depth: Int, budget: inout Int) -> PlainValue? {
    budget -= 1
    guard depth < PickleLimits.plainNesting, budget > 0 else { return nil }
    switch value {
    case .none: return PlainValue.none
    case .bool(let flag): return .flag(flag)
    case .integer(let integer): return .integer(integer)
    case .real(let real): return .real(real)
    case .text(let text): return .text(text)
    case .list(let index), .tuple(let index), .set(let index):
      var items: [PlainValue] = []
      for item in sequences[index] {
        guard let plain = plain(item, depth: depth + 1, budget: &budget) else { return nil }
        items.append(plain)
      }
      return .list(items)
    case .dictionary(let index):
      var entries: [String: PlainValue] = [:]
      for (key, value) in zip(dictionaries[index].keys, dictionaries[index].values) {
        guard let plain = plain(value, depth: depth + 1, budget: &budget) else { return nil }
        switch key {
        case .text(let name): entries[name] = plain
        case .integer(let number): entries[String(number)] = plain
        case .other: return nil
        }
      }
      return .dictionary(entries)
    default: return nil
    }
  }
}
