import Queue
import JobFolder
import Diagnostics
import Foundation
import Spool
import TestSupport
import Testing

@Suite("An error of the disk at any call")
struct FaultTests {
  private let inputs: TemporaryFolder
  private let job =
    "job: first\npriority: 3\nsteps:\n  - convert: { source: teacher.pkl }\n  - sample: { seeds: 0-9 }\n"
  private let dependent = "job: third\nafter: [first]\nsteps:\n  - convert: { source: teacher.pkl, name: other }\n"

  init() throws { inputs = try MemorySpool.inputs() }

  /// EIO and EMFILE, ENOSPC, EACCES and EROFS.
  private let statuses = [ExitStatus.ioError, .temporaryFailure, .cannotCreate]

  private func spool(_ nodes: [String: MemoryFileSystem.Node]) -> MemoryFileSystem {
    let files = MemorySpool.emptySpool()
    for (name, node) in nodes.sorted(by: { $0.key < $1.key }) { files.place("/spool/incoming/\(name)", node) }
    return files
  }

  /// Lets each call of a course fail once, in turn, and hands what is left in the end to `check`.
  private func failEverywhere(
    _ make: () throws -> MemoryFileSystem,
    check: (MemoryFileSystem, MemorySpool.Record, Comment) throws -> Void
  ) throws {
    for status in statuses {
      var k = 1
      while true {
        let files = try make()
        let record = MemorySpool.Record()
        files.fault = (files.calls + k, status)
        try MemorySpool(files, inputs: inputs.path, record: record).run()
        files.fault = nil
        try check(files, record, "\(status) at call \(k)")
        // An error that is passed over is still one that was met.
        guard files.isFaulty || k < 40 else { break }
        k += 1
      }
      #expect(k > 60, "the course has as many calls as it should")
    }
  }

  private func only(_ files: MemoryFileSystem, _ state: JobState, _ name: String, _ comment: Comment) throws -> String {
    let folder = "/spool/\(state.rawValue)"
    let found = try files.names(in: folder).filter { JobID($0)?.name == name }
    #expect(found.count == 1, comment)
    return "\(folder)/\(try #require(found.first, comment))"
  }

  private func status(_ files: MemoryFileSystem, _ folder: String) throws -> JobStatus {
    try JobStatus(json: files.read(folder + "/status.json", limitBytes: 10_000))
  }

