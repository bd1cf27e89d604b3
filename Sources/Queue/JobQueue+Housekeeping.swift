import Diagnostics
import Foundation
import JobFolder

/// When what keeps a spool in order is due again, and what is known of it.
struct HouseState: Sendable {
  static let shareSeconds = 10.0
  static let refusalSeconds = 10.0
  static let shortPauseSeconds = 1.0

  /// When `queue/` was read; nil where the disk has refused something since, or it never was.
  var queueRead: Double?
  /// When the daemon began.
  var start = Moment(seconds: 0, date: .distantPast)

  /// When finished jobs are looked through.
  struct RetentionClock: Sendable {
    static let intervalSeconds = 600.0
    /// Whether a job has ended since, or the last look came to nothing.
    var isDue = true
    var last: Double?

    /// Whether it is time; a finished job is a reason, but not every second.
    mutating func take(_ now: Moment) -> Bool {
      let passed = last.map { now.seconds - $0 } ?? .infinity
      guard passed >= Self.intervalSeconds || (isDue && passed >= 10) else { return false }
      (isDue, last) = (false, now.seconds)
      return true
    }
  }
  var retention = RetentionClock()
  /// The finished jobs of a state, the most recent first, and which of them are known to be in use or not.
  struct RetentionWork: Sendable {
    let jobs: [FinishedJob]
    var isInUse: [JobID: Bool] = [:]
  }
  var retentionWork: [JobState: RetentionWork] = [:]

  /// The refused files in `failed/`.
  struct RefusalState: Sendable {
    /// It does not change, and to read every status each time would take long.
    var known: [JobID: RefusedFile] = [:]
    /// Whether files were refused since the last look; at first those of an earlier daemon.
    var hasNews = true
    var next = 0.0
    /// How many were to be removed.
    var surplus = 0
  }
  var refusals = RefusalState()

  /// Whether what users have used before could not be read yet.
  var isShareUnread = true
  /// What of it the disk has, and since when.
  var shareKept = FairShare()
  var shareTime = 0.0

  mutating func begin(_ now: Moment) { (start, shareTime) = (now, now.seconds) }
}

/// Space, and what users have used.
extension JobQueue {
  /// What is free on the spool's disk is known.
  mutating func measured(_ freeBytes: Int?) -> [Action] {
    guard let freeBytes else { return [] }
    let text = { (bytes: Int) in bytes.formatted(.byteCount(style: .binary)) }
    if !isShortOfSpace, freeBytes < rules.limits.freeSpace {
      isShortOfSpace = true
      round.wait(5)
      return [
        log(
          "only \(text(freeBytes)) are free on the spool's disk; no step starts before "
            + "\(text(rules.limits.freeSpaceResume)) are", .warning)
      ]
    }
    if isShortOfSpace, freeBytes >= rules.limits.freeSpaceResume {
      isShortOfSpace = false
      return [log("\(text(freeBytes)) are free on the spool's disk; steps start again", .notice)]
    }
    return []
  }

  // MARK: Usage

  /// Keeps what users have used over a restart, now and then; losing it costs no more than a fair turn.
  mutating func keepUsage(_ now: Moment) -> [Action] {
    let due = HouseState.shareSeconds - (now.seconds - house.shareTime)
    let actions = due <= 0 ? saveUsage(now) : []
    if share != house.shareKept || house.isShareUnread { round.wait(max(1, due)) }
    return actions
  }

  func saveUsage(_ now: Moment) -> [Action] {
    // What is there would be lost.
    if house.isShareUnread { return [Action(.usage, .readUsage)] }
    guard share != house.shareKept else { return [] }
    return [Action(.usage, .writeUsage(share)), Action(.usage, .reached(.usageKept(share)))]
  }

  /// What they had used before is known.
  /// - Parameter before: nil where what stands there is none.
  mutating func usage(_ before: FairShare?, _ now: Moment) -> [Action] {
    let told =
      before == nil ? [log("\(usageFile): is damaged; what users have used counts from now on", .warning)] : []
    var sum = before ?? FairShare()
    // What was used until it could be read.
    sum.add(share, now: now.date)
    share = sum
    house.isShareUnread = false
    (house.shareKept, house.shareTime) = (share, now.seconds)
    troubles.isOver(usageFile)
    return told
  }
}
