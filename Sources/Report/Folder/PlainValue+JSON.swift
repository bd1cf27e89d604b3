import Files
import Foundation

extension PlainValue {
  /// Reads JSON; nil where it is none, or nested too deeply for the parser.
  init?(json: Data) {
    guard let node = try? JSONDecoder().decode(JSONNode.self, from: json) else { return nil }
    self = node.value
  }

  /// The entry of a dictionary; nil for anything else.
  subscript(_ key: String) -> PlainValue? { dictionaryValue?[key] }

  /// The entries of a dictionary.
  var dictionaryValue: [String: PlainValue]? { if case .dictionary(let entries) = self { entries } else { nil } }

  /// The items of a list.
  var listValue: [PlainValue]? { if case .list(let items) = self { items } else { nil } }
}

private struct JSONNode: Decodable {
  let value: PlainValue

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let text = try? container.decode(String.self) {
      value = .text(text)
    } else if let entries = try? container.decode([String: JSONNode].self) {
      value = .dictionary(entries.mapValues(\.value))
    } else if let items = try? container.decode([JSONNode].self) {
      value = .list(items.map(\.value))
    } else if let number = try? container.decode(Int.self) {
      value = .integer(number)
    } else if let number = try? container.decode(Double.self) {
      value = .real(number)
    } else if let flag = try? container.decode(Bool.self) {
      value = .flag(flag)
    } else {
      value = .none
    }
  }
}
