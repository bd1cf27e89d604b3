import Diagnostics
import Foundation
import JobFolder
import Queue

/// Lines and one progress bar on a terminal; lines alone elsewhere.
public final class Console {
  private let descriptor: Int32
  private let isTerminal: Bool
  private let hasTimestamps: Bool
  private var hasBar = false
  private var lastLabel = ""
  private var lastProgress = ContinuousClock.now - .seconds(3600)
  private let journal: (LogRecord) -> Bool

  /// How often a bar is drawn anew, and how often progress is a line where there is no terminal.
  private static let barInterval = Duration.milliseconds(100)
  private static let lineInterval = Duration.seconds(10)

  /// - Parameters:
  ///   - descriptor: where to write.
  ///   - hasTimestamps: whether each line starts with the time (UTC).
  ///   - journal: takes a record elsewhere, and says whether it did.
  public init(
    descriptor: Int32 = STDERR_FILENO, hasTimestamps: Bool, journal: @escaping (LogRecord) -> Bool = { _ in false }
  ) {
    self.journal = journal
    self.descriptor = descriptor
    self.hasTimestamps = hasTimestamps
    isTerminal = isatty(descriptor) == 1
  }

  /// Writes one line.
  public func line(_ text: String) { log(LogRecord(text)) }

  /// Writes a record, as one line where no journal takes it.
  func log(_ record: LogRecord) {
    if journal(record) { return }
    let text = record.job.map { "\($0): \(record.message)" } ?? record.message
    let stamp = hasTimestamps ? Date().formatted(.iso8601) + " " : ""
    put((hasBar ? "\r\u{1B}[K" : "") + stamp + text.oneLine + "\n")
    hasBar = false
  }

  /// Shows how far a step is, unless that was done a moment ago.
  func progress(_ label: String, _ status: JobStatus) {
    let now = ContinuousClock.now
    guard label != lastLabel || now - lastProgress >= (isTerminal ? Self.barInterval : Self.lineInterval) else {
      return
    }
    (lastLabel, lastProgress) = (label, now)
    let progress = ProgressLine(label, status)
    guard isTerminal else { return line(progress.text) }
    put("\r" + progress.bar(columns: ProgressLine.columns(of: descriptor)) + "\u{1B}[K")
    hasBar = true
  }

  /// Leaves the full bar of a finished step standing.
  /// - Returns: whether there is a bar, which tells that the step is finished.
  @discardableResult
  func finishBar(_ label: String, _ status: JobStatus) -> Bool {
    guard isTerminal, hasBar else { return false }
    put("\r" + ProgressLine(label, status).bar(columns: ProgressLine.columns(of: descriptor)) + "\u{1B}[K\n")
    hasBar = false
    return true
  }

  private func put(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(descriptor, bytes, bytes.count)
  }
}

extension ProgressLine {
  /// Of a job's step, as its status has it.
  package init(_ label: String, _ status: JobStatus) {
    self.init(
      label: label, done: status.done ?? status.percent ?? 0, total: status.total ?? 100,
      unit: status.unit?.oneLine ?? (status.done == nil ? "%" : ""), rate: status.rate.flatMap { $0 > 0 ? $0 : nil },
      etaSeconds: status.etaSeconds)
  }
}
