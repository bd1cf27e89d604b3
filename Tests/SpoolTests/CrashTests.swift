import Foundation
import JobFolder
import Queue
import Spool
import TestSupport
import Testing

@Suite("A crash after any operation on the disk")
struct CrashTests {
  private let inputs: TemporaryFolder
  private let job =
    "job: two\nsteps:\n  - convert: { source: teacher.pkl }\n  - sample: { seeds: 0-9 }\n"

  /// With a step whose output is no HDF5 file.
  private var reportedJob: String { job + "  - report: {}\n" }

  init() throws { inputs = try MemorySpool.inputs() }

  private func spool(_ texts: [String: String]) -> MemoryFileSystem {
    let files = MemorySpool.emptySpool()
    for (name, text) in texts { files.place("/spool/incoming/\(name).yaml", .file(Array(text.utf8))) }
    return files
  }

  private func spool(_ text: String) -> MemoryFileSystem { spool(["two": text]) }

  /// Runs with a crash after each operation in turn and with either memory, and hands what is left at the end to `check`.
  /// - Parameters:
  ///   - least: how many points there are at least, for each memory.
  ///   - course: how a daemon runs, from its beginning to its end; the second one, after the crash, too.
  private func crashEverywhere(
    _ make: () -> MemoryFileSystem, boots: [String] = ["boot", "boot"], points least: Int,
    memories: [MemoryFileSystem.Memory] = MemoryFileSystem.Memory.allCases,
    rules: (inout QueueRules) -> Void = { _ in }, course: (MemorySpool) throws -> Void,
    check: (MemoryFileSystem, MemorySpool.Record, Comment) throws -> Void
  ) throws {
    for memory in memories {
      var k = 0
      var hasEnded = false
      while !hasEnded {
        let record = MemorySpool.Record()
        let clock = MemorySpool.Clock()
        var files = make()
        files.crashesAfter = k
        do {
          try course(
            MemorySpool(files, inputs: inputs.path, record: record, clock: clock, boot: boots[0], rules: rules))
          hasEnded = true
        } catch is MemoryFileSystem.Crash {
          files = files.restarted(memory)
          try course(
            MemorySpool(files, inputs: inputs.path, record: record, clock: clock, boot: boots[1], rules: rules))
        }
        try check(files, record, "crash after operation \(k), keeping \(memory)")
        k += 1
      }
      Points.tried("crash", k)
      #expect(k >= least, "the run has as many operations as it should")
    }
  }

  /// The one job's folder; everything else must be gone.
  private func onlyJob(_ files: MemoryFileSystem, in state: JobState, _ comment: Comment) throws -> String {
    #expect(try files.names(in: "/spool/incoming").isEmpty, comment)
    for other in JobState.allCases where other != state {
      #expect(try files.names(in: "/spool/\(other.rawValue)").isEmpty, comment)
    }
    let names = try files.names(in: "/spool/\(state.rawValue)")
    #expect(names.count == 1, comment)
    let folder = "/spool/\(state.rawValue)/\(try #require(names.first, comment))"
    let status = try JobStatus(json: files.read(folder + "/status.json", limitBytes: 10_000))
    #expect(status.state == state && !status.isRunning && status.handle == nil, comment)
    #expect(status.finished != nil || !state.isFinal, comment)
    return folder
  }

  @Test("loses no job, duplicates none and repeats no stage whose output was published")
  func successfulJob() throws {
    try crashEverywhere({ spool(reportedJob) }, points: 60, course: { try $0.run() }) {
      (files, record, comment) throws in
      let folder = try onlyJob(files, in: .done, comment)
      #expect(try files.read(folder + "/job.yaml", limitBytes: 10_000) == Array(reportedJob.utf8), comment)
      let summary = try JSONSerialization.jsonObject(
        with: Data(files.read(folder + "/summary.json", limitBytes: 10_000)))
      let figures = try #require(summary as? [String: Any])
      #expect(figures["convert"] as? Int == 1 && figures["sample"] as? Int == 1, comment)
      for step in ["convert", "sample"] {
        #expect((record.publications[step] ?? 0) <= 1, comment)
        #expect((1...2).contains(record.starts[step] ?? 0), comment)
      }
      #expect(record.starts.values.reduce(0, +) <= 5, comment)
    }
  }

