import Foundation
import TestSupport
import Testing

/// What is refused by the disk or the machine while jobs are taken, with real owners and real folders.
@Suite("sid-spoold where the disk refuses", .serialized)
struct SpoolFaultTests {
  private static let nobody: uid_t = 65534
  private let job = "job: one\nsteps:\n  - convert: { source: teacher.pkl }\n"

  /// A spool that belongs to a daemon without privileges; these tests run as root.
  private func spoolOfNobody() throws -> SpoolFixture {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    mkdir(spool.spool, 0o755)
    chmod(spool.folder.path, 0o755)
    for name in ["", "/incoming", "/inputs", "/queue", "/active", "/done", "/failed", "/held"] {
      mkdir(spool.spool + name, 0o755)
      #expect(chown(spool.spool + name, Self.nobody, Self.nobody) == 0)
    }
    return spool
  }

  @Test("queue/ that is somebody else's: the file stays, one line says so, check finds it, and later it is taken")
  func foreignQueue() throws {
    let spool = try spoolOfNobody()
    let queue = spool.spool + "/queue"
    #expect(chown(queue, 0, 0) == 0)
    let daemon = try spool.startDaemon(user: Self.nobody)
    try spool.wait("the daemon") { spool.log.contains("started on") }
    try spool.drop(job)
    try spool.wait("the refusal") { spool.log.contains("incoming/job.yaml: cannot be taken now, and stays there") }
    // Another file, so that the folder is read again.
    try spool.drop(job.replacingOccurrences(of: "one", with: "two"), as: "two.yaml")
    try spool.wait("the second") { spool.log.contains("incoming/two.yaml: cannot be taken now") }
    #expect(spool.jobs("incoming").count == 2 && spool.jobs("failed").isEmpty && daemon.isRunning)
    let check = try spool.control("check")
    #expect(check.status == 1 && check.output.contains("problem: \(queue): belongs to root"), "\(check.output)")
    // One more try of both.
    usleep(10_500_000)
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
    #expect(spool.log.components(separatedBy: "incoming/job.yaml: cannot be taken now").count == 2, "\(spool.log)")

    #expect(chown(queue, Self.nobody, Self.nobody) == 0)
    // Of its own files the daemon may ask whether they are being written.
    for file in spool.jobs("incoming") { #expect(chown(file, Self.nobody, Self.nobody) == 0) }
    let second = try spool.startDaemon(["--exit-when-idle"], user: Self.nobody)
    try spool.wait("its end") { !second.isRunning }
    #expect(second.terminationStatus == 0 && spool.jobs("done").count == 2, "\(spool.log)")
  }

  @Test(
    "a submission that its owner keeps the daemon from reading waits by itself: others are taken, and one line says so")
  func leasedSubmission() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    let daemon = try spool.startDaemon()
    try spool.wait("the daemon") { spool.log.contains("started on") }
    // Whoever has a file of his own alone may ask the kernel to let him finish before another opens it: SIGIO tells him.
    signal(SIGIO, SIG_IGN)
    let path = spool.spool + "/incoming/.held"
    let held = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    try #require(held >= 0)
    defer { close(held) }
    let text = Array(job.replacingOccurrences(of: "one", with: "held").utf8)
    #expect(write(held, text, text.count) == text.count)
    let setLease: Int32 = 1024
    try #require(fcntl(held, setLease, F_WRLCK) == 0)
    rename(path, spool.spool + "/incoming/held.yaml")
    try spool.wait("the refusal") { spool.log.contains("cannot open: Resource temporarily unavailable") }
    try spool.drop(job)
    try spool.wait("the other's job", seconds: 8) { spool.jobs("done").count == 1 }
    // One more try of the first.
    usleep(10_500_000)
    #expect(spool.log.components(separatedBy: "Resource temporarily unavailable").count == 2, "\(spool.log)")
    #expect(fcntl(held, setLease, F_UNLCK) == 0)
    try spool.wait("the first") { spool.jobs("done").count == 2 }
    #expect(spool.jobs("failed").isEmpty && spool.jobs("queue").isEmpty)
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
  }

  /// A spool in which a crash left a job between incoming/ and queue/, that waits for `first-7f3a`.
  private func spoolWithHalfAccepted() throws -> SpoolFixture {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    let staged = spool.spool + "/queue/.20270101T000000Z-third-7f3b"
    try FileManager.default.createDirectory(atPath: staged, withIntermediateDirectories: true)
    let third = job.replacingOccurrences(of: "job: one", with: "job: third\nafter: first-7f3a")
    try Data(third.utf8).write(to: URL(fileURLWithPath: staged + "/submitted"))
    return spool
  }

