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

  @Test("what is a reference is none of another job's name")
  func namedLikeReference() throws {
    let spool = spool()
    let first = try accept("digits", spool)
    _ = try accept(first.reference, spool)
    spool.drop("after: \(first.reference)\n" + text("waits"), as: "waits.yaml")
    try spool.acceptOnly()
    let waits = try #require(try spool.jobs(.queue).first { $0.name == "waits" })
    #expect(try spool.status(waits, .queue).after == [first.description])
  }

  @Test("has a job that begins again behind the others of its user")
  func beginsAgain() throws {
    let spool = spool()
    let job = try accept("late", spool)
    spool.executor.stage = { _, _ in nil }
    try spool.pass(1)
    spool.executor.end(job, .exited(65))
    spool.machine.freeBytes = 0
    try spool.pass(31)
    spool.ask(.retry, job)
    try spool.pass(31)
    let status = try spool.status(job, .queue)
    #expect(status.started == nil && !QueueEntry(job, status).isStarted)
  }

  @Test("puts a job aside whose status goes bad while it waits, and fails one whose job file does")
  func damagedWhileWaiting() throws {
    let spool = spool()
    let (one, other) = (try accept("one", spool), try accept("other", spool))
    spool.executor.stage = { _, _ in nil }
    try spool.pass(1)
    spool.executor.end(one, .exited(65))
    spool.machine.freeBytes = 0
    try spool.pass(31)
    spool.ask(.retry, one)
    try spool.pass(31)
    files.place("/spool/queue/\(one)/job.yaml", .file(Array("job: [\n".utf8)))
    files.place("/spool/queue/\(other)/status.json", .file(Array("{".utf8)))
    spool.machine.freeBytes = 1 << 40
    try spool.pass(120)
    #expect(try spool.jobs(.held) == [other] && spool.jobs(.failed) == [one], "\(spool.record.log)")
    #expect(try spool.status(one, .failed).reason?.contains("not YAML") == true)
  }

  @Test("A job whose owner is not known any more is nobody's")
  func unknownOwner() throws {
    let id = try #require(JobID("20261122T221500Z-digits-7f3a"))
    let status = JobStatus(job: "digits", id: id.description, state: .queue, accepted: Date())
    #expect(QueueEntry(id, status).user == QueueEntry.nobody)
  }

  @Test("What was left between incoming/ and queue/ is looked at again, however long a reading takes")
  func halfAccepted() throws {
    var queue = JobQueue(QueueRules(root: "/spool", bootID: "boot"))
    func at(_ seconds: Double) -> Moment { Moment(seconds: seconds, date: Date(timeIntervalSince1970: seconds)) }
    _ = queue.step(.taken(Intake(), of: nil), at: at(0))
    _ = queue.step(.surveyed(UserCounts(), .files(["a.yaml"])), at: at(0))
    var intake = Intake()
    intake.failures = [Failure(.ioError, "/spool/queue/.a", "cannot be written")]
    _ = queue.step(.taken(intake, of: ["a.yaml"]), at: at(0))
    // A round that begins before that is due, and ends behind it.
    _ = queue.step(.surveyed(UserCounts(), .files(["b.yaml"])), at: at(9.9))
    _ = queue.step(.taken(Intake(), of: ["b.yaml"]), at: at(10.1))
    var asked: [Action.Operation] = []
    for _ in 0..<50 { asked += queue.step(.turn, at: at(12)).map(\.operation) }
    #expect(asked.contains { if case .recoverAcceptances = $0 { true } else { false } }, "\(asked)")
  }

  @Test("Of finished jobs the oldest are removed, whatever their sizes, and the last one stays")
  func oldestFirst() throws {
    let ids = try (1...3).map { try #require(JobID("20261122T22150\($0)Z-digits-7f3a")) }
    func doomed(_ bytes: [Int]) -> [JobID] {
      var rules = QueueRules(root: "/spool", bootID: "boot")
      rules.retention[.done] = Retention()
      rules.retention[.done]?.bytes = 100
      var queue = JobQueue(rules)
      let jobs = zip(ids, bytes).enumerated().map { number, job in
        FinishedJob(id: job.0, finished: Date(timeIntervalSince1970: Double(number)), bytes: job.1)
      }
      let actions = queue.step(.finished(.done, jobs), at: Moment(seconds: 0, date: Date()))
      return actions.flatMap { if case .checkUse(let ids, .done) = $0.operation { ids } else { [JobID]() } }.sorted()
    }
    #expect(doomed([30, 50, 60]) == [ids[0], ids[1]])
    #expect(doomed([30, 50, 101]) == [ids[0], ids[1]])
    #expect(doomed([30, 50, 20]) == [] && doomed([31, 50, 20]) == [ids[0]])
  }

  @Test("Pauses double from the base to the longest")
  func pauses() {
    let policy = RetryPolicy()
    #expect((1...9).map { policy.pauseSeconds(afterAttempts: $0) } == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600])
    #expect(policy.pauseSeconds(afterAttempts: 1_000_000) == 3600)
    #expect(RetryPolicy(baseSeconds: 0).pauseSeconds(afterAttempts: 5) == 0)
  }
}
