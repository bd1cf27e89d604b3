import Diagnostics
import Files
import Foundation
import Records

/// How numbers, times and sizes are written on the page.
enum Format {
  /// A whole number with its thousands apart: "50,000".
  static func count(_ value: Int) -> String {
    let digits = Array(String(value.magnitude))
    var text = value < 0 ? "\u{2212}" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }

  /// A number to four digits, without an exponent where it has a common size.
  static func number(_ value: Double) -> String {
    guard value.isFinite else { return "not a number" }
    if value < 0 { return "\u{2212}" + number(-value) }
    let size = abs(value)
    if size != 0, size >= 1e7 || size < 1e-4 { return String(format: "%.3e", value) }
    if size >= 1000 { return count(Int(value.rounded())) }
    return String(format: "%.4g", value)
  }

  /// A number in ASCII with the sign that this page has for numbers below zero.
  static func signed(_ text: String) -> String { text.hasPrefix("-") ? "\u{2212}" + text.dropFirst() : text }

  /// A value of a step's figures.
  static func value(_ value: JSONValue) -> String {
    switch value {
    case .null: "none"
    case .string(let text): text
    case .bool(let flag): flag ? "yes" : "no"
    case .int(let number): count(number)
    case .double(let number): self.number(number)
    default: value.text
    }
  }

  /// "0.4 s", "45 s", "3 min 20 s", "2 h 5 min".
  static func duration(_ seconds: Double) -> String {
    DurationText.words(seconds, tenths: true)
  }

  /// "512 B", "3.2 MB": powers of ten.
  static func bytes(_ count: Int) -> String {
    var value = Double(count)
    for unit in ["B", "kB", "MB", "GB"] {
      if value < 1000 { return unit == "B" ? "\(count) B" : String(format: "%.1f ", value) + unit }
      value /= 1000
    }
    return String(format: "%.1f TB", value)
  }

  /// "2026-11-22 22:15:00", UTC.
  static func time(_ date: Date) -> String {
    guard abs(date.timeIntervalSince1970) < 1e11 else { return "unknown" }
    return date.formatted(
      Date.ISO8601FormatStyle(timeZone: .gmt).year().month().day().dateTimeSeparator(.space).time(
        includingFractionalSeconds: false))
  }

  /// "1 image", "2 images".
  static func plural(_ count: Int, _ noun: String) -> String { "\(self.count(count)) \(noun)\(count == 1 ? "" : "s")" }
}