  @Test("a job that a crash left half accepted waits for one that still stands in incoming/")
  func halfAccepted() throws {
    let spool = try spoolWithHalfAccepted()
    try spool.drop(job.replacingOccurrences(of: "one", with: "first"), as: "first-7f3a.yaml")
    let daemon = try spool.startDaemon(["--exit-when-idle"])
    try spool.wait("its end") { !daemon.isRunning }
    #expect(
      daemon.terminationStatus == 0 && spool.jobs("failed").isEmpty && spool.jobs("done").count == 2, "\(spool.log)")
  }

  @Test("a job that waits for none that there is, is refused after a crash, too")
  func halfAcceptedForNothing() throws {
    let spool = try spoolWithHalfAccepted()
    let daemon = try spool.startDaemon(["--exit-when-idle"])
    try spool.wait("its end", seconds: 8) { !daemon.isRunning }
    #expect(daemon.terminationStatus == 0 && spool.jobs("failed").count == 1, "\(spool.log)")
  }

  @Test("queue/ that was removed is made again, and what was dropped is taken")
  func removedQueue() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    let daemon = try spool.startDaemon()
    try spool.wait("the daemon") { spool.log.contains("started on") }
    rmdir(spool.spool + "/queue")
    try spool.drop(job)
    try spool.wait("the job") { spool.jobs("done").count == 1 }
    #expect(spool.jobs("failed").isEmpty && spool.jobs("incoming").isEmpty, "\(spool.log)")
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
    #expect(daemon.terminationStatus == 0)
  }

  @Test("a status that cannot be read now is left as it is, and the daemon is not idle; later the job is run with it")
  func unreadableStatus() throws {
    let spool = try spoolOfNobody()
    // Accepted and stopped before it is run: there is no space to begin with.
    try spool.write("limits: { free-space: 9000000 GiB, highest-priority: 9 }\n", to: "spoold.yaml")
    let first = try spool.startDaemon(["--configuration", spool.folder.file("spoold.yaml")], user: Self.nobody)
    try spool.wait("the daemon") { spool.log.contains("started on") }
    try spool.drop("job: one\npriority: 7\nsteps:\n  - convert: { source: teacher.pkl }\n")
    try spool.wait("its acceptance") { spool.jobs("queue").count == 1 && spool.log.contains("accepted") }
    kill(first.processIdentifier, SIGTERM)
    first.waitUntilExit()
    let folder = try #require(spool.jobs("queue").first)
    let before = spool.read(folder + "/status.json")
    #expect(chown(folder + "/status.json", 0, 0) == 0 && chmod(folder + "/status.json", 0o600) == 0)
    let daemon = try spool.startDaemon(["--exit-when-idle"], user: Self.nobody)
    try spool.wait("the refusal") { spool.log.contains("status.json: cannot open: Permission denied") }
    usleep(300_000)
    #expect(daemon.isRunning && spool.read(folder + "/status.json") == before, "\(spool.log)")
    #expect(chown(folder + "/status.json", Self.nobody, Self.nobody) == 0)
    try spool.wait("its end") { !daemon.isRunning }
    let done = try #require(spool.jobs("done").first, "\(spool.log)")
    #expect(daemon.terminationStatus == 0)
    #expect(try spool.status(done)["priority"] as? Int == 7)
  }

  @Test("a hold from before the start is answered before the job is run")
  func earlyHold() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.1)
    try spool.drop(job)
    let first = try spool.startDaemon()
    try spool.wait("the step") { (spool.jobs("active").first.map { !spool.lines($0 + "/units.txt").isEmpty }) ?? false }
    kill(first.processIdentifier, SIGKILL)
    first.waitUntilExit()
    let id = try #require(spool.jobs("active").first.map { ($0 as NSString).lastPathComponent })
    try spool.write("", to: "spool/incoming/\(id).hold")
    try spool.startDaemon(["--exit-when-idle"])
    try spool.wait("the hold") { spool.jobs("held").count == 1 }
    #expect(spool.lines(spool.spool + "/held/\(id)/starts.txt").count == 1, "\(spool.log)")
  }
}
