import Foundation
import TestSupport
import Testing

@Suite("sid-spoold on the spool of a version before records", .serialized)
struct SpoolUpgradeTests {
  /// A copy of that spool, with stage programs of this version's kind.
  private func spool() throws -> SpoolFixture {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try FileManager.default.copyItem(atPath: Fixtures.path("spools/before-records"), toPath: spool.spool)
    return spool
  }

  private func job(_ spool: SpoolFixture, _ state: String, _ name: String) throws -> String {
    try #require(spool.jobs(state).first { $0.contains("-\(name)-") }, "\(name) in \(state): \(spool.log)")
  }

  @Test("what was done verifies, what was under way goes on, and nothing is made twice")
  func goesOn() throws {
    let spool = try spool()
    for folder in ["incoming", "inputs"] {
      try FileManager.default.createDirectory(atPath: spool.spool + "/" + folder, withIntermediateDirectories: true)
    }
    #expect(try spool.control("verify", "fine").status == 0, "also before the new daemon has seen it")
    let daemon = try spool.startDaemon()
    try spool.wait("the queue") {
      ["half", "waits"].allSatisfy { name in spool.jobs("done").contains { $0.contains("-\(name)-") } }
    }
    #expect(try spool.control("release", "held").status == 0)
    #expect(try spool.control("retry", "bad").status == 0)
    try spool.wait("the others") { spool.jobs("done").count == 5 }
    #expect(try spool.control("retry", "fine", "--from", "score").status == 0)
    try spool.wait("the retried job") { spool.jobs("done").count == 5 && spool.jobs("active").isEmpty }
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
    #expect((spool.jobs("failed") + spool.jobs("held") + spool.jobs("queue")).isEmpty, "\(spool.log)")
    for (name, starts) in [
      // How often each step was started: `half` was killed in its second one twice before.
      ("half", ["teacher": 1, "sample": 3]), ("held", ["teacher": 1, "sample": 1]), ("waits", ["teacher": 1]),
      ("bad", ["teacher": 1, "sample": 2, "score": 1]), ("fine", ["teacher": 1, "sample": 1, "score": 2]),
    ] {
      let folder = try job(spool, "done", name)
      let lines = Dictionary(spool.lines(folder + "/starts.txt").map { ($0, 1) }, uniquingKeysWith: +)
      #expect(lines == starts, "\(name)")
      #expect(!FileManager.default.fileExists(atPath: folder + "/repeated.txt"), "\(name)")
      let verified = try spool.control("verify", name)
      #expect(verified.status == 0 && verified.output.contains("teacher.h5: OK"), "\(verified)")
      #expect(try spool.status(folder)["records"] == nil)
    }
    #expect(try spool.control("check").output.contains("ok: files of jobs"))
  }

  @Test("a damaged output of an old job is found by its checksums, as ever")
  func verifies() throws {
    let spool = try spool()
    try FileManager.default.createDirectory(atPath: spool.spool + "/incoming", withIntermediateDirectories: true)
    let folder = try job(spool, "done", "fine")
    try Data("other".utf8).write(to: URL(fileURLWithPath: folder + "/sample.h5"))
    unlink(folder + "/score.h5")
    let verified = try spool.control("verify", "fine")
    #expect(verified.status == 65, "\(verified)")
    #expect(verified.output.contains("sample.h5: CHANGED") && verified.output.contains("score.h5: MISSING\n"))
    #expect(verified.output.contains("teacher.h5: OK"))
  }
}
