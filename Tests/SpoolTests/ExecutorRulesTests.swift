import Diagnostics
import Foundation
import JobFolder
import Queue
import Spool
import TestSupport
import Testing

/// Two executors in one spool: `scripted`, whose stages take the machine's slots and end with the daemon, and `elsewhere`, whose
/// stages do neither.
@Suite("Where steps run")
struct ExecutorRulesTests {
  private let inputs: TemporaryFolder
  private let files = MemoryFileSystem()

  init() throws {
    inputs = try TemporaryFolder()
    try Data("x".utf8).write(to: URL(fileURLWithPath: inputs.file("teacher.pkl")))
    for folder in ["/spool", "/spool/incoming"] { files.place(folder, .folder) }
  }

  private func spool(
    clock: MemorySpool.Clock = .init(), record: MemorySpool.Record = .init(), jobs: Int = 2,
    isConfigured: Bool = true, _ rules: (inout QueueRules) -> Void = { _ in }
  ) -> MemorySpool {
    let spool = MemorySpool(files, inputs: inputs.path, record: record, clock: clock) {
      if isConfigured {
        $0.executors.run(["sample"], on: ExecutorRule("elsewhere", jobs: jobs, outlivesDaemon: true))
        $0.executors.slotless = ["checksums"]
      }
      rules(&$0)
    }
    for executor in [spool.executor, spool.elsewhere] {
      executor.stage = { step, _ in step == "checksums" ? .exited(0) : nil }
    }
    return spool
  }

  private func sample(_ name: String, _ more: String = "") -> String {
    "job: \(name)\n\(more)steps:\n  - sample: { network: teacher.pkl, seeds: 0-9 }\n"
  }

  private func convert(_ name: String, _ more: String = "") -> String {
    "job: \(name)\n\(more)steps:\n  - convert: { source: teacher.pkl }\n"
  }

  @Test("is a matter of their kind; elsewhere they take no slot of this machine and have a bound of their own")
  func slots() throws {
    let spool = spool()
    for name in ["a", "b", "c"] { spool.drop(sample(name), as: "\(name).yaml") }
    for name in ["d", "e"] { spool.drop(convert(name), as: "\(name).yaml") }
    try spool.turn()
    #expect(spool.elsewhere.atWork.map(\.name) == ["a", "b"])
    #expect(spool.executor.atWork.map(\.name) == ["d"], "one slot, and not taken by the two")
    let id = spool.elsewhere.atWork[0]
    #expect(spool.elsewhere.handle(id)?.executor == "elsewhere")
    #expect(try spool.status(id, .active).handle?.hasPrefix("elsewhere \(id)/sample/") == true)
    spool.elsewhere.end(id, .exited(0))
    try spool.turn()
    #expect(spool.elsewhere.atWork.map(\.name) == ["b", "c"])
    #expect(try spool.jobs(.done).map(\.name) == ["a"], "its checksums wait for no slot")
  }

  @Test("elsewhere they give way to nothing here")
  func preemption() throws {
    let spool = spool { $0.preempts = true }
    spool.drop(sample("a"), as: "a.yaml")
    spool.drop(convert("b"), as: "b.yaml")
    try spool.turn()
    spool.drop(convert("urgent", "priority: 5\n"), as: "u.yaml")
    for name in ["c", "d"] { spool.drop(sample(name, "priority: 9\n"), as: "\(name).yaml") }
    try spool.turn()
    #expect(spool.executor.stops.map(\.job.name) == ["b"], "\(spool.record.log)")
    #expect(spool.elsewhere.stops.isEmpty && spool.elsewhere.atWork.map(\.name) == ["a", "c"])
  }

