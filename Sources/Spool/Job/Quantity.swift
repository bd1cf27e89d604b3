/// Sizes and times as people write them: `4 GiB`, `90`, `2 h`.
enum Quantity {
  private static let sizes: [String: Double] = [
    "": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1024, "mib": 1_048_576, "gib": 1_073_741_824,
    "tib": 1_099_511_627_776,
  ]
  private static let times: [String: Double] = [
    "": 1, "s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "days": 86400, "day": 86400,
  ]
  static let sizeRule = "a size such as 512 MiB or 4 GB"
  static let timeRule = "a time such as 90 s, 30 min, 2 h or 3 d"

  /// Bytes, or nil where `text` is no size.
  static func bytes(_ text: String) -> Int? { value(text, sizes).flatMap { $0 < 1e18 ? Int($0) : nil } }

  /// Seconds, or nil where `text` is no time.
  static func seconds(_ text: String) -> Double? { value(text, times).flatMap { $0 < 1e10 ? $0 : nil } }

  private static func value(_ text: String, _ units: [String: Double]) -> Double? {
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "e") }
    let unit = text.dropFirst(digits.count).drop { $0 == " " }.lowercased()
    guard let number = Double(digits), number.isFinite, number >= 0, let factor = units[unit] else { return nil }
    return number * factor
  }
}
