import Diagnostics
import Foundation
import JobFolder
import Queue
import Spool
import TestSupport
import Testing

/// What only a daemon with processes and a clock could show before: on folders in memory, with stages that a test ends.
@Suite("The daemon's core")
struct CoreTests {
  private let inputs: TemporaryFolder
  private let files = MemorySpool.emptySpool()

  init() throws { inputs = try MemorySpool.inputs() }

  /// A spool whose stages are at work until the test ends them.
  private func spool(
    boot: String = "boot", clock: MemorySpool.Clock = .init(), record: MemorySpool.Record = .init(),
    _ rules: (inout QueueRules) -> Void = { _ in }
  ) -> MemorySpool {
    let spool = MemorySpool(files, inputs: inputs.path, record: record, clock: clock, boot: boot, rules: rules)
    spool.executor.stage = { step, _ in step == "checksums" ? .exited(0) : nil }
    return spool
  }

  private func job(_ name: String, _ more: String = "", steps: [String] = ["convert: { source: teacher.pkl }"])
    -> String
  {
    "job: \(name)\n\(more)steps:\n" + steps.map { "  - \($0)\n" }.joined()
  }

  /// The name of the only stage at work.
  private func only(_ spool: MemorySpool) throws -> JobID {
    #expect(spool.executor.atWork.count == 1)
    return try #require(spool.executor.atWork.first)
  }

  // MARK: Slots

  @Test("starts as many steps as there are slots, of all kinds and of each")
  func slots() throws {
    let spool = spool { $0.slots = StageSlots(total: 3, byStage: ["convert": 2]) }
    for name in ["a", "b", "c", "d"] { spool.drop(job(name), as: "\(name).yaml") }
    let sample = job("z", steps: ["sample: { network: teacher.pkl, seeds: 0-9 }"])
    spool.drop(sample, as: "z.yaml")
    try spool.turn()
    #expect(spool.executor.atWork.map(\.name) == ["a", "b", "z"])
    spool.executor.end(spool.executor.atWork[0], .exited(0))
    try spool.turn()
    #expect(spool.executor.atWork.map(\.name) == ["b", "c", "z"], "\(spool.record.log)")
    #expect(try spool.jobs(.done).map(\.name) == ["a"])
  }

  @Test(
    "lets a job of higher priority pass at a checkpoint, one at a time and of the right kind, where that is laid down")
  func preemption() throws {
    for preempts in [false, true] {
      let spool = spool {
        $0.preempts = preempts
        $0.slots.total = 2
      }
      for name in ["a", "b"] { spool.drop(job(name), as: "\(name)\(preempts).yaml") }
      try spool.turn()
      spool.drop(job("urgent", "priority: 3\n"), as: "u.yaml")
      spool.drop(job("urgent", "priority: 2\n"), as: "v.yaml")
      try spool.pass(10)
      #expect(spool.executor.stops.map(\.isHard) == (preempts ? [false] : []), "\(spool.record.log)")
      guard preempts, let victim = spool.executor.stops.first?.job else {
        for id in spool.executor.atWork { spool.executor.end(id, .exited(65)) }
        try spool.turn()
        for id in spool.executor.atWork { spool.executor.end(id, .exited(65)) }
        try spool.turn()
        continue
      }
      #expect(victim.name == "b", "the one that came last gives way")
      spool.executor.end(victim, .exited(75))
      try spool.turn()
      #expect(spool.executor.atWork.map(\.name).sorted() == ["a", "urgent"])
      let status = try spool.status(victim, .queue)
      #expect(status.attempts == 0 && status.handle == nil && !status.isRunning, "it counts as no attempt")
    }
  }

  @Test("makes room for each kind, also where a better job of another kind finds none")
  func preemptionOfKinds() throws {
    let spool = spool {
      $0.preempts = true
      $0.slots = StageSlots(total: 3, byStage: ["convert": 1, "sample": 1])
    }
    let sample = "sample: { network: teacher.pkl, seeds: 0-9 }"
    spool.drop(job("first", "priority: 5\n"), as: "a.yaml")
    spool.drop(job("second", steps: [sample]), as: "b.yaml")
    try spool.turn()
    spool.drop(job("third", "priority: 5\n"), as: "c.yaml")
    spool.drop(job("fourth", "priority: 1\n", steps: [sample]), as: "d.yaml")
    try spool.pass(10)
    #expect(spool.executor.stops.map(\.job.name) == ["second"], "\(spool.record.log)")
  }

