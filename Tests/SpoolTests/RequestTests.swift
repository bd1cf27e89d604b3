import Queue
import JobFolder
import Foundation
import Spool
import TestSupport
import Testing

@Suite("Requests about jobs")
struct RequestTests {
  private let inputs: TemporaryFolder
  private let job = "job: two\nsteps:\n  - convert: { source: teacher.pkl }\n  - sample: { seeds: 0-9 }\n"

  init() throws { inputs = try MemorySpool.inputs() }

  /// A spool with one job in a state.
  private func spool(_ state: JobState) throws -> (MemoryFileSystem, JobID) {
    let files = MemorySpool.emptySpool()
    files.place("/spool/incoming/two.yaml", .file(Array(job.utf8)))
    let daemon = MemorySpool(files, inputs: inputs.path, record: .init())
    switch state {
    case .done: try daemon.run()
    default: try daemon.acceptOnly()
    }
    if state == .held {
      let id = try #require(try files.names(in: "/spool/queue").first)
      files.place("/spool/incoming/\(id).hold", .file([]))
      try MemorySpool(files, inputs: inputs.path, record: .init()).run()
    }
    let name = try #require(try files.names(in: "/spool/\(state.rawValue)").first)
    return (files, try #require(JobID(name)))
  }

  /// A job whose second step has failed.
  private func failedSpool() throws -> (MemoryFileSystem, JobID) {
    let files = MemorySpool.emptySpool()
    files.place("/spool/incoming/two.yaml", .file(Array(job.utf8)))
    try MemorySpool(files, inputs: inputs.path).run { step, _ in step == "sample" ? .exited(65) : .exited(0) }
    let name = try #require(try files.names(in: "/spool/failed").first)
    return (files, try #require(JobID(name)))
  }

  /// Answers a request with a crash after each operation in turn, and hands what is left in the end to `check`.
  private func crashEverywhere(
    _ make: () throws -> (MemoryFileSystem, JobID), _ verb: JobRequest.Verb, step: String = "",
    check: (MemoryFileSystem, JobID, MemorySpool.Record, Comment) throws -> Void
  ) throws {
    for memory in MemoryFileSystem.Memory.allCases {
      var k = 0
      var hasEnded = false
      while !hasEnded {
        var (files, id) = try make()
        files.place("/spool/incoming/\(JobRequest(id, verb).fileName)", .file(Array(step.utf8)))
        let record = MemorySpool.Record()
        files.crashesAfter = files.operations + k
        do {
          try MemorySpool(files, inputs: inputs.path, record: record).run()
          hasEnded = true
        } catch is MemoryFileSystem.Crash {
          files = files.restarted(memory)
          try MemorySpool(files, inputs: inputs.path, record: record).run()
        }
        let comment: Comment = "\(verb), crash after operation \(k), keeping \(memory)"
        #expect(try files.names(in: "/spool/incoming").isEmpty, comment)
        try check(files, id, record, comment)
        k += 1
      }
      #expect(k > 10, "the run has as many operations as it should")
    }
  }

  private func places(_ files: MemoryFileSystem, _ id: JobID) throws -> [JobState] {
    try JobState.allCases.filter { try files.names(in: "/spool/\($0.rawValue)").contains("\(id)") }
  }

  /// Whether steps were started and none was published twice. A crash in the midst of a publication is not counted as one.
  private func isOnce(_ record: MemorySpool.Record, _ steps: [String]) -> Bool {
    steps.allSatisfy { (1...2).contains(record.starts[$0] ?? 0) && (record.publications[$0] ?? 0) <= 1 }
  }

  @Test("hold and release: the job stands still, then runs once, whatever crashes")
  func holdAndRelease() throws {
    try crashEverywhere({ try spool(.queue) }, .hold) { (files, id, record, comment) throws in
      #expect(try places(files, id) == [.held], comment)
      #expect(record.starts.isEmpty, comment)
    }
    try crashEverywhere({ try spool(.held) }, .release) { (files, id, record, comment) throws in
      #expect(try places(files, id) == [.done], comment)
      #expect(record.publications.values.allSatisfy { $0 == 1 }, comment)
    }
  }

  @Test("cancel: the job is given up, with its reason, and no step starts")
  func cancel() throws {
    for state in [JobState.queue, .held] {
      try crashEverywhere({ try spool(state) }, .cancel) { (files, id, record, comment) throws in
        #expect(try places(files, id) == [.failed], comment)
        #expect(record.starts.isEmpty, comment)
        let status = try JobStatus(json: files.read("/spool/failed/\(id)/status.json", limitBytes: 10_000))
        #expect(status.reason == "cancelled by anna", comment)
      }
    }
  }

  @Test("retry: what was finished is not repeated, unless that was asked for")
  func retry() throws {
    try crashEverywhere(failedSpool, .retry) { (files, id, record, comment) throws in
      #expect(try places(files, id) == [.done], comment)
      #expect(record.starts["convert"] == nil, comment)
      #expect(isOnce(record, ["sample"]), comment)
    }
    try crashEverywhere(failedSpool, .retry, step: "convert") { (files, id, record, comment) throws in
      #expect(try places(files, id) == [.done], comment)
      #expect(isOnce(record, ["convert", "sample"]), comment)
    }
    try crashEverywhere({ try spool(.done) }, .retry, step: "sample") { (files, id, record, comment) throws in
      #expect(try places(files, id) == [.done], comment)
      #expect(record.starts["convert"] == nil && isOnce(record, ["sample", "checksums"]), comment)
    }
  }

  @Test("prune: the job is gone as a whole")
  func prune() throws {
    try crashEverywhere({ try spool(.done) }, .prune) { (files, id, _, comment) throws in
      #expect(try places(files, id).isEmpty, comment)
      #expect(files.paths(beneath: "/spool/done").isEmpty, comment)
    }
  }

  @Test("what a job's state does not allow changes nothing")
  func refusals() throws {
    for (state, verb) in [
      (JobState.done, JobRequest.Verb.hold), (.done, .cancel), (.done, .release), (.held, .prune), (.queue, .release),
    ] {
      let (files, id) = try spool(state)
      let before = try files.read("/spool/\(state.rawValue)/\(id)/status.json", limitBytes: 10_000)
      files.place("/spool/incoming/\(JobRequest(id, verb).fileName)", .file([]))
      let record = MemorySpool.Record()
      try MemorySpool(files, inputs: inputs.path, record: record).acceptOnly()
      #expect(record.answers == 0, "\(verb) in \(state)")
      #expect(try files.read("/spool/\(state.rawValue)/\(id)/status.json", limitBytes: 10_000) == before)
    }
  }

  @Test("are files whose names say which job and what")
  func names() throws {
    let (_, id) = try spool(.queue)
    for verb in JobRequest.Verb.allCases {
      #expect(JobRequest(JobRequest(id, verb).fileName) == JobRequest(id, verb))
    }
    for name in ["two.hold", "\(id)", "\(id).yaml", "\(id).hold.yaml", "\(id)x.hold", ".hold", "\(id).HOLD"] {
      #expect(JobRequest(name) == nil, "\(name)")
    }
  }
}
