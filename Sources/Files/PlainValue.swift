/// A value of a file's metadata: what JSON, YAML and Python's plain types have in common.
public indirect enum PlainValue: Sendable, Equatable {
  case none
  case flag(Bool)
  case integer(Int)
  case real(Double)
  case text(String)
  case list([PlainValue])
  case dictionary([String: PlainValue])

  /// The value as a whole number; a flag counts as 0 or 1, a real number only where it is whole.
  public var integerValue: Int? {
    switch self {
    case .integer(let value): value
    case .flag(let value): value ? 1 : 0
    case .real(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The value as a number.
  public var realValue: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .flag(let value): value ? 1 : 0
    case .real(let value): value
    default: nil
    }
  }

  /// The value as text.
  public var textValue: String? { if case .text(let value) = self { value } else { nil } }

  /// The value as a list of whole numbers.
  public var integerValues: [Int]? {
    guard case .list(let items) = self else { return nil }
    let values = items.compactMap(\.integerValue)
    return values.count == items.count ? values : nil
  }
}

extension PlainValue: CustomStringConvertible {
  /// The value as JSON writes it, for messages.
  public var description: String {
    switch self {
    case .none: "null"
    case .flag(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .real(let value): "\(value)"
    case .text(let value): "\"\(value)\""
    case .list(let items): "[" + items.map(\.description).joined(separator: ", ") + "]"
    case .dictionary(let entries):
      "{" + entries.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}"
    }
  }
}
