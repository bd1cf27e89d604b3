import JobFolder
import Diagnostics
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
      parts.append(
        "\(DurationText.number(done))/\(DurationText.number(total))\(status.unit.map { " \($0.oneLine)" } ?? "")")
    }
    if let rate = status.rate, rate > 0 { parts.append("\(DurationText.number(rate))/s") }
    if let seconds = status.etaSeconds { parts.append("\(DurationText.clock(seconds)) left") }
    return parts.joined(separator: "  ")
  }

  private static func padded(_ percent: Double) -> String {
    let digits = String(Int(percent))
    return String(repeating: " ", count: max(0, 3 - digits.count)) + digits
  }

}
