import Foundation

/// How all programs write times and numbers of progress.
public enum DurationText {
  /// `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; `for ever` from 30 years on, `unknown` for what is no duration.
  /// - Parameter tenths: writes those that are shorter than ten seconds as `0.4 s`.
  public static func words(_ seconds: Double, tenths: Bool = false) -> String {
    guard seconds >= 0 else { return "unknown" }
    guard seconds < 1e9 else { return "for ever" }
    if tenths, seconds < 9.95 { return String(format: "%.1f s", seconds) }
    let whole = Int(seconds.rounded())
    switch whole {
    case ..<60: return "\(whole) s"
    case ..<3600: return "\(whole / 60) min \(whole % 60) s"
    case ..<172_800: return "\(whole / 3600) h \(whole % 3600 / 60) min"
    default: return "\(whole / 86400) d \(whole % 86400 / 3600) h"
    }
  }

  /// What is left of a work, rounded up: `45 s left`.
  public static func left(_ seconds: Double) -> String { words(seconds.rounded(.up)) + " left" }

  /// A whole number as it is, another one to three digits.
  public static func number(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
    return String(format: abs(value) >= 100 ? "%.0f" : "%.3g", value)
  }
}
