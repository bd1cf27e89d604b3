import Diagnostics
import Foundation
import JobFolder
import Queue
import Spool
import TestSupport
import Testing

@Suite("The queue")
struct QueueTests {
  private let inputs: TemporaryFolder
  private let files = MemorySpool.emptySpool()

  init() throws { inputs = try MemorySpool.inputs() }

  private func spool(_ rules: (inout QueueRules) -> Void = { _ in }) -> MemorySpool {
    MemorySpool(files, inputs: inputs.path, rules: rules)
  }

  private func text(_ name: String) -> String { "job: \(name)\nsteps:\n  - convert: { source: teacher.pkl }\n" }

  /// Has a job accepted, and none started.
  private func accept(_ name: String, _ spool: MemorySpool, file: String? = nil) throws -> JobID {
    let before = Set((try? spool.jobs(.queue)) ?? [])
    spool.drop(text(name), as: "\(file ?? name).yaml")
    try spool.acceptOnly()
    return try #require(try spool.jobs(.queue).first { !before.contains($0) })
  }

  @Test("is worked on in the order in which jobs came, also within one second")
  func order() throws {
    let spool = spool()
    let first = try accept("zebra", spool)
    spool.clock.pass(0.1)
    let second = try accept("ant", spool)
    #expect(first.stamp == second.stamp)
    spool.executor.stage = { _, _ in nil }
    try spool.pass(5)
    #expect(try spool.jobs(.active) == [first])
    spool.executor.end(first, .exited(65))
    try spool.pass(1)
    #expect(try spool.jobs(.active) == [second])
  }

  @Test("has a job that was started before those that were not")
  func head() throws {
    let spool = spool()
    spool.executor.stage = { _, _ in nil }
    spool.drop(text("second"), as: "second.yaml")
    try spool.pass(1)
    let second = try #require(try spool.jobs(.active).first)
    try spool.stop()
    #expect(try spool.status(second, .queue).attempts == 0, "being stopped is no attempt")
    // Accepted, by its clock, before the other one.
    spool.clock.moment.date -= 100
    let next = MemorySpool(files, inputs: inputs.path, clock: spool.clock)
    let first = try accept("first", next)
    #expect(first < second)
    next.executor.stage = { _, _ in nil }
    try next.pass(6)
    #expect(try next.jobs(.active) == [second])
  }

  @Test("defers a job, lets others pass, and doubles the pause each time until the job is given up")
  func deferral() throws {
    let spool = spool()
    let job = try accept("late", spool)
    spool.executor.stage = { _, _ in nil }
    try spool.pass(6)
    for pause in [30.0, 60, 120, 240] {
      spool.executor.end(job, .signaled(9))
      try spool.turn()
      let status = try spool.status(job, .queue)
      #expect(status.reason == "step \"convert\": killed by signal 9; see log/convert.log")
      let due = try #require(status.nextAttempt?.timeIntervalSince(spool.clock.moment.date))
      #expect(abs(due - pause) < 0.1)
      #expect(spool.queue.atWork.isEmpty)
      spool.drop(text("other"), as: "other.yaml")
      try spool.turn()
      let other = try #require(spool.executor.atWork.first)
      #expect(other.name == "other", "others pass")
      spool.executor.end(other, .exited(65))
      try spool.pass(pause - 1)
      #expect(spool.queue.atWork.isEmpty, "not before its time")
      try spool.pass(2)
      #expect(spool.executor.atWork == [job])
    }
    spool.executor.end(job, .exited(74))
    try spool.turn()
    #expect(
      try spool.status(job, .failed).reason == "step \"convert\": sid-x: it is so (given up after 5 attempts)")
  }

  @Test("does not defer a job for ever when the clock is set back")
  func clockSetBack() throws {
    let spool = spool()
    let job = try accept("late", spool)
    spool.executor.stage = { _, _ in nil }
    try spool.pass(6)
    spool.executor.end(job, .exited(75))
    try spool.pass(5)
    #expect(spool.queue.atWork.isEmpty)
    spool.clock.moment.date -= 365 * 86400
    try spool.pass(31)
    #expect(spool.executor.atWork == [job])
  }

  @Test("gives a job the digits that its file names, and others where they are taken")
  func references() throws {
    let spool = spool()
    #expect(try accept("job", spool, file: "job-7f3a").suffix == "7f3a")
    #expect(try accept("job", spool, file: "job-7f3a").suffix != "7f3a")
    #expect(try accept("job", spool, file: "other-7f3a").name == "job")
  }

  @Test("Pauses double from the base to the longest")
  func pauses() {
    let policy = RetryPolicy()
    #expect((1...9).map { policy.pauseSeconds(afterAttempts: $0) } == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600])
    #expect(policy.pauseSeconds(afterAttempts: 1_000_000) == 3600)
    #expect(RetryPolicy(baseSeconds: 0).pauseSeconds(afterAttempts: 5) == 0)
  }
}
