import Foundation

/// The line that heads an attempt in a step's log, `log/STEP.log`: `# 2026-11-22T22:15:00Z sid-sample, attempt 1`.
package struct StepLogHeading: Sendable, Equatable {
  /// When the attempt started, in whole seconds.
  package let date: Date
  /// The stage program.
  package let program: String
  /// Which attempt it is, counted from 1 anew whenever the step has come farther than ever.
  package let attempt: Int

  /// - Parameters: as the properties.
  package init(date: Date, program: String, attempt: Int) {
    (self.date, self.program, self.attempt) = (date, program, attempt)
  }

  /// The line, without its end.
  package var line: String { "# \(date.formatted(.iso8601)) \(program), attempt \(attempt)" }

  /// Reads a line; nil where it is no heading: everything else in a log is what the stage said.
  package init?(_ line: some StringProtocol) {
    guard line.hasPrefix("# 2") else { return nil }
    let words = line.split(separator: " ")
    guard words.count == 5, words[2].hasPrefix("sid"), words[2].hasSuffix(","), words[3] == "attempt",
      let attempt = Int(words[4]), let date = try? Date(String(words[1]), strategy: .iso8601)
    else { return nil }
    self.init(date: date, program: String(words[2].dropLast()), attempt: attempt)
  }

  /// The headings of a log, in their order.
  package static func all(in log: String) -> [StepLogHeading] {
    log.split(separator: "\n", omittingEmptySubsequences: true).compactMap { StepLogHeading($0) }
  }
}
