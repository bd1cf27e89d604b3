import Foundation
import TestSupport
import Testing

@Suite("sid-spoold", .serialized)
struct SpoolDaemonTests {
  @Test("runs the steps of a job in order and merges their figures")
  func runsAJob() throws {
    let spool = try SpoolFixture()
    try spool.drop(SpoolFixture.job)
    let daemon = try spool.startDaemon(["--exit-when-idle"])
    daemon.waitUntilExit()
    #expect(daemon.terminationStatus == 0, "\(spool.log)")
    let folder = try #require(spool.jobs("done").first, "\(spool.log)")
    let ran = spool.lines(folder + "/ran.txt")
    let inputs = spool.folder.file("inputs")
    #expect(
      ran == [
        "sid-convert \(inputs)/teacher.pkl --output=teacher.h5 --progress-fd=3",
        "sid-sample --network=teacher.h5 --seeds=0-9 --output=sample.h5 --progress-fd=3",
        "sid-score --samples=sample.h5 --reference=\(inputs)/teacher.pkl --features=\(inputs)/teacher.pkl --output=score.h5 "
          + "--progress-fd=3",
      ])
    let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/summary.json"))
    let summary = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(summary["job"] as? String == "three")
    #expect((summary["id"] as? String).map { folder.hasSuffix($0) } == true)
    #expect(summary["fd_teacher"] as? Double == 0.25 && summary["fd_score"] as? Double == 0.25)
    #expect(summary["archive"] as? String == "score.h5", "the last step's")
    #expect((summary["steps"] as? [String: Any])?.keys.sorted() == ["sample", "score", "teacher"])
    #expect(try spool.status(folder)["state"] as? String == "done")
    #expect(spool.read(folder + "/job.yaml") == SpoolFixture.job)
    #expect(spool.jobs("queue").isEmpty && spool.jobs("active").isEmpty && spool.jobs("incoming").isEmpty)
  }

  @Test("runs the programs themselves")
  func runsRealPrograms() throws {
    let spool = try SpoolFixture()
    let pipeline = Fixtures.digits("..")
    try spool.drop("job: real\nsteps:\n  - convert: { source: digits/teacher.pkl, name: teacher }\n")
    let programs = (Programs.path("sid-convert") as NSString).deletingLastPathComponent
    let daemon = try spool.startDaemon(
      ["--exit-when-idle", "--input-root", pipeline, "--program-directory", programs])
    daemon.waitUntilExit()
    let folder = try #require(spool.jobs("done").first, "\(spool.log)")
    let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/summary.json"))
    let summary = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let steps = try #require(summary["steps"] as? [String: [String: Any]])
    #expect(steps["teacher"]?["output"] as? String == "teacher.h5")
  }

  private static let realJob = """
    job: floor
    steps:
      - convert: { source: digits/teacher.pkl, name: teacher }
      - convert: { source: digits/features.safetensors, config: digits/features.yaml, name: features }
      - reference: { dataset: digits/digits-8x8.zip }
      - score: { samples: digits/digits-8x8.zip, resample: 5000, figure: fd_floor }
    """

  @Test("and the programs themselves, killed at random moments, leave the same bytes as an undisturbed run")
  func survivesRandomKills() throws {
    let programs = (Programs.path("sid-convert") as NSString).deletingLastPathComponent
    let arguments = ["--input-root", Fixtures.digits(".."), "--program-directory", programs, "--max-attempts", "50"]
    let undisturbed = try SpoolFixture()
    try undisturbed.drop(Self.realJob)
    try undisturbed.startDaemon(arguments + ["--exit-when-idle"]).waitUntilExit()
    let expected = try #require(undisturbed.jobs("done").first, "\(undisturbed.log)")

    let spool = try SpoolFixture()
    var daemon = try spool.startDaemon(arguments)
    for round in 1...10 {
      try spool.wait("the daemon") { FileManager.default.fileExists(atPath: spool.spool + "/held") }
      // A name of its own: a drop under the same name would replace one that still waits.
      try spool.drop(Self.realJob, as: "round-\(round).yaml")
      for _ in 1...2 {
        usleep(UInt32.random(in: 20_000...300_000))
        let children = spool.read("/proc/\(daemon.processIdentifier)/task/\(daemon.processIdentifier)/children")
        if Bool.random(), let stage = children.split(separator: " ").compactMap({ pid_t($0) }).first {
          Glibc.kill(stage, SIGKILL)
        } else {
          Glibc.kill(daemon.processIdentifier, SIGKILL)
          daemon.waitUntilExit()
          daemon = try spool.startDaemon(arguments)
        }
      }
    }
    Glibc.kill(daemon.processIdentifier, SIGKILL)
    daemon.waitUntilExit()
    try spool.startDaemon(arguments + ["--exit-when-idle"]).waitUntilExit()
    #expect(spool.jobs("done").count == 10, "\(spool.log)")
    #expect((spool.jobs("failed") + spool.jobs("queue") + spool.jobs("active") + spool.jobs("incoming")).isEmpty)
    for folder in spool.jobs("done") {
      for name in ["teacher.h5", "features.h5", "reference.h5", "score.h5"] {
        #expect(
          FileManager.default.contentsEqual(atPath: "\(folder)/\(name)", andPath: "\(expected)/\(name)"),
          "\(folder)/\(name)")
      }
    }
  }

  @Test("killed at ten moments and started again, ends with the job done and no finished stage repeated")
  func survivesBeingKilled() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.05)
    try spool.drop(SpoolFixture.job)
    for kill in 1...10 {
      let daemon = try spool.startDaemon()
      let wanted = kill * 27 / 10
      try spool.wait("unit \(wanted)") {
        let units =
          (spool.jobs("active") + spool.jobs("queue") + spool.jobs("done")).first.map {
            spool.lines($0 + "/units.txt").count
          } ?? 0
        return units >= wanted
      }
      Glibc.kill(daemon.processIdentifier, SIGKILL)
      daemon.waitUntilExit()
    }
    let last = try spool.startDaemon(["--exit-when-idle"])
    last.waitUntilExit()
    let folder = try #require(spool.jobs("done").first, "\(spool.log)")
    #expect(!FileManager.default.fileExists(atPath: folder + "/repeated.txt"))
    let units = spool.lines(folder + "/units.txt")
    #expect(units.count <= 30 + 10, "at most one unit is repeated for each kill")
    #expect(Set(units).count == 30)
    #expect(spool.jobs("failed").isEmpty && spool.jobs("queue").isEmpty && spool.jobs("active").isEmpty)
  }

  @Test("stops the orphan of a daemon that was killed before it runs the job again")
  func stopsOrphans() throws {
    // This stage does not notice that its daemon is gone, and takes no notice of SIGTERM either.
    let spool = try SpoolFixture(
      secondsPerUnit: 0.05, behaviour: "ORPHAN=yes; trap '' TERM PIPE; [ $try = 1 ] && sleep 2; echo $$ >> pids.txt")
    try spool.drop(SpoolFixture.job)
    let first = try spool.startDaemon()
    try spool.wait("a stage") { spool.jobs("active").first.map { !spool.lines($0 + "/units.txt").isEmpty } ?? false }
    let folder = try #require(spool.jobs("active").first)
    let orphan = try #require(pid_t(spool.lines(folder + "/pids.txt")[0]))
    Glibc.kill(first.processIdentifier, SIGKILL)
    first.waitUntilExit()
    #expect(Glibc.kill(orphan, 0) == 0, "the orphan lives on")
    let second = try spool.startDaemon(["--exit-when-idle", "--stop-timeout-seconds", "0.5"])
    second.waitUntilExit()
    #expect(Glibc.kill(orphan, 0) != 0, "the orphan is gone")
    let done = try #require(spool.jobs("done").first, "\(spool.log)")
    #expect(spool.log.contains("left by a daemon that is gone"))
    let pids = spool.lines(done + "/pids.txt")
    let lastOfOrphan = try #require(pids.lastIndex(of: String(orphan)))
    #expect(pids[...lastOfOrphan].allSatisfy { $0 == String(orphan) }, "nobody worked beside the orphan")
  }

  @Test("told to stop, lets the stage save its state and goes on with it at the next start")
  func stopsWell() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.1)
    try spool.drop(SpoolFixture.job)
    let daemon = try spool.startDaemon()
    try spool.wait("some units") {
      spool.jobs("active").first.map { spool.lines($0 + "/units.txt").count >= 2 } ?? false
    }
    Glibc.kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
    #expect(daemon.terminationStatus == 0)
    let queued = try #require(spool.jobs("queue").first, "\(spool.log)")
    let status = try spool.status(queued)
    #expect(status["attempts"] as? Int == 0, "being stopped is no attempt")
    #expect(status["next_attempt"] == nil)
    #expect(spool.read(queued + "/log/teacher.log").contains("stopped"))
    let second = try spool.startDaemon(["--exit-when-idle"])
    second.waitUntilExit()
    let done = try #require(spool.jobs("done").first)
    #expect(Set(spool.lines(done + "/units.txt")).count == 30)
    #expect(spool.lines(done + "/starts.txt").filter { $0 == "teacher" }.count == 2)
  }

  @Test("retries a stage that was killed or asks to be tried later, and not one that says why not")
  func retries() throws {
    for (behaviour, starts, state) in [
      ("[ $i = 3 ] && [ $try = 1 ] && kill -9 $$", 2, "done"),
      ("[ $i = 3 ] && [ $try -lt 3 ] && { echo 'sid-convert: disk: full' >&2; exit 75; }", 3, "done"),
      ("[ $try -lt 4 ] && exit 74", 4, "done"),
      ("exit 75", 5, "failed"),
      ("echo progress; echo 'sid-convert: teacher.pkl: not a pickle' >&2; exit 65", 1, "failed"),
      ("exit 73", 1, "failed"),
    ] {
      let spool = try SpoolFixture(secondsPerUnit: 0.001, behaviour: behaviour)
      try spool.drop("job: one\nsteps:\n  - convert: { source: teacher.pkl }\n")
      let daemon = try spool.startDaemon(["--exit-when-idle"])
      daemon.waitUntilExit()
      let folder = try #require(spool.jobs(state).first, "\(behaviour): \(spool.log)")
      #expect(spool.lines(folder + "/starts.txt").count == starts, "\(behaviour)")
      let reason = try spool.status(folder)["reason"] as? String
      switch behaviour {
      case "exit 75": #expect(reason == "step \"convert\": exit status 75 (given up after 5 attempts)")
      case let text where text.contains("exit 65"):
        #expect(reason == "step \"convert\": sid-convert: teacher.pkl: not a pickle")
      default: break
      }
      if state == "failed" { #expect(!FileManager.default.fileExists(atPath: folder + "/convert.h5")) }
    }
  }

  @Test("fails a job whose stage claims success and leaves nothing, or is not there")
  func distrustsStages() throws {
    let empty = try SpoolFixture(behaviour: "exit 0")
    try empty.drop("job: one\nsteps:\n  - convert: { source: teacher.pkl }\n")
    try empty.startDaemon(["--exit-when-idle"]).waitUntilExit()
    let folder = try #require(empty.jobs("failed").first, "\(empty.log)")
    #expect((try empty.status(folder)["reason"] as? String)?.contains("left no convert.h5") == true)

    let missing = try SpoolFixture()
    try FileManager.default.removeItem(atPath: missing.folder.file("programs/sid-convert"))
    try missing.drop("job: one\nsteps:\n  - convert: { source: teacher.pkl }\n")
    try missing.startDaemon(["--exit-when-idle"]).waitUntilExit()
    let other = try #require(missing.jobs("failed").first, "\(missing.log)")
    #expect((try missing.status(other)["reason"] as? String)?.contains("sid-convert: cannot be run") == true)
  }

  @Test("refuses what is no job file with the reason, line and key, and goes on")
  func refusesJobFiles() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try spool.drop("job: wrong\nsteps:\n  - sample: { sneeds: 0-9 }\n", as: "wrong.yaml")
    try spool.drop("job: missing\nsteps:\n  - convert: { source: nowhere.pkl }\n", as: "missing.yaml")
    try spool.drop(String(repeating: "#", count: 100_000), as: "huge.yaml")
    try spool.drop("job: ../../escape\n", as: "My Job!.yaml")
    try spool.write("job: secret\n", to: "secret.yaml")
    symlink(spool.folder.file("secret.yaml"), spool.spool + "/incoming/link.yaml")
    mkfifo(spool.spool + "/incoming/pipe.yaml", 0o644)
    mkdir(spool.spool + "/incoming/folder.yaml", 0o755)
    try spool.drop(SpoolFixture.job, as: "good.yaml")
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    #expect(spool.jobs("done").count == 1, "\(spool.log)")
    var reasons: [String: String] = [:]
    for folder in spool.jobs("failed") {
      let status = try spool.status(folder)
      let name = try #require(status["job"] as? String)
      reasons[name] = status["reason"] as? String
      if name == "wrong" { #expect(status["line"] as? Int == 3 && status["key"] as? String == "sneeds") }
      if name == "missing" { #expect(status["line"] as? Int == 3 && status["key"] as? String == "source") }
    }
    #expect(reasons.keys.sorted() == ["folder", "huge", "link", "missing", "my-job-", "pipe", "wrong"])
    #expect(reasons["wrong"]?.contains("did you mean \"seeds\"?") == true)
    #expect(reasons["missing"]?.contains("neither an earlier step nor a file beneath an input root") == true)
    #expect(reasons["link"]?.contains("symbolic link") == true)
    #expect(reasons["pipe"]?.contains("not a plain file") == true)
    #expect(reasons["folder"]?.contains("not a plain file") == true)
    #expect(reasons["huge"]?.contains("the limit is 65536") == true)
    #expect(spool.read(spool.folder.file("secret.yaml")) == "job: secret\n", "what a link points to is left alone")
  }

  @Test("takes a file that is copied when it was closed, not before")
  func takesCopies() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try spool.startDaemon()
    try spool.wait("the folders") {
      FileManager.default.fileExists(atPath: spool.spool + "/held") && spool.log.contains("started")
    }
    let path = spool.spool + "/incoming/slow.yaml"
    _ = FileManager.default.createFile(atPath: path + ".partial", contents: nil)
    let handle = try #require(FileHandle(forWritingAtPath: path + ".partial"))
    rename(path + ".partial", path + "~")
    handle.write(Data("job: slow\nsteps:\n".utf8))
    usleep(200_000)
    #expect(FileManager.default.fileExists(atPath: path + "~"))
    handle.write(Data("  - convert: { source: teacher.pkl }\n".utf8))
    try handle.close()
    let copy = Process()
    copy.executableURL = URL(fileURLWithPath: "/bin/cp")
    copy.arguments = [path + "~", path]
    try copy.run()
    copy.waitUntilExit()
    try spool.wait("the job") { !spool.jobs("done").isEmpty }
    #expect(spool.jobs("failed").isEmpty)
    #expect(FileManager.default.fileExists(atPath: path + "~"), "names on their way are not touched")
  }

  @Test("is the only one on its spool")
  func refusesASecondDaemon() throws {
    let spool = try SpoolFixture()
    let first = try spool.startDaemon()
    try spool.wait("the daemon") { spool.log.contains("started on") }
    let second = try Programs.run("sid-spoold", spool.daemonArguments)
    #expect(second.status == 75)
    #expect(
      second.errors
        == "sid-spoold: \(spool.spool): another sid-spoold (process \(first.processIdentifier)) works on this spool; "
        + "stop it first, or give another --spool\n")
  }

  @Test("gives its stages a group of their own, no descriptors but theirs and few variables")
  func isolatesStages() throws {
    let spool = try SpoolFixture(
      behaviour:
        "ls -l /proc/$$/fd > fds.txt; cat /proc/$$/stat | cut -d' ' -f1,5 > group.txt; env > env.txt; grep SigBlk /proc/self/status > mask.txt"
    )
    try spool.drop("job: one\nsteps:\n  - convert: { source: teacher.pkl }\n")
    let daemon = try spool.startDaemon(["--exit-when-idle"])
    daemon.waitUntilExit()
    let folder = try #require(spool.jobs("done").first, "\(spool.log)")
    let descriptors = spool.lines(folder + "/fds.txt").filter { $0.contains(" -> ") }
    let targets = Dictionary(
      descriptors.compactMap { line in line.firstMatch(of: #/ ([0-9]+) -> (.*)/#).map { (String($0.1), String($0.2)) } }
    ) { first, _ in first }
    #expect(targets["0"]?.hasSuffix("/dev/null") == true)
    #expect(targets["3"]?.contains("pipe:") == true)
    #expect(targets["4"]?.hasSuffix("/.lock") == true)
    #expect(!targets.values.contains("\(spool.spool)/.lock"), "\(descriptors)")
    // Above nine the shell keeps its script and what it has to restore.
    #expect(targets.keys.filter { $0.count == 1 }.sorted() == ["0", "1", "2", "3", "4"], "\(descriptors)")
    let group = spool.lines(folder + "/group.txt")[0].split(separator: " ")
    #expect(group[0] == group[1], "the stage leads its group")
    #expect(spool.read(folder + "/mask.txt").contains("0000000000000000"))
    let names = Set(spool.lines(folder + "/env.txt").map { String($0.prefix { $0 != "=" }) })
    #expect(names.contains("SID_PARENT_PID"))
    #expect(
      names.subtracting([
        "SID_PARENT_PID", "LC_ALL", "PATH", "LD_LIBRARY_PATH", "HOME", "TZ", "PWD", "OLDPWD", "_", "SHLVL",
        "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "SID_INPUT_ROOTS", "SID_KERNELS",
      ])
      .isEmpty, "\(names)")
    let environment = spool.read(folder + "/env.txt")
    #expect(environment.contains("SID_PARENT_PID=\(daemon.processIdentifier)"))
    #expect(environment.contains("SID_INPUT_ROOTS=[\""), "\(environment)")
  }

  @Test("writes a step's log nowhere but in the job's folder, whatever an earlier step has put there")
  func logStaysInside() throws {
    let spool = try SpoolFixture(behaviour: "rm -rf log; ln -s ../../incoming log")
    try spool.drop(
      "job: one\nsteps:\n  - convert: { source: teacher.pkl, name: a }\n  - convert: { source: teacher.pkl, name: b }\n"
    )
    let daemon = try spool.startDaemon(["--exit-when-idle"])
    daemon.waitUntilExit()
    let folder = try #require(spool.jobs("failed").first, "\(spool.log)")
    #expect((try spool.status(folder)["reason"] as? String)?.contains("/log: cannot open") == true, "\(spool.log)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: spool.spool + "/incoming").isEmpty)
    #expect(spool.jobs("failed").count == 1 && spool.jobs("done").isEmpty)
  }
}
