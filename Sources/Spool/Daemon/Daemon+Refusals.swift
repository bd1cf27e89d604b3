import JobFolder
import Diagnostics
import Foundation

/// What is known of the jobs in `failed/`: which of them never were jobs but files that were refused, and whose.
struct Refusals {
  /// Of a job in `failed/`.
  struct Entry {
    /// Whether its file was refused: no step was ever started, and nothing but the file and the status is there.
    let isRefusal: Bool
    /// Whose it was; nil where that is not known, as of a folder.
    let user: UInt32?

    init(_ status: JobStatus, names: [String]) {
      isRefusal =
        status.steps.isEmpty && status.started == nil
        && names.allSatisfy {
          [JobFolderNames.status, JobFolderNames.jobFile, JobFolderNames.submitted].contains($0)
        }
      user = status.uid
    }
  }

  /// It does not change, and to read every status each time would take long.
  var entries: [JobID: Entry] = [:]
  /// Whether files were refused since the last look; at first those of an earlier daemon.
  var hasNews = true
  var next = ContinuousClock.now
}

extension Daemon {
  private static let refusalSeconds = 10.0
  private static let shortPauseSeconds = 1.0
  /// How many are removed in one turn of the main loop.
  private static let refusalsAtOnce = 1000

  /// Removes the oldest refused files of users who have more of them than are kept, a few at a time.
  /// - Returns: how many seconds until it should be called again.
  func pruneRefused() -> Double {
    guard options.limits.refusedPerUser > 0, refusals.hasNews else { return .infinity }
    let wait = (refusals.next - .now) / .seconds(1)
    if wait > 0 { return wait }
    let surplus: [JobID]
    var doomed: [JobID] = []
    do {
      surplus = try surplusRefusals()
      // What is read stays until a later look.
      for id in surplus where doomed.count < Self.refusalsAtOnce {
        if try !isInUse(id, .failed) { doomed.append(id) }
      }
      troubles.isOver("refused files")
    } catch {
      tell(error, of: "refused files")
      refusals.next = .now + .seconds(Self.refusalSeconds)
      return Self.refusalSeconds
    }
    let (count, failure) = folders.prune(doomed, .failed, betweenTwo: feedWatchdog)
    if count > 0 {
      log("removed \(count) refused files: their users have more than \(options.limits.refusedPerUser)")
    }
    if let failure { log("a refused file cannot be removed: \(failure)", .error) }
    refusals.hasNews = surplus.count > count
    // Where none could be removed, another try at once would come to the same.
    let pause = count > 0 && refusals.hasNews ? Self.shortPauseSeconds : Self.refusalSeconds
    refusals.next = .now + .seconds(pause)
    return refusals.hasNews ? pause : .infinity
  }

  /// The oldest first.
  private func surplusRefusals() throws -> [JobID] {
    let ids = try folders.jobs(.failed)
    let known = refusals.entries
    refusals.entries = [:]
    var kept: [UInt32?: Int] = [:]
    var surplus: [JobID] = []
    for id in ids.sorted(by: >) {
      feedWatchdog()
      guard let entry = try known[id] ?? refusalEntry(id) else { continue }
      refusals.entries[id] = entry
      guard entry.isRefusal else { continue }
      kept[entry.user, default: 0] += 1
      if kept[entry.user, default: 0] > options.limits.refusedPerUser { surplus.append(id) }
    }
    return surplus.reversed()
  }

  private func refusalEntry(_ id: JobID) throws -> Refusals.Entry? {
    guard let status = try folders.knownStatus(of: id, .failed) else { return nil }
    return Refusals.Entry(status, names: try folders.files.names(in: folders.folder(of: id, .failed)))
  }
}
