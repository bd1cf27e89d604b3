import Foundation
import TestSupport
import Testing

@Suite("sid-spoold in trouble", .serialized)
struct SpoolTroubleTests {
  private let job = "job: one\nsteps:\n  - convert: { source: teacher.pkl }\n"

  @Test("keeps its locks to its own user, those of an earlier version too")
  func keepsLocksPrivate() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try spool.drop(job)
    try spool.write("", to: "spool/.lock")
    chmod(spool.spool + "/.lock", 0o644)
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    let folder = try #require(spool.jobs("done").first, "\(spool.log)")
    for path in [spool.spool, folder] {
      var status = stat()
      #expect(stat(path + "/.lock", &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600, "\(path)")
    }
  }

  @Test("leaves a file whose name is not UTF-8 and says so once")
  func skipsUnreadableNames() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try spool.drop(job)
    let name: [UInt8] = Array((spool.spool + "/incoming/b").utf8) + [0xFF] + Array(".yaml\0".utf8)
    let descriptor = open(name.map { CChar(bitPattern: $0) }, O_CREAT | O_WRONLY, 0o644)
    #expect(descriptor >= 0)
    close(descriptor)
    let daemon = try spool.startDaemon(["--exit-when-idle"])
    try spool.wait("its end") { !daemon.isRunning }
    #expect(daemon.terminationStatus == 0)
    #expect(spool.jobs("done").count == 1, "\(spool.log)")
    let line = "/incoming/b\\xff.yaml: left alone: only NAME.yaml and NAME.yml, in UTF-8, are job files\n"
    #expect(spool.log.components(separatedBy: line).count == 2, "\(spool.log)")
  }

  @Test("finds its programs by a relative path")
  func takesRelativeProgramDirectory() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try spool.drop(job)
    let up = Array(repeating: "..", count: FileManager.default.currentDirectoryPath.split(separator: "/").count)
    let relative = up.joined(separator: "/") + spool.folder.file("programs")
    try spool.startDaemon(["--exit-when-idle", "--program-directory", relative]).waitUntilExit()
    #expect(spool.jobs("done").count == 1, "\(spool.log)")
    let missing = try Programs.run("sid-spoold", spool.daemonArguments + ["--program-directory", "no/such/folder"])
    #expect(missing.status == 66)
    #expect(missing.errors.hasPrefix("sid-spoold: no/such/folder: "))
  }

  @Test("fails a job whose figures cannot be merged, with the reason")
  func failsJobsWithoutFigures() throws {
    let spool = try SpoolFixture(behaviour: "echo '[]' > $name.json; echo data > $output; exit 0")
    try spool.drop(job)
    let daemon = try spool.startDaemon(["--exit-when-idle"])
    try spool.wait("its end", seconds: 20) { !daemon.isRunning }
    let folder = try #require(spool.jobs("failed").first, "\(spool.log)")
    #expect((try spool.status(folder)["reason"] as? String)?.contains("no JSON object") == true)
  }

  @Test("can be stopped while it waits for a process that holds a job's lock")
  func stopsWhileWaiting() throws {
    // The first attempt leaves a process of another group that holds the lock and takes no notice of SIGTERM.
    let spool = try SpoolFixture(
      behaviour:
        "[ $try = 1 ] && { setsid sh -c \"trap '' TERM; echo \\$\\$ > left.txt; sleep 30\" & sleep 0.3; exit 75; }")
    try spool.drop(job)
    let daemon = try spool.startDaemon(["--stop-timeout-seconds", "60"])
    try spool.wait("the second attempt") {
      (spool.jobs("active").first.flatMap { try? spool.status($0) })?["attempts"] as? Int == 2
    }
    let left = spool.jobs("active").first.flatMap { pid_t(spool.lines($0 + "/left.txt").first ?? "") }
    defer { if let left { kill(-left, SIGKILL) } }
    #expect(left != nil)
    usleep(200_000)
    kill(daemon.processIdentifier, SIGTERM)
    try spool.wait("its end", seconds: 10) { !daemon.isRunning }
    #expect(daemon.terminationStatus == 0)
    #expect(spool.jobs("queue").count == 1, "\(spool.log)")
  }

  // MARK: Disks

  /// Runs `mount` or `umount`, which need root.
  private func system(_ program: String, _ arguments: String...) throws {
    let command = Process()
    command.executableURL = URL(fileURLWithPath: program)
    command.arguments = arguments
    try command.run()
    command.waitUntilExit()
    #expect(command.terminationStatus == 0, "\(program) \(arguments): these tests run as root")
  }

  /// A spool on a disk of its own of 1 MiB.
  private func onSmallDisk(_ spool: SpoolFixture, _ body: () throws -> Void) throws {
    mkdir(spool.spool, 0o755)
    try system("/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", spool.spool)
    defer { try? system("/bin/umount", "-l", spool.spool) }
    try body()
  }

  @Test("on a full disk: jobs wait in incoming/, and are accepted and run when there is space")
  func fullDisk() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try onSmallDisk(spool) {
      let daemon = try spool.startDaemon()
      try spool.wait("the daemon") { spool.log.contains("started on") }
      // A name in incoming/ costs nothing on this disk; a folder and a status do.
      for number in 0..<3 { try spool.drop(job, as: "job\(number).yaml.partial") }
      let filler = spool.spool + "/filler"
      _ = FileManager.default.createFile(atPath: filler, contents: nil)
      let file = try #require(FileHandle(forWritingAtPath: filler))
      var block = 4096
      while block > 0 {
        do { try file.write(contentsOf: Data(repeating: 1, count: block)) } catch { block /= 2 }
      }
      for number in 0..<3 {
        rename("\(spool.spool)/incoming/job\(number).yaml.partial", "\(spool.spool)/incoming/job\(number).yaml")
      }
      try spool.wait("the refusal of the disk") { spool.log.contains("No space left") }
      #expect(spool.jobs("done").isEmpty && spool.jobs("failed").isEmpty && daemon.isRunning)
      try file.close()
      unlink(filler)
      try spool.wait("the jobs") { spool.jobs("done").count == 3 }
      #expect(spool.jobs("failed").isEmpty && spool.jobs("incoming").isEmpty, "\(spool.log)")
      kill(daemon.processIdentifier, SIGTERM)
      daemon.waitUntilExit()
      #expect(daemon.terminationStatus == 0)
    }
  }

  @Test("on a disk that becomes read-only: the job goes on when it can be written again")
  func readOnlyDisk() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.01, behaviour: "[ $try$i = 15 ] && exit 75")
    try onSmallDisk(spool) {
      try spool.drop(job)
      let daemon = try spool.startDaemon(["--retry-base-seconds", "4"])
      // Between two attempts nothing is open for writing, which would keep the disk as it is.
      try spool.wait("the pause") { spool.log.contains("deferred for 4 s") }
      try system("/bin/mount", "-t", "tmpfs", "-o", "remount,ro,size=1m", "tmpfs", spool.spool)
      try spool.wait("the refusal of the disk") { spool.log.contains("Read-only file system") }
      #expect(daemon.isRunning && spool.jobs("queue").count == 1)
      try system("/bin/mount", "-t", "tmpfs", "-o", "remount,rw,size=1m", "tmpfs", spool.spool)
      try spool.wait("its end") { !spool.jobs("done").isEmpty }
      let folder = try #require(spool.jobs("done").first)
      #expect(spool.lines(folder + "/units.txt").count == 10, "no unit is done twice")
      kill(daemon.processIdentifier, SIGTERM)
      daemon.waitUntilExit()
    }
  }
}