  @Test("elsewhere they go on when the daemon is stopped, and the next one takes them over, whatever its rules say")
  func daemonThatIsStopped() throws {
    let (record, clock) = (MemorySpool.Record(), MemorySpool.Clock())
    let first = spool(clock: clock, record: record) { $0.slots.total = 2 }
    first.drop(sample("a"), as: "a.yaml")
    first.drop(convert("b"), as: "b.yaml")
    try first.turn()
    let (away, here) = (try #require(first.elsewhere.atWork.first), try #require(first.executor.atWork.first))
    try first.performer.tell(.stopAsked)
    #expect(first.executor.stops.map(\.job) == [here] && first.elsewhere.stops.isEmpty)
    first.executor.end(here, .exited(75))
    try first.performer.hearStages()
    #expect(first.queue.isAtRest)
    try first.performer.tell(.leaving)
    #expect(try first.jobs(.active) == [away] && first.status(away, .active).isRunning)

    let second = spool(clock: clock, record: record, isConfigured: false) { $0.slots.total = 1 }
    try second.turn()
    #expect(second.elsewhere.atWork == [away] && record.starts["sample"] == 1)
    #expect(second.executor.atWork == [here], "what was taken over takes no slot here")
    second.executor.end(here, .exited(0))
    second.elsewhere.end(away, .exited(0))
    try second.run { _, _ in .exited(0) }
    #expect(try second.jobs(.done).count == 2)
    #expect(record.publications["sample"] == 1)
  }

  @Test("a job whose stage is with somebody who cannot be asked waits where it stands")
  func silence() throws {
    let (record, clock) = (MemorySpool.Record(), MemorySpool.Clock())
    let first = spool(clock: clock, record: record)
    first.drop(sample("a"), as: "a.yaml")
    try first.turn()
    let id = try #require(first.elsewhere.atWork.first)
    let second = spool(clock: clock, record: record)
    second.elsewhere.isSilent = true
    try second.pass(60)
    #expect(try second.jobs(.active) == [id] && record.starts["sample"] == 1)
    #expect(record.log.filter { $0.contains("cannot be asked; looking at it again") }.count == 1, "told once")
    second.elsewhere.isSilent = false
    try second.pass(11)
    #expect(second.elsewhere.atWork == [id] && record.starts["sample"] == 1)

    // A version that does not know of it at all.
    var status = try second.status(id, .active)
    status.handle = "nowhere \(id)/sample/1"
    try second.folders.write(status, of: id, .active)
    let third = spool(clock: clock, record: record)
    try third.pass(30)
    #expect(try third.jobs(.active) == [id] && record.starts["sample"] == 1)
  }

  @Test("one that cannot say what has happened ends nothing, and is told of once")
  func newsFail() throws {
    let spool = spool()
    spool.drop(sample("a"), as: "a.yaml")
    spool.drop(convert("b"), as: "b.yaml")
    try spool.turn()
    spool.elsewhere.isSilent = true
    for id in spool.executor.atWork { spool.executor.end(id, .exited(0)) }
    try spool.pass(60)
    #expect(try spool.jobs(.done).map(\.name) == ["b"])
    #expect(spool.record.log.filter { $0.contains("stages of elsewhere") }.count == 1)
    #expect(spool.elsewhere.atWork.map(\.name) == ["a"])
  }

  @Test("another boot of this machine is no attempt of a step that was not on it")
  func boots() throws {
    let (record, clock) = (MemorySpool.Record(), MemorySpool.Clock())
    let first = spool(clock: clock, record: record)
    first.drop(sample("a"), as: "a.yaml")
    try first.turn()
    record.alive = []
    let second = spool(clock: clock, record: record) { $0.bootID = "another" }
    second.elsewhere.refusal = Failure(.temporaryFailure, "sbatch", "not now")
    try second.turn()
    let status = try second.status(second.jobs(.queue)[0], .queue)
    #expect(status.attempts == 0 && status.interruptions == 1)
  }

  @Test("what takes nothing at present costs no attempt, and holds up nothing else")
  func refusal() throws {
    let spool = spool { $0.retry = RetryPolicy(baseSeconds: 30, mostAttempts: 2) }
    spool.elsewhere.refusal = Failure(.temporaryFailure, "sbatch", "the queue is full")
    for name in ["a", "b"] { spool.drop(sample(name), as: "\(name).yaml") }
    spool.drop(convert("c"), as: "c.yaml")
    try spool.pass(400)
    #expect(try spool.jobs(.queue).map(\.name) == ["a", "b"])
    #expect(spool.executor.atWork.map(\.name) == ["c"])
    #expect(spool.record.log.filter { $0.contains("the queue is full") }.count == 1)
    let waiting = try spool.status(spool.jobs(.queue)[0], .queue)
    #expect(waiting.attempts == 0 && waiting.reason?.contains("the queue is full") == true)
    spool.elsewhere.refusal = nil
    try spool.pass(31)
    #expect(spool.elsewhere.atWork.map(\.name) == ["a", "b"])
  }

  @Test("the time that a step waits for its turn is none of its timeout")
  func timeout() throws {
    let spool = spool { $0.stepTimeoutSeconds = 100 }
    spool.drop(sample("a"), as: "a.yaml")
    try spool.turn()
    let id = try #require(spool.elsewhere.atWork.first)
    spool.elsewhere.tell(id, .waits)
    try spool.pass(500)
    #expect(spool.elsewhere.stops.isEmpty)
    spool.elsewhere.tell(id, .begins)
    try spool.pass(60)
    spool.elsewhere.tell(id, .waits)
    try spool.pass(500)
    spool.elsewhere.tell(id, .begins)
    try spool.pass(39)
    #expect(spool.elsewhere.stops.isEmpty)
    try spool.pass(2)
    #expect(spool.elsewhere.stops.map(\.isHard) == [false])
  }

  @Test("what a step asks of Slurm is for the administrator to allow, by its key")
  func placement() throws {
    let text =
      "job: a\nsteps:\n  - sample: { network: teacher.pkl, seeds: 0-9,\n      slurm: { time: 1-12:00:00, cpus: 4 } }\n"
    let spool = spool()
    spool.drop(text, as: "a.yaml")
    try spool.turn()
    let status = try spool.status(spool.jobs(.failed)[0], .failed)
    #expect(status.line == 4 && status.key == "cpus", "\(status)")
    let job = try JobFile(Array(text.utf8))
    #expect(job.steps[0].slurm?.timeSeconds == 129_600 && job.steps[0].slurm?.cpus == 4)
    try job.checkPlacement(allowing: ["time", "cpus"])
    #expect(throws: (any Error).self) { try job.checkPlacement(allowing: ["time"]) }
  }

  @Test("what whoever ran a step says of its end is the reason")
  func lost() throws {
    let spool = spool()
    spool.drop(sample("a"), as: "a.yaml")
    try spool.turn()
    let id = try #require(spool.elsewhere.atWork.first)
    spool.elsewhere.end(id, .ended("Slurm's job 7: NODE_FAIL"))
    try spool.turn()
    let status = try spool.status(id, .queue)
    #expect(status.attempts == 1 && status.nextAttempt != nil)
    #expect(status.reason == #"step "sample": Slurm's job 7: NODE_FAIL; see log/sample.log"#)
  }
}
