/// Which dictionaries of a pickle hold tensors, and which hold others that do; found out in one pass.
struct PickleSurvey: Sendable {
  /// The tensors that stand directly in each dictionary, under names.
  private(set) var tensorCounts: [Int]
  /// Whether each dictionary holds, at any depth, another with tensors, or a network that was saved as an object.
  private(set) var holdsParts: [Bool]

  init(_ document: PickleDocument) {
    let count = document.dictionaries.count
    tensorCounts = [Int](repeating: 0, count: count)
    holdsParts = [Bool](repeating: false, count: count)
    var holders = [[Int]](repeating: [], count: count)
    var found: [Int] = []
    for (place, dictionary) in document.dictionaries.enumerated() {
      for (key, value) in zip(dictionary.keys, dictionary.values) {
        switch value {
        case .tensor: if case .text = key { tensorCounts[place] += 1 }
        case .dictionary(let inner): holders[inner].append(place)
        case .object where document.isModule(value): holdsParts[place] = true
        default: break
        }
      }
    }
    for place in 0..<count where tensorCounts[place] > 0 || holdsParts[place] { found.append(place) }
    while let place = found.popLast() {
      for holder in holders[place] where !holdsParts[holder] {
        holdsParts[holder] = true
        if tensorCounts[holder] == 0 { found.append(holder) }
      }
      holders[place] = []
    }
  }

  /// Whether a dictionary is a state_dict: tensors and nothing below it that could be one.
  func isStateDictionary(_ place: Int) -> Bool { tensorCounts[place] > 0 && !holdsParts[place] }
}
