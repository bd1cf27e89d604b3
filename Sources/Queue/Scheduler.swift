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
  func limit(_ stage: String?) -> Int { stage.map { limit($0) } ?? total }
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
    /// What runs it.
    package let executor: String

    package init(stage: String, user: UInt32, priority: Int, executor: String = ExecutorRule.local.name) {
      (self.stage, self.user, self.priority, self.executor) = (stage, user, priority, executor)
    }
  }

  /// What there is to start.
  package struct Choice: Sendable {
    /// The job whose turn it is.
    package var entry: QueueEntry?
    /// How many seconds the first deferred one still waits; infinite where there is none.
    package var waitSeconds = Double.infinity
    /// Of each kind of step the best job that only lacks a slot of this machine, the best of all first.
    package var blocked: [QueueEntry] = []
  }

  package var slots: StageSlots
  /// What runs the stages: those of others than this machine take none of its slots.
  package var executors: ExecutorRules
  /// The longest that a job is deferred.
  package var longestPauseSeconds: Double

  package init(slots: StageSlots, executors: ExecutorRules = ExecutorRules(), longestPauseSeconds: Double) {
    (self.slots, self.executors, self.longestPauseSeconds) = (slots, executors, longestPauseSeconds)
  }

  /// - Parameters:
  ///   - refusing: the executors that take nothing at present.
  ///   - isReady: whether what a job waits for (`after`) has come about; asked only of jobs that wait for some.
  package func next(
    _ waiting: some Sequence<QueueEntry>, running: [Running], share: FairShare, now: Date, refusing: Set<String> = [],
    isReady: (QueueEntry) throws -> Bool = { _ in true }
  ) rethrows -> Choice {
    var choice = Choice()
    var blocked: [String?: QueueEntry] = [:]
    var counts: [String: Int] = [:]
    var users: [UInt32: Int] = [:]
    var elsewhere: [String: Int] = [:]
    var slotless = 0
    for step in running {
      users[step.user, default: 0] += 1
      if executors.slotless.contains(step.stage) { slotless += 1 }
      if executors.rule(named: step.executor).jobs == nil {
        counts[step.stage, default: 0] += 1
      } else {
        elsewhere[step.executor, default: 0] += 1
      }
    }
    let isFull = running.count - slotless - elsewhere.values.reduce(0, +) >= slots.total
    func isFree(_ entry: QueueEntry) -> Bool {
      if let stage = entry.stage, executors.slotless.contains(stage) { return true }
      let executor = executors.rule(stage: entry.stage)
      if let jobs = executor.jobs {
        return elsewhere[executor.name, default: 0] < jobs && !refusing.contains(executor.name)
      }
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
      } else if executors.rule(stage: entry.stage).jobs == nil, slots.limit(entry.stage) > 0,
        blocked[entry.stage].map({ precedes(entry, $0) }) ?? true, try entry.after.isEmpty || isReady(entry)
      {
        blocked[entry.stage] = entry
      }
    }
    choice.blocked = blocked.values.sorted(by: precedes)
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
