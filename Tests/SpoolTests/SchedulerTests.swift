import Queue
import JobFolder
import Foundation
import Spool
import TestSupport
import Testing

@Suite("Whose turn it is")
struct SchedulerTests {
  private static let now = Date(timeIntervalSince1970: 1_800_000_000)

  private func job(
    _ number: Int, user: UInt32 = 1, priority: Int = 0, after: [JobID] = [], stage: String? = "sample",
    isStarted: Bool = false, nextAttempt: Date? = nil
  ) throws -> QueueEntry {
    let digits = String(number, radix: 16)
    let id = try #require(JobID("20261122T000000Z-job-" + String(repeating: "0", count: 4 - digits.count) + digits))
    return QueueEntry(
      id: id, user: user, priority: priority, after: after, stage: stage, isStarted: isStarted,
      accepted: Self.now - 1000 + Double(number), nextAttempt: nextAttempt)
  }

  private func next(
    _ jobs: [QueueEntry], slots: StageSlots = StageSlots(total: 4), running: [Scheduler.Running] = [],
    share: FairShare = FairShare(), isReady: (QueueEntry) -> Bool = { _ in true }
  ) -> Scheduler.Choice {
    Scheduler(slots: slots, longestPauseSeconds: 3600).next(
      jobs, running: running, share: share, now: Self.now, isReady: isReady)
  }

  @Test("goes by priority, then by what was started, then by time")
  func order() throws {
    let (old, new) = (try job(1), try job(2))
    #expect(next([new, old]).entry == old)
    let started = try job(3, isStarted: true)
    #expect(next([new, old, started]).entry == started)
    let urgent = try job(4, priority: 1)
    #expect(next([new, old, started, urgent]).entry == urgent)
    let late = try job(5, priority: -3)
    #expect(next([late, new]).entry == new)
    #expect(next([]).entry == nil && next([]).waitSeconds == .infinity)
  }

  @Test("a long distillation does not keep samples waiting where the kinds have slots of their own")
  func slots() throws {
    let slots = StageSlots(total: 2, byStage: ["distill": 1])
    let distilling = Scheduler.Running(stage: "distill", user: 1, priority: 0)
    let (distill, sample) = (try job(1, stage: "distill"), try job(2))
    let choice = next([distill, sample], slots: slots, running: [distilling])
    #expect(choice.entry == sample && choice.blocked == [distill])
    let sampling = Scheduler.Running(stage: "sample", user: 1, priority: 0)
    let full = next([distill, sample], slots: slots, running: [distilling, sampling])
    #expect(full.entry == nil && full.blocked == [distill, sample], "the best of each kind")
    let none = next([distill], slots: StageSlots(total: 2, byStage: ["distill": 0]))
    #expect(none.entry == nil && none.blocked.isEmpty, "a kind without slots is not run")
  }

  @Test("users take turns whoever submitted more")
  func fairness() throws {
    var waiting = try (0..<8).map { try job($0, user: 1) } + [try job(9, user: 2), try job(10, user: 2)]
    var running: [Scheduler.Running] = []
    var turns: [UInt32] = []
    for _ in 0..<4 {
      let entry = try #require(next(waiting, running: running).entry)
      turns.append(entry.user)
      waiting.removeAll { $0 == entry }
      running.append(Scheduler.Running(stage: "sample", user: entry.user, priority: 0))
    }
    #expect(turns == [1, 2, 1, 2])

    let both = [try job(1, user: 1), try job(2, user: 2)]
    var share = FairShare()
    share.add(600, to: 1, now: Self.now)
    #expect(next(both, share: share).entry?.user == 2)
    share.add(900, to: 2, now: Self.now)
    #expect(next(both, share: share).entry?.user == 1)
    share.add(1, to: 3, now: Self.now + 86_400)
    #expect(abs(share.use(of: 2) - 450) < 1e-6, "half is forgotten after a day")
    share.add(1, to: 3, now: Self.now)
    #expect(abs(share.use(of: 2) - 450) < 1e-6, "a clock that goes back brings nothing back")
  }

  @Test("what waits for other jobs, or for its time, lets others pass")
  func waiting() throws {
    let first = try job(1)
    let dependent = try job(2, priority: 5, after: [first.id])
    #expect(next([first, dependent], isReady: { _ in false }).entry == first)
    #expect(next([first, dependent], isReady: { _ in true }).entry == dependent)
    let deferred = try job(3, priority: 9, nextAttempt: Self.now + 25)
    let choice = next([deferred, first])
    #expect(choice.entry == first && choice.waitSeconds == 25)
    let distant = try job(4, nextAttempt: Self.now + 1e9)
    let faraway = next([distant])
    #expect(faraway.entry == distant, "a clock that was set back defers nothing for years")
    let due = try job(5, nextAttempt: Self.now - 1)
    #expect(next([due]).entry == due)
  }
}
