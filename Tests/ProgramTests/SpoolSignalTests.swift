import Diagnostics
import Foundation
import TestSupport
import Testing

/// Signals to the daemon, and what it hands down to its stages.
@Suite("sid-spoold and signals", .serialized)
struct SpoolSignalTests {
  @Test("is stopped by each polite signal; the step at work saves its state, and the job goes on from there")
  func stops() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.05)
    try spool.drop(SpoolFixture.job)
    func units() -> Int {
      (spool.jobs("active") + spool.jobs("queue")).first.map { spool.lines($0 + "/units.txt").count } ?? 0
    }
    for signal in PoliteSignals.all {
      let before = units()
      let daemon = try StartedProgram("sid-spoold", spool.daemonArguments)
      try #require(daemon.wait { units() >= before + 2 }, "\(daemon.errors)")
      daemon.send(signal)
      let outcome = daemon.end()
      #expect(outcome.status == 0, "signal \(signal): \(outcome.errors)")
      #expect(outcome.errors.contains("stopped"))
      #expect(spool.jobs("queue").count == 1 && spool.jobs("active").isEmpty, "signal \(signal): \(outcome.errors)")
    }
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    let folder = try #require(spool.jobs("done").first, "\(spool.log)")
    #expect(!FileManager.default.fileExists(atPath: folder + "/repeated.txt"))
    let units = spool.lines(folder + "/units.txt")
    #expect(units.count == 30 && Set(units).count == 30, "a polite stop repeats nothing")
  }

  @Test("started under nohup it outlives its terminal, as its stages do; they ignore nothing else")
  func hangUp() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.05, behaviour: "grep SigIgn /proc/$$/status >> ignored.txt")
    try spool.drop(SpoolFixture.job)
    // SIGCHLD ignored would keep from it how its stages end.
    let daemon = try StartedProgram(
      "sid-spoold", spool.daemonArguments, ignoring: [SIGHUP, SIGUSR1, SIGINT, SIGCHLD])
    try #require(daemon.wait { spool.jobs("active").first.map { spool.lines($0 + "/units.txt").count >= 2 } ?? false })
    for signal in [SIGHUP, SIGUSR1, SIGINT] { daemon.send(signal) }
    try spool.wait("the job") { !spool.jobs("done").isEmpty }
    #expect(daemon.process.isRunning, "\(daemon.errors)")
    daemon.send(SIGTERM)
    #expect(daemon.end().status == 0)
    let folder = try #require(spool.jobs("done").first)
    let masks = Set(spool.lines(folder + "/ignored.txt").compactMap { $0.split(separator: "\t").last })
    let ignored = try #require(masks.count == 1 ? masks.first.flatMap { UInt64($0, radix: 16) } : nil, "\(masks)")
    // What the C library keeps for itself (32 and 33) it ignores in every process that it starts.
    #expect(ignored & ~(3 << 31) == 1 << UInt64(SIGHUP - 1))
    #expect(spool.lines(folder + "/starts.txt") == ["teacher", "sample", "score"])
  }
}
