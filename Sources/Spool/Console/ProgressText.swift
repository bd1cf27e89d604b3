import JobFolder
import Foundation

/// How far a stage is, in one line.
package enum ProgressText {
  /// `generator  [########------------]  40 %  24576/61440 images  98.7/s  6:13 left`.
  package static func bar(_ label: String, _ status: JobStatus, columns: Int) -> String {
    let percent = status.percent ?? 0
    let head = "\(label)  "
    let tail = "  \(padded(percent)) %  \(details(status))"
    let width = max(0, min(40, columns - 1 - head.count - tail.count - 2))
    guard width >= 8 else { return String((head + tail.drop { $0 == " " }).prefix(max(0, columns - 1))) }
    let filled = Int((Double(width) * percent / 100).rounded(.down))
    return head + "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled) + "]"
      + tail
  }

  /// `generator: 40 %, 24576/61440 images  98.7/s  6:13 left`.
  package static func plain(_ label: String, _ status: JobStatus) -> String {
    "\(label): \(Int(status.percent ?? 0)) %, \(details(status))"
  }

  private static func details(_ status: JobStatus) -> String {
    var parts: [String] = []
    if let done = status.done, let total = status.total {
      parts.append("\(number(done))/\(number(total))\(status.unit.map { " \($0.oneLine)" } ?? "")")
    }
    if let rate = status.rate, rate > 0 { parts.append("\(number(rate))/s") }
    if let seconds = status.etaSeconds { parts.append("\(duration(seconds)) left") }
    return parts.joined(separator: "  ")
  }

  private static func padded(_ percent: Double) -> String {
    let digits = String(Int(percent))
    return String(repeating: " ", count: max(0, 3 - digits.count)) + digits
  }

  static func number(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
    return String(format: abs(value) >= 100 ? "%.0f" : "%.3g", value)
  }

  /// `0:07`, `6:13`, `1:02:00`, `3 d 4 h`.
  package static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e10 else { return "?" }
    let whole = Int(seconds.rounded())
    if whole >= 2 * 86400 { return "\(whole / 86400) d \(whole % 86400 / 3600) h" }
    let tail = String(format: "%02d", whole % 60)
    return whole >= 3600
      ? "\(whole / 3600):\(String(format: "%02d", whole % 3600 / 60)):\(tail)" : "\(whole / 60):\(tail)"
  }
}