  @Test("jobs are neither lost nor doubled nor rewritten, each step is made once, and one waits for the other")
  func jobs() throws {
    let (first, third) = (Array(job.utf8), Array(dependent.utf8))
    try failEverywhere({ spool(["a-first.yaml": .file(first), "b-third.yaml": .file(third)]) }) {
      files, record, comment throws in
      #expect(try files.names(in: "/spool/incoming").isEmpty, comment)
      for state in [JobState.queue, .active, .held, .failed] {
        #expect(try files.names(in: "/spool/\(state.rawValue)").isEmpty, comment)
      }
      let one = try only(files, .done, "first", comment)
      let other = try only(files, .done, "third", comment)
      #expect(try files.read(one + "/job.yaml", limitBytes: 10_000) == first, comment)
      #expect(try status(files, one).priority == 3, comment)
      #expect(try status(files, other).after?.count == 1, comment)
      for step in ["convert", "sample", "other"] { #expect(record.publications[step] == 1, comment) }
      #expect(record.order == ["convert", "sample", "checksums", "other", "checksums"], comment)
    }
  }

  @Test("what is no job has one record, and a folder's content stays its owner's")
  func refusals() throws {
    let make = {
      let files = spool([
        "bad.yaml": .file(Array("job: bad\nsteps:\n  - convert: { sauce: x }\n".utf8)), "folder.yaml": .folder,
        "hollow.yaml": .folder, "pipe.yaml": .pipe,
      ])
      files.place("/spool/incoming/folder.yaml/mine", .file(Array("mine".utf8)))
      return files
    }
    try failEverywhere(make) { files, record, comment throws in
      for state in [JobState.queue, .active, .held, .done] {
        #expect(try files.names(in: "/spool/\(state.rawValue)").isEmpty, comment)
      }
      for name in ["bad", "folder", "hollow", "pipe"] {
        #expect(try status(files, only(files, .failed, name, comment)).reason != nil, comment)
      }
      // An empty folder that could not be removed goes at the next start.
      try MemorySpool(files, inputs: inputs.path, record: record).acceptOnly()
      let left = try files.names(in: "/spool/incoming")
      #expect(left.count == 1 && left.allSatisfy { $0.hasPrefix(".refused-") }, comment)
      #expect(files.paths(beneath: "/spool/incoming").contains { $0.hasSuffix("/mine") }, comment)
      let reason = try status(files, only(files, .failed, "folder", comment)).reason
      #expect(reason?.contains(left.first ?? "?") == true, comment)
    }
  }

  @Test("a folder or a pipe that is being refused when the daemon is killed has one record")
  func killedRefusals() throws {
    for node in [MemoryFileSystem.Node.folder, .pipe] {
      for content in [true, false] where content == false || node == .folder {
        for memory in MemoryFileSystem.Memory.allCases {
          for k in 0..<30 {
            var files = spool(["what.yaml": node])
            if content { files.place("/spool/incoming/what.yaml/mine", .file([1])) }
            files.crashesAfter = k
            let record = MemorySpool.Record()
            do {
              try MemorySpool(files, inputs: inputs.path, record: record).run()
            } catch is MemoryFileSystem.Crash {
              files = files.restarted(memory)
              try MemorySpool(files, inputs: inputs.path, record: record).run()
            }
            let comment: Comment = "\(node), killed after \(k), keeping \(memory)"
            _ = try only(files, .failed, "what", comment)
            #expect(try files.names(in: "/spool/queue").isEmpty, comment)
            #expect(try files.names(in: "/spool/incoming").count == (content ? 1 : 0), comment)
          }
        }
      }
    }
  }

  /// A spool with a job that is done.
  private func done() throws -> (MemoryFileSystem, JobID) {
    let files = spool(["first.yaml": .file(Array(job.utf8))])
    try MemorySpool(files, inputs: inputs.path, record: .init()).run()
    return (files, try #require(try files.names(in: "/spool/done").first.flatMap { JobID($0) }))
  }

  @Test("a retry is carried out once, and until then the job keeps what it has made")
  func retries() throws {
    for status in statuses {
      for k in 1...120 {
        let (files, id) = try done()
        files.place("/spool/incoming/\(JobRequest(id, .retry).fileName)", .file(Array("sample".utf8)))
        let record = MemorySpool.Record()
        files.fault = (files.calls + k, status)
        let daemon = MemorySpool(files, inputs: inputs.path, record: record)
        try daemon.acceptOnly()
        let comment: Comment = "\(status) at call \(k)"
        try files.withoutFaults {
          guard try files.names(in: "/spool/done").contains("\(id)") else { return }
          for name in ["sample.h5", "sample.json", "SHA256SUMS", "summary.json"] {
            #expect(try files.entry("/spool/done/\(id)/\(name)") != nil, comment)
          }
        }
        try daemon.run()
        files.fault = nil
        #expect(try files.names(in: "/spool/done") == ["\(id)"], comment)
        #expect(try files.names(in: "/spool/incoming").isEmpty, comment)
        #expect(record.answers <= 1 && record.publications == ["sample": 1, "checksums": 1], comment)
      }
    }
  }

  @Test("a request whose file outlives its effect is not carried out again, however late it is read")
  func lateRequests() throws {
    for k in 0..<60 {
      var (files, id) = try done()
      files.place("/spool/incoming/\(JobRequest(id, .retry).fileName)", .file(Array("sample".utf8)))
      let record = MemorySpool.Record()
      files.crashesAfter = files.operations + k
      do {
        try MemorySpool(files, inputs: inputs.path, record: record).run()
      } catch is MemoryFileSystem.Crash {
        files = files.restarted(.everything)
        let deaf = MemorySpool(files, inputs: inputs.path, record: record)
        deaf.isDeaf = true
        try deaf.run()
        try MemorySpool(files, inputs: inputs.path, record: record).run()
      }
      let comment: Comment = "killed after \(k)"
      // A crash in the midst of a publication is not counted as one.
      #expect(record.publications["sample"] ?? 0 <= 1 && (1...2).contains(record.starts["sample"] ?? 0), comment)
      #expect(try files.names(in: "/spool/incoming").isEmpty, comment)
      #expect(try files.names(in: "/spool/done") == ["\(id)"], comment)
    }
  }

  @Test("a status that is there and damaged puts the job aside, and nothing of it is lost")
  func damaged() throws {
    for content in ["", "{", "[]", "{\"job\": 3}"] {
      let files = spool(["first.yaml": .file(Array(job.utf8))])
      try MemorySpool(files, inputs: inputs.path, record: .init()).acceptOnly()
      let id = try #require(try files.names(in: "/spool/queue").first.flatMap { JobID($0) })
      files.place("/spool/queue/\(id)/status.json", .file(Array(content.utf8)))
      try MemorySpool(files, inputs: inputs.path).run()
      let folder = "/spool/held/\(id)"
      #expect(try files.read(folder + "/status.json.damaged", limitBytes: 100) == Array(content.utf8))
      let status = try status(files, folder)
      #expect(status.state == .held && status.priority == 3 && status.reason?.contains("damaged") == true)
    }
  }
}
