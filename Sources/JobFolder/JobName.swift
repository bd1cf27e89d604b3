/// The rule for the names of jobs and steps: `[a-z0-9][a-z0-9-]{0,62}`.
public enum JobName {
  /// The rule in words, for messages.
  public static let rule = "1 to 63 of the characters a-z, 0-9 and -, not starting with -"

  /// Whether `name` follows the rule.
  public static func isValid(_ name: String) -> Bool {
    (1...63).contains(name.utf8.count) && name.utf8.allSatisfy(isAllowed) && name.utf8.first != UInt8(ascii: "-")
  }

  /// A valid name that resembles `text`: what a file that is refused is called by.
  package static func resembling(_ text: String) -> String {
    let cleaned = text.lowercased().utf8.map { isAllowed($0) ? $0 : UInt8(ascii: "-") }.drop { $0 == UInt8(ascii: "-") }
    return cleaned.isEmpty ? "job" : String(decoding: cleaned.prefix(63), as: UTF8.self)
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
    default: false
    }
  }
}
