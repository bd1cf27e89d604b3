import Foundation

/// How the spool writes and reads JSON: keys sorted, dates in UTC with milliseconds.
package enum StatusJSON {
  package static func encoder() -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .custom { date, encoder in
      var container = encoder.singleValueContainer()
      try container.encode(text(date))
    }
    return encoder
  }

  package static func decoder() -> JSONDecoder {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .custom { decoder in
      try Date(try decoder.singleValueContainer().decode(String.self), strategy: format)
    }
    return decoder
  }

  /// Reads what `text` writes; nil where it is something else.
  package static func date(_ text: String) -> Date? { try? Date(text, strategy: format) }

  /// `2026-11-22T22:15:00.123Z`: the nearest millisecond, so that what was read is written as it was.
  package static func text(_ date: Date) -> String { (date + 0.0005).formatted(format) }

  private static var format: Date.ISO8601FormatStyle { Date.ISO8601FormatStyle(includingFractionalSeconds: true) }
}
