import Queue
import JobFolder
import Foundation
import Spool
import TestSupport
import Testing

@Suite("The queue")
struct QueueTests {
  private let inputs: TemporaryFolder
  private let files = MemoryFileSystem()
  private let clock = SimulatedDaemon.Clock()

  init() throws {
    inputs = try TemporaryFolder()
    try Data("x".utf8).write(to: URL(fileURLWithPath: inputs.file("teacher.pkl")))
    files.place("/spool", .folder)
  }

  private func folders() throws -> JobFolders {
    let folders = JobFolders(
      root: "/spool", files: files, roots: InputRoots([inputs.path]), policy: RetryPolicy(), bootID: "boot",
      now: { [clock] in clock.date })
    try folders.prepare()
    return folders
  }

  private func accept(_ name: String, _ folders: JobFolders, file: String? = nil) throws -> JobID {
    let text = "job: \(name)\nsteps:\n  - convert: { source: teacher.pkl }\n"
    files.place("/spool/incoming/\(file ?? name).yaml", .file(Array(text.utf8)))
    let acceptance = try folders.accept("\(file ?? name).yaml")
    guard case .queued(let id) = acceptance else { throw MemoryFileSystem.Crash() }
    return id
  }

  /// Starts the only step of a job and lets it end so.
  private func run(_ id: JobID, _ folders: JobFolders, _ outcome: StageOutcome, stop: JobFolders.StopReason? = nil)
    throws
    -> JobFolders.Conclusion
  {
    try folders.activate(id)
    let job = try folders.jobFile(of: id, .active)
    let step = try #require(try folders.nextStep(of: job, id))
    let status = try #require(try folders.beginAttempt(step, of: job, id))
    return try folders.conclude(step, of: id, status, outcome, lastLine: "sid-convert: why", stop: stop)
  }

  @Test("is worked on in the order in which jobs came, also within one second")
  func order() throws {
    let folders = try folders()
    let first = try accept("zebra", folders)
    clock.date += 0.1
    let second = try accept("ant", folders)
    #expect(first.stamp == second.stamp)
    #expect(try folders.next().job == first)
    try folders.activate(first)
    #expect(try folders.next().job == second)
  }

  @Test("has a job that was started before those that were not")
  func head() throws {
    let folders = try folders()
    let first = try accept("first", folders)
    clock.date += 1
    let second = try accept("second", folders)
    #expect(try run(second, folders, .exited(75), stop: .shutdown) == .putBack)
    #expect(try folders.next().job == second, "\(first) waits")
    #expect(try folders.status(of: second, .queue).attempts == 0, "being stopped is no attempt")
  }

  @Test("defers a job, lets others pass, and doubles the pause each time until the job is given up")
  func deferral() throws {
    let folders = try folders()
    let job = try accept("late", folders)
    for pause in [30.0, 60, 120, 240] {
      #expect(
        try run(job, folders, .signaled(9))
          == .deferred(seconds: pause, reason: "step \"convert\": killed by signal 9; see log/convert.log"))
      let next = try folders.next()
      #expect(next.job == nil && next.waitSeconds == pause)
      let other = try accept("other", folders)
      #expect(try folders.next().job == other)
      try folders.activate(other)
      clock.date += pause
      #expect(try folders.next().job == job)
    }
    #expect(
      try run(job, folders, .exited(74))
        == .failed(reason: "step \"convert\": sid-convert: why (given up after 5 attempts)"))
    #expect(try folders.jobs(.failed) == [job])
  }

  @Test("does not defer a job for ever when the clock is set back")
  func clockSetBack() throws {
    let folders = try folders()
    let job = try accept("late", folders)
    _ = try run(job, folders, .exited(75))
    #expect(try folders.next().job == nil)
    clock.date -= 365 * 86400
    #expect(try folders.next().job == job)
  }

  @Test("gives a job the digits that its file names, and others where they are taken")
  func references() throws {
    let folders = try folders()
    #expect(try accept("job", folders, file: "job-7f3a").suffix == "7f3a")
    #expect(try accept("job", folders, file: "job-7f3a").suffix != "7f3a")
    #expect(try accept("job", folders, file: "other-7f3a").name == "job")
  }

  @Test("Pauses double from the base to the longest")
  func pauses() {
    let policy = RetryPolicy()
    #expect((1...9).map { policy.pauseSeconds(afterAttempts: $0) } == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600])
    #expect(policy.pauseSeconds(afterAttempts: 1_000_000) == 3600)
    #expect(RetryPolicy(baseSeconds: 0).pauseSeconds(afterAttempts: 5) == 0)
  }
}
