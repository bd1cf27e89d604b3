import Diagnostics
import Queue
import CLinux
import Files
import Foundation

/// What stands in `incoming/` and has not become a job.
extension SpoolAudit {
  /// How many files of a kind are listed one by one.
  private static let mostListed = 20
  /// Files that have just come are no finding, in seconds.
  private static let recentSeconds = 5.0
  /// A daemon takes what is complete long before, in seconds.
  private static let overdueSeconds = 120.0

  /// How old a file is, in seconds.
  private struct Age {
    /// Since it was made.
    let stands: Double
    /// Since it was written to.
    let unchanged: Double
    /// Since it was written to, renamed or given to somebody.
    let settled: Double

    init?(_ path: String) {
      var status = stat()
      guard lstat(path, &status) == 0 else { return nil }
      let now = Date().timeIntervalSince1970
      func ago(_ seconds: Double) -> Double { max(0, now - seconds) }
      unchanged = ago(Double(status.st_mtim.tv_sec))
      let birth = sid_birth_seconds(path)
      stands = ago(birth >= 0 ? Double(birth) : Double(status.st_ctim.tv_sec))
      settled = ago(Double(status.st_ctim.tv_sec))
    }
  }

  mutating func checkIncoming() {
    let folder = root + "/incoming"
    let names: [ByteName]
    do {
      names = try files.rawNames(in: folder).sorted()
    } catch {
      return note(.problem, "\(error)")
    }
    // For whoever opens a file while it is asked about.
    signal(SIGIO, SIG_IGN)
    var check = WriterCheck(trialFolder: nil)
    var counts: [String: Int] = [:]
    for name in names {
      guard let (kind, grade, text) = finding(name, folder, &check) else { continue }
      counts[kind, default: 0] += 1
      if counts[kind] ?? 0 <= Self.mostListed { note(grade, "incoming/\(name): \(text)") }
    }
    for (kind, count) in counts.sorted(by: { $0.key < $1.key }) where count > Self.mostListed {
      note(.warning, "incoming/: \(count - Self.mostListed) more \(kind)")
    }
  }

  /// What there is to say of a file: of which kind it is, how bad that is, and the text.
  private func finding(_ name: ByteName, _ folder: String, _ check: inout WriterCheck) -> (String, Grade, String)? {
    switch (IncomingName(String(decoding: name.bytes, as: UTF8.self)), name.text) {
    case (.ignored, let text?) where text.hasPrefix(JobFolders.refusedPrefix):
      return ("were set aside", .warning, "was submitted and is a folder: it was set aside; its owner may remove it")
    case (.ignored, _): return nil
    case (.taken, let text?):
      let path = "\(folder)/\(text)"
      let known: FileEntry?
      do {
        known = try files.entry(path)
      } catch {
        return ("cannot be looked at", .problem, "\(error)")
      }
      guard let entry = known, let age = Age(path) else { return nil }
      let time = { DurationText.words($0) }
      let writers = entry.kind == .file ? check.writers(of: path, owner: entry.owner) : .nobody
      switch writers {
      case .somebody:
        return (
          "are being written", age.unchanged > Self.overdueSeconds ? .warning : .ok,
          "is being written, for \(time(age.stands)), last \(time(age.unchanged)) ago; it is taken when it is closed"
        )
      case .unknown where age.settled > Self.recentSeconds:
        return (
          "are being written or wait to be accepted", age.settled > Self.overdueSeconds ? .warning : .ok,
          "has stood there for \(time(age.stands)), unchanged for \(time(age.unchanged)): it is being written, and taken "
            + "when it is closed, or waits to be accepted"
        )
      case .nobody where age.settled > Self.overdueSeconds:
        return ("wait", .problem, "has waited for \(time(age.settled)) to be accepted")
      default: return nil
      }
    default:
      return ("are left alone", .warning, "is left alone: \(IncomingName.rule)")
    }
  }
}