  @Test("and a second one after any operation of the recovery")
  func crashOfTheRecovery() throws {
    let whole = spool(reportedJob)
    try MemorySpool(whole, inputs: inputs.path).run()
    let operationsOfARun = whole.operations
    #expect(operationsOfARun >= 60)
    var points = 0
    for memory in MemoryFileSystem.Memory.allCases {
      for first in 0..<operationsOfARun {
        // The recovery may have more operations than a run: until it has none left to crash at.
        var second = 0
        var hasCrashed = true
        while hasCrashed {
          let record = MemorySpool.Record()
          var files = spool(reportedJob)
          var crashes = 0
          for crash in [first, second, nil] {
            files.crashesAfter = crash
            do {
              try MemorySpool(files, inputs: inputs.path, record: record).run()
              break
            } catch is MemoryFileSystem.Crash {
              crashes += 1
              files = files.restarted(memory)
            }
          }
          let comment: Comment = "crashes after operations \(first) and \(second), keeping \(memory)"
          _ = try onlyJob(files, in: .done, comment)
          #expect(record.publications.values.allSatisfy { $0 == 1 }, comment)
          hasCrashed = crashes == 2
          points += 1
          second += 1
        }
      }
    }
    Points.tried("second crash", points)
    #expect(points >= 6000)
  }

  @Test("leaves a malformed job in failed/ with its reason")
  func malformedJob() throws {
    let text = "job: two\nsteps:\n  - convert: { sauce: teacher.pkl }\n"
    try crashEverywhere({ spool(text) }, points: 20, course: { try $0.run() }) {
      (files, record, comment) throws in
      let folder = try onlyJob(files, in: .failed, comment)
      let status = try JobStatus(json: files.read(folder + "/status.json", limitBytes: 10_000))
      #expect(status.line == 3 && status.key == "sauce" && status.state == .failed, comment)
      #expect(record.starts.isEmpty, comment)
    }
  }

  @Test("does not forget how often a step was tried, nor try one again that has failed")
  func failingJob() throws {
    try crashEverywhere(
      { spool(job) }, points: 40, course: { try $0.run { $1 == 1 ? .exited(75) : .exited(65) } }
    ) { (files, record, comment) throws in
      let folder = try onlyJob(files, in: .failed, comment)
      let status = try JobStatus(json: files.read(folder + "/status.json", limitBytes: 10_000))
      #expect(status.reason == #"step "convert": sid-x: it is so"#, comment)
      #expect((2...3).contains(record.starts["convert"] ?? 0), comment)
      #expect(record.starts["sample"] == nil, comment)
    }
  }

  @Test("which a stage causes each time is not repeated for ever")
  func stageThatTakesTheMachineDown() throws {
    let record = MemorySpool.Record()
    var files = spool(job)
    for boot in 1...20 {
      let daemon = MemorySpool(files, inputs: inputs.path, record: record, boot: "boot \(boot)")
      do {
        try daemon.run { [files] _, _ in
          files.crashesAfter = files.operations
          return .exited(0)
        }
        break
      } catch is MemoryFileSystem.Crash {
        files = files.restarted(.flushed)
      }
    }
    #expect(record.starts["convert"] == 5)
    _ = try onlyJob(files, in: .failed, "after five attempts")
  }

  @Test("of the daemon alone counts a quarter of an attempt")
  func daemonThatDies() throws {
    let record = MemorySpool.Record()
    var files = spool(job)
    for _ in 1...45 {
      do {
        try MemorySpool(files, inputs: inputs.path, record: record).run { [files] _, start in
          if start <= 12 { files.crashesAfter = files.operations }
          return .exited(0)
        }
        break
      } catch is MemoryFileSystem.Crash {
        files = files.restarted(.everything)
      }
    }
    _ = try onlyJob(files, in: .done, "after twelve deaths of the daemon in each step")
    #expect(record.starts["convert"] == 13)
  }

  @Test("of the daemon alone does not begin a stage anew that goes on without it: its handle is there before it starts")
  func stagesThatOutliveTheDaemon() throws {
    try crashEverywhere(
      { spool(reportedJob) }, points: 80, memories: [.everything],
      course: { spool in
        spool.executor.outlivesDaemon = true
        // At work for a while, in which reports are written, before and after the crash.
        try spool.run { step, _ in
          let looks = (spool.record.looks[step] ?? 0) + 1
          spool.record.looks[step] = looks
          for id in spool.executor.atWork { spool.executor.report(id, done: Double(looks)) }
          return looks < 5 ? nil : .exited(0)
        }
      }
    ) { (files, record, comment) throws in
      _ = try onlyJob(files, in: .done, comment)
      // One that was killed in the midst of its publication is begun anew, and no other.
      for (step, starts) in record.starts {
        let cut = (record.begun[step] ?? 0) - (record.publications[step] ?? 0)
        #expect(starts == 1 || starts == 1 + cut, "\(step): \(comment)")
      }
      #expect(record.alive.isEmpty && record.doubles == 0, comment)
    }
  }

