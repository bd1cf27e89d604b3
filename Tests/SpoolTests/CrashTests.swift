import Queue
import JobFolder
import Foundation
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

  init() throws {
    inputs = try TemporaryFolder()
    try Data("x".utf8).write(to: URL(fileURLWithPath: inputs.file("teacher.pkl")))
  }

  private func spool(_ text: String) -> MemoryFileSystem {
    let files = MemoryFileSystem()
    for folder in ["/spool", "/spool/incoming"] { files.place(folder, .folder) }
    files.place("/spool/incoming/two.yaml", .file(Array(text.utf8)))
    return files
  }

  /// Runs with a crash after each operation in turn and with either memory, and hands what is left at the end to `check`.
  private func crashEverywhere(
    _ text: String, boots: [String] = ["boot", "boot"], stage: @escaping SimulatedDaemon.Stage,
    check: (MemoryFileSystem, SimulatedDaemon.Record, Comment) throws -> Void
  ) throws {
    for memory in MemoryFileSystem.Memory.allCases {
      var k = 0
      var hasEnded = false
      while !hasEnded {
        let record = SimulatedDaemon.Record()
        let clock = SimulatedDaemon.Clock()
        var files = spool(text)
        files.crashesAfter = k
        do {
          try SimulatedDaemon(files, inputs: inputs.path, record: record, clock: clock, boot: boots[0]).run(
            stage: stage)
          hasEnded = true
        } catch is MemoryFileSystem.Crash {
          files = files.restarted(memory)
          try SimulatedDaemon(files, inputs: inputs.path, record: record, clock: clock, boot: boots[1]).run(
            stage: stage)
        }
        try check(files, record, "crash after operation \(k), keeping \(memory)")
        k += 1
      }
      #expect(k > 30, "the run has as many operations as it should")
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
    return "/spool/\(state.rawValue)/\(try #require(names.first, comment))"
  }

  @Test("loses no job, duplicates none and repeats no stage whose output was published")
  func successfulJob() throws {
    try crashEverywhere(reportedJob, stage: { _ in .exited(0) }) { files, record, comment in
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
    try SimulatedDaemon(whole, inputs: inputs.path, record: .init()).run { _ in .exited(0) }
    let operationsOfARun = whole.operations
    for memory in MemoryFileSystem.Memory.allCases {
      for first in 0..<operationsOfARun {
        for second in 0..<operationsOfARun {
          let record = SimulatedDaemon.Record()
          var files = spool(reportedJob)
          for crash in [first, second, nil] {
            files.crashesAfter = crash
            do {
              try SimulatedDaemon(files, inputs: inputs.path, record: record).run { _ in .exited(0) }
              break
            } catch is MemoryFileSystem.Crash {
              files = files.restarted(memory)
            }
          }
          let comment: Comment = "crashes after operations \(first) and \(second), keeping \(memory)"
          _ = try onlyJob(files, in: .done, comment)
          #expect(record.publications.values.allSatisfy { $0 == 1 }, comment)
        }
      }
    }
  }

  @Test("leaves a malformed job in failed/ with its reason")
  func malformedJob() throws {
    for memory in MemoryFileSystem.Memory.allCases {
      for k in 0..<40 {
        let record = SimulatedDaemon.Record()
        var files = spool("job: two\nsteps:\n  - convert: { sauce: teacher.pkl }\n")
        files.crashesAfter = k
        do {
          try SimulatedDaemon(files, inputs: inputs.path, record: record).run { _ in .exited(0) }
        } catch is MemoryFileSystem.Crash {
          files = files.restarted(memory)
          try SimulatedDaemon(files, inputs: inputs.path, record: record).run { _ in .exited(0) }
        }
        let comment: Comment = "crash after operation \(k), keeping \(memory)"
        let folder = try onlyJob(files, in: .failed, comment)
        let status = try JobStatus(json: files.read(folder + "/status.json", limitBytes: 10_000))
        #expect(status.line == 3 && status.key == "sauce" && status.state == .failed, comment)
        #expect(record.starts.isEmpty, comment)
      }
    }
  }

  @Test("does not forget how often a step was tried, nor try one again that has failed")
  func failingJob() throws {
    try crashEverywhere(job, stage: { $0 == 1 ? .exited(75) : .exited(65) }) { files, record, comment in
      let folder = try onlyJob(files, in: .failed, comment)
      let status = try JobStatus(json: files.read(folder + "/status.json", limitBytes: 10_000))
      #expect(status.reason == #"step "convert": sid-x: it is so"#, comment)
      #expect((2...3).contains(record.starts["convert"] ?? 0), comment)
      #expect(record.starts["sample"] == nil, comment)
    }
  }

  @Test("which a stage causes each time is not repeated for ever")
  func stageThatTakesTheMachineDown() throws {
    let record = SimulatedDaemon.Record()
    var files = spool(job)
    for boot in 1...20 {
      let daemon = SimulatedDaemon(files, inputs: inputs.path, record: record, boot: "boot \(boot)")
      do {
        try daemon.run { [files] _ in
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
    let record = SimulatedDaemon.Record()
    var files = spool(job)
    for _ in 1...45 {
      do {
        try SimulatedDaemon(files, inputs: inputs.path, record: record).run { [files] start in
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
}
