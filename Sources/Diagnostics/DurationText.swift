import Foundation

/// How all programs write times and numbers of progress.
public enum DurationText {
  /// `0:07`, `6:13`, `1:02:00`, `3 d 4 h`.
  public static func clock(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e10 else { return "?" }
    let whole = Int(seconds.rounded())
    if whole >= 2 * 86400 { return "\(whole / 86400) d \(whole % 86400 / 3600) h" }
    let tail = String(format: "%02d", whole % 60)
    return whole >= 3600
      ? "\(whole / 3600):\(String(format: "%02d", whole % 3600 / 60)):\(tail)" : "\(whole / 60):\(tail)"
  }

  /// `45 s`, `3 min 20 s`, `2 h 5 min`.
  public static func words(_ seconds: Int) -> String {
    if seconds < 60 { return "\(seconds) s" }
    return seconds < 3600
      ? "\(seconds / 60) min \(seconds % 60) s" : "\(seconds / 3600) h \(seconds % 3600 / 60) min"
  }

  /// A whole number as it is, another one to three digits.
  public static func number(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
    return String(format: abs(value) >= 100 ? "%.0f" : "%.3g", value)
  }
}