  @Test(
    "with steps here and steps elsewhere, and a daemon that is stopped in between: what goes on without it is found again"
  )
  func twoExecutors() throws {
    func course(_ spool: MemorySpool) throws {
      for executor in [spool.executor, spool.elsewhere] {
        executor.stage = { step, _ in step == "sample" ? nil : .exited(0) }
      }
      try spool.pass(1)
      try spool.performer.tell(.stopAsked)
      try spool.performer.tell(.leaving)
      let next = MemorySpool(
        spool.files, inputs: inputs.path, record: spool.record, clock: spool.clock, rules: rules)
      try next.run()
    }
    func rules(_ rules: inout QueueRules) {
      rules.executors.run(["sample"], on: ExecutorRule("elsewhere", jobs: 1, outlivesDaemon: true))
    }
    try crashEverywhere(
      { spool(reportedJob) }, points: 60, memories: [.everything], rules: rules, course: course
    ) { (files, record, comment) throws in
      _ = try onlyJob(files, in: .done, comment)
      let cut = (record.begun["sample"] ?? 0) - (record.publications["sample"] ?? 0)
      // One that was killed in the midst of its publication may have come far enough.
      #expect(record.starts["sample"] == 1 || record.starts["sample"] == 1 + cut, comment)
      #expect(record.publications["sample"] == 1 || cut > 0, comment)
      for step in ["convert", "report"] { #expect((record.publications[step] ?? 0) <= 1, comment) }
      #expect(record.alive.isEmpty, comment)
    }
  }

  @Test(
    "in a busy spool: slots, preemption, one that waits for another, requests, limits, retention, and a daemon that is stopped"
  )
  func busySpool() throws {
    func text(_ name: String, _ more: String = "") -> String {
      "job: \(name)\n\(more)steps:\n  - convert: { source: teacher.pkl, name: \(name) }\n"
    }
    let texts = [
      "a": text("long"), "b": text("other"), "c": text("waits", "after: long\n"), "d": text("bad"), "e": "job: no\n",
      "f": "job: never\n",
    ]
    /// Until the first stages are at work, an urgent job and a request come, and the daemon is stopped and begun again.
    func course(_ spool: MemorySpool) throws {
      spool.executor.stage = { _, _ in nil }
      try spool.turn()
      let urgent = text("urgent", "priority: 5\n")
      let isKnown = try JobState.allCases.contains { try spool.jobs($0).contains { $0.name == "urgent" } }
      if !isKnown, spool.files.nodes["/spool/incoming/u.yaml"] == nil { spool.drop(urgent, as: "u.yaml") }
      try spool.pass(3)
      for id in spool.executor.atWork { spool.executor.report(id, done: 1) }
      for stop in spool.executor.stops { spool.executor.end(stop.job, .exited(75)) }
      try spool.turn()
      if let id = spool.executor.atWork.last { spool.ask(.hold, id) }
      try spool.pass(3)
      for stop in spool.executor.stops { spool.executor.end(stop.job, .exited(75)) }
      try spool.turn()
      for held in try spool.jobs(.held) { spool.ask(.release, held) }
      try spool.pass(3)
      try spool.run { step, _ in step == "bad" ? .exited(65) : .exited(0) }
    }
    try crashEverywhere(
      { spool(texts) }, points: 200,
      rules: {
        $0.slots.total = 2
        $0.preempts = true
        $0.limits.refusedPerUser = 1
        $0.retention[.failed] = Retention()
        $0.retention[.failed]?.days = 300
      }, course: course
    ) { (files, record, comment) throws in
      #expect(try files.names(in: "/spool/incoming").isEmpty, comment)
      for state in [JobState.queue, .active, .held] {
        #expect(try files.names(in: "/spool/\(state.rawValue)").isEmpty, comment)
      }
      let done = try files.names(in: "/spool/done").compactMap { JobID($0)?.name }.sorted()
      #expect(done == ["long", "other", "urgent", "waits"], comment)
      let failed = try files.names(in: "/spool/failed").compactMap { JobID($0)?.name }
      #expect(failed.filter { $0 == "bad" }.count == 1 && failed.filter { $0 != "bad" }.count == 1, comment)
      for step in ["long", "other", "urgent", "waits"] { #expect(record.publications[step] ?? 0 <= 1, comment) }
      let order = record.order.filter { $0 != "checksums" }
      if let first = order.firstIndex(of: "long"), let second = order.firstIndex(of: "waits") {
        #expect(first < second, comment)
      }
    }
  }
}

/// Says how many points were tried on the core that ships.
enum Points {
  static func tried(_ what: String, _ count: Int) { print("points tried: \(what): \(count)") }
}
