import Foundation

/// How far something is, in one line: what every program shows.
public struct ProgressLine: Sendable {
  /// What the work is called.
  public var label: String
  /// Units done.
  public var done: Double
  /// How many units there are.
  public var total: Double
  /// What is counted, in the plural.
  public var unit: String
  /// Units a second; nil where it is not known.
  public var rate: Double?
  /// Seconds that are left; nil where it is not known.
  public var etaSeconds: Double?
  /// Figures worth watching.
  public var metrics: [String: Double]

  /// - Parameters: as the properties.
  public init(
    label: String, done: Double, total: Double, unit: String, rate: Double? = nil, etaSeconds: Double? = nil,
    metrics: [String: Double] = [:]
  ) {
    (self.label, self.done, self.total, self.unit) = (label, done, total, unit)
    (self.rate, self.etaSeconds, self.metrics) = (rate, etaSeconds, metrics)
  }

  /// `sample 1200/5000 images (24 %), 85.1 images/s, 45 s left, loss 0.12`
  public var text: String { parts.joined(separator: ", ") }

  /// The same with a bar, in less than as many columns as a terminal has; where there is no room for one, what fits of the text.
  public func bar(columns: Int) -> String {
    let text = parts.joined(separator: "  ")
    let width = min(30, columns - text.count - 4)
    guard width >= 5 else { return String(text.prefix(max(0, columns - 1))) }
    let filled = Int((Double(width) * fraction).rounded(.down))
    return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled) + "] " + text
  }

  private var fraction: Double { total > 0 && done.isFinite ? min(1, max(0, done / total)) : total > 0 ? 0 : 1 }

  private var parts: [String] {
    let percent = total > 0 ? " (\(Int(100 * fraction)) %)" : ""
    let counts = "\(label) \(DurationText.number(done))/\(DurationText.number(total)) \(unit)\(percent)"
    return [counts] + (rate.map { [speed($0)] } ?? []) + (etaSeconds.map { [DurationText.left($0)] } ?? [])
      + metrics.sorted { $0.key < $1.key }.map { "\($0.key) \(String(format: "%.4g", $0.value))" }
  }

  private func speed(_ rate: Double) -> String {
    rate == 0 || rate >= 0.1
      ? String(format: "%.1f", rate) + " \(unit)/s" : String(format: "%.1f", rate * 3600) + " \(unit)/h"
  }

  /// The width of the terminal behind a descriptor; 80 where it does not say.
  public static func columns(of descriptor: Int32) -> Int {
    var size = winsize()
    return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }
}
