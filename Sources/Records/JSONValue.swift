import Foundation

/// A piece of JSON: summaries and records that stages write and others read, progress lines.
public indirect enum JSONValue: Sendable, Equatable, Encodable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  case null
  case bool(Bool)
  case int(Int)
  /// Written as null where it is not finite, since JSON has no such numbers.
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// A string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// An integer.
  public init(integerLiteral value: Int) { self = .int(value) }
  /// A number.
  public init(floatLiteral value: Double) { self = .double(value) }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An array.
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// An object; the last of equal keys counts.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(elements) { $1 })
  }

  /// Reads one JSON text (RFC 8259), UTF-8 without a byte order mark.
  ///
  /// - Parameter bytes: the text.
  /// - Returns: nil where it is no JSON, names a key of an object twice, or is nested more than 64 deep.
  public init?(json bytes: [UInt8]) {
    var reader = JSONReader(bytes)
    guard let value = reader.value(), reader.isAtEnd() else { return nil }
    self = value
  }

  /// Writes the plain JSON value.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .int(let value): try container.encode(value)
    case .double(let value) where value.isFinite: try container.encode(value)
    case .double: try container.encodeNil()
    case .string(let value): try container.encode(value)
    case .array(let values): try container.encode(values)
    case .object(let fields): try container.encode(fields)
    }
  }

  /// The value on one line, keys sorted.
  public var text: String { encoded([.sortedKeys, .withoutEscapingSlashes]) }

  /// The value over several lines, keys sorted, as a file has it.
  public var prettyText: String { encoded([.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]) + "\n" }

  private func encoded(_ formatting: JSONEncoder.OutputFormatting) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting
    // Every case is encodable, so the encoder has nothing to refuse.
    guard let data = try? encoder.encode(self) else { return "null" }
    return String(decoding: data, as: UTF8.self)
  }
}

extension JSONValue {
  /// The entry of an object; nil for anything else.
  public subscript(_ key: String) -> JSONValue? { objectValue?[key] }

  /// The entries of an object.
  public var objectValue: [String: JSONValue]? { if case .object(let fields) = self { fields } else { nil } }

  /// The items of an array.
  public var arrayValue: [JSONValue]? { if case .array(let items) = self { items } else { nil } }

  /// The value as text.
  public var textValue: String? { if case .string(let text) = self { text } else { nil } }

  /// The value as a whole number; a real number only where it is whole.
  public var integerValue: Int? {
    switch self {
    case .int(let value): value
    case .double(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The value as a number.
  public var realValue: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }
}