  @Test("between two steps a job lets one of higher priority pass, and goes on behind it")
  func between() throws {
    let spool = spool()
    spool.drop(job("long", steps: ["convert: { source: teacher.pkl }", "sample: { seeds: 0-9 }"]), as: "a.yaml")
    try spool.turn()
    let long = try only(spool)
    spool.drop(job("waits", "priority: 9\nafter: long\n"), as: "b.yaml")
    spool.drop(job("urgent", "priority: 1\n"), as: "c.yaml")
    try spool.pass(3)
    spool.executor.end(long, .exited(0))
    try spool.turn()
    #expect(try only(spool).name == "urgent", "what waits for it cannot pass it")
    #expect(
      try spool.status(long, .queue).finishedSteps == ["convert"] || spool.status(long, .queue).nextStage == "sample")
    spool.executor.end(try only(spool), .exited(0))
    try spool.turn()
    #expect(try only(spool) == long)
    spool.executor.end(long, .exited(0))
    try spool.turn()
    #expect(try spool.jobs(.done).map(\.name).contains("long") && only(spool).name == "waits")
    #expect(spool.record.starts["sample"] == 1)
  }

  // MARK: Time

  @Test("stops a step that has run for as long as it may over all its attempts, and kills one that does not stop")
  func timeout() throws {
    let spool = spool { $0.stepTimeoutSeconds = 500 }
    spool.drop(job("slow", steps: ["convert: { source: teacher.pkl, timeout: 100 s }"]), as: "a.yaml")
    try spool.pass(60)
    let id = try only(spool)
    spool.executor.end(id, .exited(75))
    try spool.pass(29)
    #expect(spool.executor.atWork.isEmpty)
    try spool.pass(40)
    #expect(spool.executor.stops.isEmpty && spool.executor.atWork == [id], "the pause does not count")
    try spool.pass(2)
    #expect(spool.executor.stops.map(\.isHard) == [false], "60 and 40 seconds are 100")
    try spool.pass(86)
    #expect(spool.executor.stops.count == 1)
    try spool.pass(15)
    #expect(spool.executor.stops.map(\.isHard) == [false, true, true, true], "every five seconds")
    spool.executor.end(id, .signaled(9))
    try spool.turn()
    #expect(
      try spool.status(id, .failed).reason == "step \"convert\": ran for longer than its timeout of 1 min 40 s")
  }

  @Test("writes progress once a second at most, and begins to count anew with it")
  func progress() throws {
    let spool = spool { $0.retry.mostAttempts = 2 }
    spool.drop(job("a"), as: "a.yaml")
    try spool.turn()
    let id = try only(spool)
    for attempt in 1...6 {
      spool.executor.report(id, done: Double(attempt))
      let before = files.operations
      try spool.turn()
      let written = files.operations
      // The first report is written at once.
      #expect(written > before)
      #expect(try spool.status(id, .active).done == Double(attempt))
      spool.executor.report(id, done: Double(attempt) + 0.5)
      try spool.turn()
      #expect(files.operations == written && spool.queue.waitSeconds(spool.clock.moment) <= 1)
      spool.executor.end(id, .exited(75))
      try spool.turn()
      #expect(try spool.status(id, .queue).attempts == 1, "attempt \(attempt)")
      try spool.pass(31)
    }
    #expect(spool.executor.atWork == [id], "it is never given up while it gets farther")
    spool.executor.end(id, .exited(75))
    try spool.turn()
    #expect(try spool.jobs(.failed) == [id])
  }

  // MARK: The end

  @Test("stops with the stages at their checkpoints, and the next daemon goes on with the same job")
  func stop() throws {
    let spool = spool { $0.slots.total = 2 }
    for name in ["a", "b", "c"] { spool.drop(job(name), as: "\(name).yaml") }
    try spool.turn()
    let atWork = spool.executor.atWork
    try spool.performer.tell(.stopAsked)
    #expect(spool.executor.stops.map(\.job) == atWork && !spool.queue.isAtRest)
    spool.executor.end(atWork[0], .exited(75))
    spool.executor.end(atWork[1], .exited(0))
    try spool.performer.hearStages()
    try spool.performer.turn()
    #expect(spool.queue.isAtRest && spool.executor.atWork.isEmpty, "no step is started any more")
    try spool.performer.tell(.leaving)
    #expect(try spool.jobs(.queue).count == 3 && spool.jobs(.active).isEmpty)
    #expect(try spool.status(atWork[0], .queue).attempts == 0)
    #expect(files.nodes["/spool/.usage.json"] != nil || spool.queue.share == FairShare())
    let next = MemorySpool(files, inputs: inputs.path, clock: spool.clock)
    try next.run()
    #expect(try next.jobs(.done).count == 3)
    #expect(next.record.starts["convert"] == 2, "what was done while it stopped is not done again")
  }

  // MARK: Orphans

  @Test("stops the processes that a daemon left before it runs their job again: politely, then hard")
  func orphans() throws {
    for isHard in [false, true] {
      let clock = MemorySpool.Clock()
      let first = spool(clock: clock)
      first.drop(job("a"), as: "a\(isHard).yaml")
      try first.turn()
      let id = try only(first)
      let second = spool(clock: clock) { $0.stopTimeoutSeconds = 20 }
      second.executor.leftovers[id] = (isHard: isHard, ends: true)
      try second.pass(10)
      #expect(second.executor.leftoverStops == [false], "told once")
      #expect(try second.jobs(.active) == [id])
      #expect(second.executor.atWork.isEmpty == isHard)
      try second.pass(15)
      #expect(second.executor.leftoverStops == (isHard ? [false, true] : [false]))
      #expect(second.executor.atWork == [id])
      #expect(second.record.log.contains("stopped processes [4711], left by a daemon that is gone"))
      let status = try second.status(id, .active)
      #expect(status.attempts == 1 && status.interruptions == 1, "the machine was up: a quarter of an attempt")
      second.executor.end(id, .exited(0))
      try second.turn()
      #expect(try second.jobs(.done).contains(id))
    }
  }

  @Test("takes a stage over that outlived the daemon, by its handle, and concludes what ended meanwhile")
  func reattachment() throws {
    let clock = MemorySpool.Clock()
    let record = MemorySpool.Record()
    let first = spool(clock: clock, record: record)
    first.executor.outlivesDaemon = true
    first.drop(job("a", steps: ["convert: { source: teacher.pkl }", "sample: { seeds: 0-9 }"]), as: "a.yaml")
    try first.pass(5)
    let id = try only(first)
    let handle = try #require(first.executor.handle(id))
    #expect(try first.status(id, .active).handle == handle.text)
    #expect(
      StageHandle(handle.text) == handle && handle.executor == "scripted" && handle.task.hasPrefix("\(id)/convert/"))
    let second = spool(clock: clock, record: record)
    second.executor.outlivesDaemon = true
    try second.turn()
    #expect(second.executor.atWork == [id] && record.starts["convert"] == 1, "it is not started again")
    #expect(try second.status(id, .active).attempts == 1)
    second.executor.report(id, done: 3)
    try second.pass(2)
    #expect(try second.status(id, .active).done == 3)
    second.executor.end(id, .exited(0))
    try second.turn()
    #expect(record.starts == ["convert": 1, "sample": 1] && record.publications["convert"] == 1)
    // The stage of another attempt does not stand for it.
    record.alive = [handle]
    let third = spool(clock: clock, record: record)
    try third.turn()
    #expect(record.starts["sample"] == 2 && record.starts["convert"] == 1)
  }

  @Test("waits with a step, its attempt counted once, while an earlier attempt's processes are in its folder")
  func heldFolder() throws {
    let spool = spool()
    spool.executor.stage = { _, _ in nil }
    spool.drop(job("a"), as: "a.yaml")
    try spool.acceptOnly()
    let id = try #require(try spool.jobs(.queue).first)
    spool.executor.leftovers[id] = (isHard: true, ends: true)
    try spool.pass(30)
    #expect(spool.executor.leftoverStops == [false] && spool.executor.atWork.isEmpty)
    #expect(try spool.status(id, .active).attempts == 1)
    // To be stopped meanwhile takes it back.
    try spool.performer.tell(.stopAsked)
    try spool.performer.turn()
    #expect(spool.queue.isAtRest)
    try spool.performer.tell(.leaving)
    #expect(try spool.status(id, .queue).attempts == 0)
    let next = self.spool(clock: spool.clock)
    next.executor.leftovers[id] = (isHard: true, ends: true)
    try next.pass(100)
    #expect(next.executor.leftoverStops == [false, true] && next.executor.atWork == [id])
  }

  @Test("a hold, or a cancel, of a job that waits for its folder, is at work, or is between two steps")
  func requestsAtWork() throws {
    for verb in [JobRequest.Verb.hold, .cancel] {
      for place in ["waiting", "working", "ending"] {
        let spool = spool()
        let name = "a-\(verb.rawValue)-\(place)"
        spool.drop(
          job(name, steps: ["convert: { source: teacher.pkl }", "sample: { seeds: 0-9 }"]), as: "a.yaml")
        try spool.acceptOnly()
        let id = try #require(try spool.jobs(.queue).first)
        if place == "waiting" { spool.executor.leftovers[id] = (isHard: true, ends: true) }
        try spool.pass(6)
        spool.ask(verb, id)
        try spool.pass(3)
        let request = "/spool/incoming/\(JobRequest(id, verb).fileName)"
        #expect(files.nodes[request] != nil, "it stays until the job has its place")
        if place == "waiting" {
          #expect(try spool.jobs(.active) == [id] && spool.executor.atWork.isEmpty, "somebody is at work in its folder")
          try spool.pass(100)
        }
        #expect(spool.executor.stops.map(\.isHard) == [false])
        spool.executor.end(id, place == "ending" ? .exited(0) : .exited(75))
        try spool.turn()
        let state = verb == .hold ? JobState.held : .failed
        #expect(
          try spool.jobs(state).contains(id) && files.nodes[request] == nil, "\(verb) \(place) \(spool.record.log)")
        let status = try spool.status(id, state)
        #expect(status.reason == (verb == .hold ? "held by anna" : "cancelled by anna"))
        #expect(status.handle == nil && !status.isRunning && spool.record.starts["sample"] == nil)
      }
    }
  }

  // MARK: Dependencies

  @Test("goes by what waits for what, also where that is far away, and holds what waits in vain")
  func dependencies() throws {
    let spool = spool()
    spool.drop(job("first"), as: "1.yaml")
    spool.drop(job("second", "after: first\npriority: 9\n"), as: "2.yaml")
    spool.drop(job("third", "after: [first, second]\npriority: 10\n"), as: "3.yaml")
    try spool.turn()
    #expect(try only(spool).name == "first")
    spool.executor.end(try only(spool), .exited(0))
    try spool.turn()
    #expect(try only(spool).name == "second")
    spool.executor.end(try only(spool), .exited(65))
    try spool.turn()
    #expect(spool.executor.atWork.isEmpty)
    let third = try #require(try spool.jobs(.held).first)
    #expect(try spool.status(third, .held).reason?.hasSuffix("which it waits for, has failed") == true)
    spool.ask(.release, third)
    try spool.turn()
    #expect(try only(spool) == third, "who releases it knows")
  }

  // MARK: Space and limits

  @Test("starts no step while the disk is too full, and goes on by itself")
  func space() throws {
    let spool = spool {
      $0.limits.freeSpace = 1000
      $0.limits.freeSpaceResume = 2000
    }
    spool.machine.freeBytes = 999
    spool.drop(job("a", steps: ["convert: { source: teacher.pkl }", "sample: { seeds: 0-9 }"]), as: "a.yaml")
    try spool.pass(20)
    #expect(spool.executor.atWork.isEmpty && spool.queue.isShortOfSpace)
    spool.machine.freeBytes = 1500
    try spool.pass(20)
    #expect(spool.executor.atWork.isEmpty, "not before there is more than that")
    // What cannot be seen changes nothing.
    spool.machine.freeBytes = nil
    try spool.pass(20)
    #expect(spool.executor.atWork.isEmpty && spool.queue.isShortOfSpace)
    spool.machine.freeBytes = 2000
    try spool.pass(5)
    let id = try only(spool)
    spool.machine.freeBytes = 0
    try spool.pass(31)
    #expect(spool.executor.atWork == [id] && spool.executor.stops.isEmpty, "what is at work goes on")
    spool.executor.end(id, .exited(0))
    try spool.turn()
    #expect(try spool.jobs(.queue) == [id] && spool.executor.atWork.isEmpty)
    #expect(spool.record.log.filter { $0.hasPrefix("only ") }.count == 2)
  }

  @Test("refuses what goes beyond the limits, also of a retry, and counts what is held")
  func limits() throws {
    let spool = spool {
      $0.limits.jobsPerUser = 2
      $0.limits.highestPriority = 5
      $0.slots.total = 0
    }
    for number in 1...4 { spool.drop(job("a"), as: "\(number).yaml") }
    try spool.turn()
    #expect(try spool.jobs(.queue).count == 2 && spool.jobs(.failed).count == 2)
    #expect(spool.queue.counters.accepted == 2 && spool.queue.counters.refused == 2)
    let id = try #require(try spool.jobs(.queue).first)
    spool.ask(.hold, id)
    try spool.turn()
    spool.drop(job("b"), as: "b.yaml")
    try spool.pass(3)
    #expect(try spool.jobs(.failed).count == 3, "what is held counts")
    spool.ask(.cancel, id)
    try spool.pass(3)
    spool.drop(job("c"), as: "c.yaml")
    try spool.pass(3)
    #expect(try spool.jobs(.queue).count == 2)
    spool.ask(.retry, id)
    try spool.pass(3)
    #expect(spool.record.log.last?.hasPrefix("retry refused: ") == true, "\(spool.record.log)")
    #expect(try spool.jobs(.failed).contains(id))
  }

  // MARK: Retention

  @Test("removes finished jobs by their age and their size, the oldest first, but what is read or waited for")
  func retention() throws {
    let spool = spool {
      $0.retention[.done] = Retention()
      $0.retention[.done]?.bytes = 250
      $0.retention[.failed] = Retention()
      $0.retention[.failed]?.days = 1
      $0.slots.total = 5
    }
    var ids: [JobID] = []
    for name in ["a", "b", "c", "d", "e"] {
      spool.drop(job(name), as: "\(name).yaml")
      try spool.turn()
      ids.append(try only(spool))
      spool.executor.end(ids[ids.count - 1], .exited(name == "e" ? 65 : 0))
      spool.machine.isInUse = { $0.contains("-b-") }
      spool.machine.bytesOfAJob = 0
      try spool.pass(20)
    }
    #expect(try spool.jobs(.done).count == 4)
    spool.machine.bytesOfAJob = 100
    try spool.pass(601)
    // c and d fit; b is being read and counts, a does not fit.
    #expect(try spool.jobs(.done).map(\.name) == ["b", "c", "d"], "\(spool.record.log)")
    spool.machine.isInUse = { _ in false }
    spool.drop(job("waits", "after: b\n"), as: "w.yaml")
    spool.machine.freeBytes = 0
    try spool.pass(601)
    #expect(try spool.jobs(.done).map(\.name) == ["b", "c", "d"], "one waits for b")
    spool.machine.freeBytes = 1 << 40
    try spool.pass(31)
    spool.executor.end(try only(spool), .exited(0))
    try spool.pass(700)
    #expect(try spool.jobs(.done).map(\.name) == ["d", "waits"])
    #expect(try spool.jobs(.failed).count == 1)
    try spool.pass(86_500)
    #expect(try spool.jobs(.failed).isEmpty && spool.jobs(.done).count == 2)
    spool.machine.bytesOfAJob = 1000
    try spool.pass(700)
    #expect(try spool.jobs(.done).map(\.name) == ["waits"], "the last one stays")
    spool.machine.bytesOfAJob = 100
    // A clock that has jumped says nothing about ages.
    spool.drop("job: x\n", as: "x.yaml")
    try spool.turn()
    spool.clock.moment.date += 400 * 86_400
    try spool.pass(601)
    #expect(try spool.jobs(.failed).count == 1)
  }

  @Test("keeps the latest refused files of each user, and no more")
  func refusedFiles() throws {
    let spool = spool { $0.limits.refusedPerUser = 2 }
    for name in ["a", "b", "c", "d"] {
      spool.drop("job: \(name)\n", as: "\(name).yaml")
      try spool.pass(2)
    }
    spool.drop(job("real"), as: "real.yaml")
    try spool.turn()
    spool.executor.end(try only(spool), .exited(65))
    try spool.pass(30)
    #expect(try spool.jobs(.failed).map(\.name) == ["c", "d", "real"])
    spool.machine.isInUse = { $0.contains("-c-") }
    spool.drop("job: e\n", as: "e.yaml")
    try spool.pass(60)
    #expect(try spool.jobs(.failed).map(\.name) == ["c", "d", "real", "e"], "what is read stays")
    spool.machine.isInUse = { _ in throw Failure(.ioError, "a file", "cannot open: as the test wants it") }
    try spool.pass(60)
    #expect(try spool.jobs(.failed).count == 4)
    #expect(spool.record.log.filter { $0.hasPrefix("refused files: ") }.count == 1, "told once")
    spool.machine.isInUse = { _ in false }
    try spool.pass(60)
    #expect(try spool.jobs(.failed).map(\.name) == ["d", "real", "e"])
  }

  // MARK: Spools of before

  @Test("goes on with a spool of the version before handles, whatever its jobs were at")
  func spoolOfBefore() throws {
    func place(_ name: String, _ state: JobState, _ change: (inout JobStatus) -> Void) throws {
      let id = "20261122T221500Z-\(name)-7f3a"
      let folder = "/spool/\(state.rawValue)/\(id)"
      files.place("/spool/\(state.rawValue)", .folder)
      files.place(folder, .folder)
      files.place(folder + "/job.yaml", .file(Array(job(name).utf8)))
      let text =
        #"{"accepted":"2026-11-22T22:15:00.123Z","attempts":0,"farthest":-1,"finished_steps":[],"id":"\#(id)","#
        + #""interruptions":0,"is_running":false,"job":"\#(name)","next_stage":"convert","records":true,"#
        + #""state":"\#(state.rawValue)","steps":["convert"],"uid":0,"user":"root"}"#
      var status = try JobStatus(json: Array(text.utf8))
      #expect(status.handle == nil)
      change(&status)
      let written = String(decoding: try status.json(), as: UTF8.self)
      #expect(!written.contains("handle"))
      files.place(folder + "/status.json", .file(Array(written.utf8)))
    }
    try place("waits", .queue) { _ in }
    try place("deferred", .queue) {
      ($0.step, $0.attempts, $0.reason, $0.started) = ("convert", 2, "why", $0.accepted)
      $0.nextAttempt = Date(timeIntervalSince1970: 1_800_000_000 + 100)
    }
    try place("ran", .active) {
      ($0.step, $0.attempts, $0.isRunning, $0.boot, $0.started) = ("convert", 1, true, "boot", $0.accepted)
    }
    try place("cut", .active) { ($0.state, $0.reason, $0.finished) = (.failed, "why", $0.accepted) }
    try place("aside", .held) { $0.reason = "held by anna" }
    try place("bad", .failed) { ($0.reason, $0.finished) = ("why", $0.accepted) }
    let spool = MemorySpool(files, inputs: inputs.path)
    try spool.run()
    #expect(try spool.jobs(.done).map(\.name) == ["deferred", "ran", "waits"], "\(spool.record.log)")
    #expect(try spool.jobs(.failed).map(\.name) == ["bad", "cut"] && spool.jobs(.held).map(\.name) == ["aside"])
    #expect(spool.record.starts["convert"] == 3)
    for id in try spool.jobs(.held) + spool.jobs(.failed) { spool.ask(id.name == "aside" ? .release : .retry, id) }
    try spool.run()
    #expect(try spool.jobs(.done).count == 6)
  }

  // MARK: Idle

  @Test("wakes up every 30 s where nothing happens, and asks little then")
  func idle() throws {
    let spool = spool()
    for number in 0..<20 { spool.drop(job("a"), as: "\(number).yaml") }
    try spool.run { _, _ in .exited(65) }
    let (before, calls, rounds) = (files.operations, files.calls, spool.queue.rounds)
    try spool.pass(3000)
    #expect(spool.queue.rounds - rounds == 100)
    #expect(files.operations == before, "nothing is written")
    #expect(files.calls - calls <= 100 * 6)
  }
}
