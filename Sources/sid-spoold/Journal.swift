import Queue
import CSystemd
import Foundation
import Spool

/// The journal, for a daemon whose stderr is connected to it.
enum Journal {
  /// Whether stderr is the journal's: the service manager says which file that is.
  static let isConnected: Bool = {
    guard let text = ProcessInfo.processInfo.environment["JOURNAL_STREAM"] else { return false }
    let numbers = text.split(separator: ":").compactMap { UInt64($0) }
    var status = stat()
    guard numbers.count == 2, fstat(STDERR_FILENO, &status) == 0 else { return false }
    return UInt64(status.st_dev) == numbers[0] && UInt64(status.st_ino) == numbers[1]
  }()

  /// Sends a record with its priority and, as fields, its job, step and stage.
  /// - Returns: whether the journal took it.
  static func send(_ record: LogRecord) -> Bool {
    guard isConnected else { return false }
    var fields = [
      "MESSAGE=" + (record.job.map { "\($0): \(record.message)" } ?? record.message),
      "PRIORITY=\(record.priority.rawValue)", "SYSLOG_IDENTIFIER=sid-spoold",
    ]
    fields += [("SID_JOB", record.job), ("SID_STEP", record.step), ("SID_STAGE", record.stage)].compactMap {
      name, value in
      value.map { "\(name)=\($0)" }
    }
    let texts = fields.map { strdup($0) }
    defer { for text in texts { free(text) } }
    let vectors = texts.map { iovec(iov_base: $0, iov_len: $0.map { strlen($0) } ?? 0) }
    return sd_journal_sendv(vectors, Int32(vectors.count)) == 0
  }
}
