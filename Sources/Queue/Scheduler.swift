import Foundation
import JobFolder

/// How many steps run at once, of all kinds and of each.
public struct StageSlots: Sendable, Equatable {
  /// Of all kinds together.
  public var total: Int
  /// Of one kind; a kind that is not listed has as many as there are in all.
  public var byStage: [String: Int]

  /// - Parameters:
  ///   - total: of all kinds together.
  ///   - byStage: of one kind.
  public init(total: Int = 1, byStage: [String: Int] = [:]) {
    self.total = total
    self.byStage = byStage
  }

  package func limit(_ stage: String) -> Int { min(total, byStage[stage] ?? total) }
}

/// Says whose turn it is.
///
/// Higher priorities go first. Among equals, jobs that were started before come before those that were not, then the users who
/// have the fewest steps at work and have used the least time lately, then the job that was accepted first. A job
/// whose stage has no free slot lets others pass; one that waits for another job, or for its next attempt, too.
package struct Scheduler: Sendable {
  /// A step at work.
  package struct Running: Sendable {
    package let stage: String
    package let user: UInt32
    package let priority: Int

    package init(stage: String, user: UInt32, priority: Int) {
      (self.stage, self.user, self.priority) = (stage, user, priority)
    }
  }

  /// The job whose turn it is, or how many seconds the first deferred one still waits (infinite where there is none).
  package struct Choice: Sendable {
    package var entry: QueueEntry?
    package var waitSeconds = Double.infinity
    /// The best job that only lacks a slot.
    package var blocked: QueueEntry?
  }

  package var slots: StageSlots
  /// The longest that a job is deferred.
  package var longestPauseSeconds: Double

  package init(slots: StageSlots, longestPauseSeconds: Double) {
    (self.slots, self.longestPauseSeconds) = (slots, longestPauseSeconds)
  }

  /// - Parameters:
  ///   - isReady: whether what a job waits for (`after`) has come about; asked only of jobs that wait for some.
  package func next(
    _ waiting: some Sequence<QueueEntry>, running: [Running], share: FairShare, now: Date,
    isReady: (QueueEntry) throws -> Bool = { _ in true }
  ) rethrows -> Choice {
    var choice = Choice()
    var counts: [String: Int] = [:]
    var users: [UInt32: Int] = [:]
    for step in running {
      counts[step.stage, default: 0] += 1
      users[step.user, default: 0] += 1
    }
    let isFull = running.count >= slots.total
    func isFree(_ entry: QueueEntry) -> Bool {
      guard let stage = entry.stage else { return !isFull }
      return !isFull && counts[stage, default: 0] < slots.limit(stage)
    }
    func precedes(_ a: QueueEntry, _ b: QueueEntry) -> Bool {
      if a.priority != b.priority { return a.priority > b.priority }
      if a.isStarted != b.isStarted { return a.isStarted }
      if a.user != b.user {
        let (left, right) = (users[a.user, default: 0], users[b.user, default: 0])
        if left != right { return left < right }
        let (leftUse, rightUse) = (share.use(of: a.user), share.use(of: b.user))
        if leftUse != rightUse { return leftUse < rightUse }
      }
      return (a.accepted, a.id) < (b.accepted, b.id)
    }
    for entry in waiting {
      if let time = entry.nextAttempt {
        let seconds = time.timeIntervalSince(now)
        // No pause is longer than the longest: the clock was set back, and the job is due.
        if seconds > 0, seconds <= longestPauseSeconds {
          choice.waitSeconds = min(choice.waitSeconds, seconds)
          continue
        }
      }
      if isFree(entry) {
        if choice.entry.map({ precedes(entry, $0) }) ?? true, try entry.after.isEmpty || isReady(entry) {
          choice.entry = entry
        }
      } else if choice.blocked.map({ precedes(entry, $0) }) ?? true, try entry.after.isEmpty || isReady(entry) {
        choice.blocked = entry
      }
    }
    return choice
  }
}

/// How much time users' steps have taken lately. What is long ago counts less: half after a day.
package struct FairShare: Sendable, Codable, Equatable {
  private static let halfLifeSeconds = 86_400.0

  private var seconds: [UInt32: Double] = [:]
  private var time = Date.distantPast

  package init() {}

  /// Seconds, as they count now.
  package func use(of user: UInt32) -> Double { seconds[user] ?? 0 }

  /// Adds what was used meanwhile, counted by another one of these.
  package mutating func add(_ other: FairShare, now: Date) {
    for (user, used) in other.seconds { add(used, to: user, now: now) }
  }

  /// Adds what a step took.
  package mutating func add(_ used: Double, to user: UInt32, now: Date) {
    let passed = now.timeIntervalSince(time)
    if passed < 0 { time = now }
    if passed > 0 {
      let factor = time == .distantPast ? 0 : exp2(-passed / Self.halfLifeSeconds)
      seconds = seconds.compactMapValues { $0 * factor > 0.01 ? $0 * factor : nil }
      time = now
    }
    seconds[user, default: 0] += used
  }
}
