import Foundation
import Spool
import TestSupport
import Testing

/// How people bring job files, tried with shell commands as they type them.
@Suite("sid-spoold takes job files whole", .serialized)
struct SpoolIncomingTests {
  /// What the daemon does while the files are written.
  enum Daemon: String, CaseIterable, Sendable {
    case idle, busy, restarted, stopped
  }

  /// Commands that write the job `$job` into the folder that they run in: `half` prints its first half, `rest` the other;
  /// each half alone is a job file.
  static let manners = [
    "slow": "{ half; sleep 3; rest; } > $job.yaml",
    "empty": "{ sleep 4; half; rest; } > $job.yaml",
    "cut": "{ half | head -c 25; sleep 3; { half | tail -c +26; rest; }; } > $job.yml",
    "pipe": "{ half; sleep 3; rest; } | cat > $job.yaml",
    "read": "{ half; sleep 1; cat $job.yaml > /dev/null; sleep 3; rest; } > $job.yaml",
    "copy": "{ half; rest; } > ../../$job; sleep 2; cp ../../$job $job.yaml",
    "move": "{ half; rest; } > ../../$job; sleep 2; mv ../../$job $job.yaml",
    "across": "{ half; rest; } > /dev/shm/sid-$$; sleep 2; mv /dev/shm/sid-$$ $job.yaml",
    "filepart": "{ half; sleep 3; rest; } > $job.yaml.filepart; mv $job.yaml.filepart $job.yaml",
    "rsync": "{ half; sleep 3; rest; } > .$job.yaml.Xy12Zw; mv .$job.yaml.Xy12Zw $job.yaml",
    "sed":
      "{ half; sleep 2; rest | sed s/convert/conv/; } > .$job; mv .$job $job.tmp; sed s/conv:/convert:/ $job.tmp > sed1aB2cD; mv sed1aB2cD $job.yaml; rm $job.tmp",
    "swap": "echo swap > .$job.yaml.swp; sleep 2; : > 4913; rm 4913; { half; rest; } > $job.yaml; rm .$job.yaml.swp",
  ]

  private func text(_ job: String) -> (half: String, rest: String) {
    (
      "job: \(job)\nsteps:\n  - convert: { source: teacher.pkl, name: first }\n",
      "  - convert: { source: teacher.pkl, name: second }\n"
    )
  }

  /// Starts a shell in `incoming/` that brings a job; it ends when the job is there.
  private func bring(_ job: String, _ commands: String, _ spool: SpoolFixture) throws -> Process {
    let (half, rest) = text(job)
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = [
      "-ec", "job=\(job)\nhalf() { printf '%s' '\(half)'; }\nrest() { printf '%s' '\(rest)'; }\n\(commands)",
    ]
    shell.currentDirectoryURL = URL(fileURLWithPath: spool.spool + "/incoming")
    try shell.run()
    return shell
  }

  private func start(_ spool: SpoolFixture, user: uid_t? = nil) throws -> Process {
    let starts = spool.log.components(separatedBy: "started on").count
    let daemon = try spool.startDaemon(["--slots", "3"], user: user)
    try spool.wait("the daemon") { spool.log.components(separatedBy: "started on").count > starts }
    return daemon
  }

  private func expectWhole(_ jobs: [String], _ spool: SpoolFixture) throws {
    let names = try spool.jobs("done").map { try spool.status($0)["job"] as? String ?? "" }
    #expect(names.sorted() == jobs.sorted(), "\(spool.log)")
    for folder in spool.jobs("done") {
      let job = try #require(try spool.status(folder)["job"] as? String)
      let (half, rest) = text(job)
      #expect(spool.read(folder + "/job.yaml") == half + rest)
      // A step that is stopped with the daemon is started once more, and goes on.
      #expect(Set(spool.lines(folder + "/starts.txt")) == ["first", "second"], "\(job)")
      #expect(spool.lines(folder + "/units.txt").count == 20, "\(job)")
    }
    for state in ["failed", "queue", "active", "incoming"] { #expect(spool.jobs(state).isEmpty, "\(spool.log)") }
  }

  @Test("in whichever way they are brought, and whatever the daemon does meanwhile", arguments: Daemon.allCases)
  func manners(_ state: Daemon) throws {
    let spool = try SpoolFixture(
      secondsPerUnit: 0.001, behaviour: "case \"$PWD\" in *-busy-*) [ $i = 5 ] && sleep 6;; esac")
    var daemon = try start(spool)
    var jobs = Array(Self.manners.keys)
    if state == .busy {
      let (half, rest) = text("busy")
      try spool.drop(half + rest, as: "busy.yaml")
      try spool.wait("its step") { spool.jobs("active").contains { !spool.lines($0 + "/units.txt").isEmpty } }
      jobs.append("busy")
    }
    if state == .stopped { kill(daemon.processIdentifier, SIGSTOP) }
    let shells = try Self.manners.map { try bring($0.key, $0.value, spool) }
    if state == .restarted {
      for _ in 0..<2 {
        usleep(1_200_000)
        kill(daemon.processIdentifier, SIGTERM)
        daemon.waitUntilExit()
        daemon = try start(spool)
      }
    }
    for shell in shells {
      shell.waitUntilExit()
      #expect(shell.terminationStatus == 0)
    }
    kill(daemon.processIdentifier, SIGCONT)
    try spool.wait("the jobs") { spool.jobs("done").count + spool.jobs("failed").count >= jobs.count }
    try expectWhole(jobs, spool)
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
  }

  /// Gives a spool to a user, and `incoming/` to all; what a test writes there is root's then.
  private func give(_ spool: SpoolFixture, to user: uid_t) throws {
    for name in ["", "/spool", "/spool/incoming"] {
      mkdir(spool.folder.path + name, 0o755)
      chown(spool.folder.path + name, user, user)
    }
    chmod(spool.spool + "/incoming", 0o1777)
  }

  @Test("when it may not ask for leases: while it watches, and what it hears of after a restart")
  func otherUser() throws {
    let user = uid_t(4001)
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try give(spool, to: user)
    var daemon = try start(spool, user: user)
    let shells = try Self.manners.map { try bring($0.key, $0.value, spool) }
    usleep(500_000)
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
    daemon = try start(spool, user: user)
    for shell in shells { shell.waitUntilExit() }
    try spool.wait("the jobs") { spool.jobs("done").count + spool.jobs("failed").count >= shells.count }
    try expectWhole(Array(Self.manners.keys), spool)
    let check = try spool.control("check")
    #expect(check.output.contains("ok: jobs"), "\(check)")
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
  }

  @Test("and refuses what was closed empty or within a line, with the reason")
  func closedTooEarly() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    let daemon = try start(spool)
    for (job, commands) in [
      ("empty", ": > $job.yaml"), ("cut", "half | head -c 50 > $job.yml"),
      ("killed", "sh -c 'echo job: killed; echo steps:; kill -9 $$' > $job.yaml || true"),
    ] { try bring(job, commands, spool).waitUntilExit() }
    try spool.wait("the refusals") { spool.jobs("failed").count == 3 }
    var reasons: [String: String] = [:]
    for folder in spool.jobs("failed") {
      let status = try spool.status(folder)
      reasons[status["job"] as? String ?? ""] = status["reason"] as? String
    }
    #expect(reasons["empty"] == "job file: line 1: the file is empty")
    #expect(reasons["cut"]?.contains("not YAML: did not find expected ',' or '}'") == true, "\(reasons)")
    #expect(reasons["killed"]?.contains("key \"steps\": is nothing") == true, "\(reasons)")
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
  }

  @Test("while sidctl check tells what is being written, what is left alone and what waits")
  func check() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    let daemon = try start(spool)
    let incoming = spool.spool + "/incoming/"
    try spool.write("", to: "spool/incoming/notes.txt")
    try spool.write("", to: "spool/incoming/half.yaml.filepart")
    for number in 0..<25 { try spool.write("", to: "spool/incoming/\(number).csv") }
    let raw = (incoming + "+").utf8.map { CChar(bitPattern: $0) } + [-1, 0]
    close(open(raw, O_CREAT | O_WRONLY | O_CLOEXEC, 0o644))
    let writer = open(incoming + "slow.yaml", O_CREAT | O_WRONLY | O_CLOEXEC, 0o644)
    #expect(writer >= 0)
    // Names alone do not make the daemon look; a job does.
    try spool.drop(SpoolFixture.job)
    try spool.wait("the warning") { spool.log.contains("names are left alone") }
    var check = try spool.control("check")
    #expect(check.status == 0, "\(check)")
    for line in [
      "warning: incoming/0.csv: is left alone: only NAME.yaml and NAME.yml, in UTF-8, are job files\n",
      "warning: incoming/+\\xff: is left alone", "warning: incoming/: 7 more are left alone",
      "ok: incoming/slow.yaml: is being written, for ", "it is taken when it is closed",
    ] { #expect(check.output.contains(line), "\(line) in\n\(check.output)") }
    #expect(!check.output.contains("half.yaml") && spool.log.components(separatedBy: "left alone: only").count == 12)
    #expect(spool.jobs("failed").isEmpty && spool.jobs("incoming").contains(incoming + "slow.yaml"))
    close(writer)
    try spool.wait("the refusal") { spool.jobs("failed").count == 1 }

    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
    try spool.drop(SpoolFixture.job)
    check = try spool.control("check")
    #expect(!check.output.contains("job.yaml"), "it has just come: \(check.output)")
  }

  @Test("by sidctl submit, whatever the file is called and however it was saved")
  func submit() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    let daemon = try start(spool)
    let (half, rest) = text("one")
    for name in ["x.yml", "x.yaml", "x.txt", "x"] {
      try spool.write("\u{FEFF}" + half + rest, to: name)
      let submitted = try spool.control("submit", spool.folder.file(name), "--set", "first.key=ema")
      #expect(submitted.status == 0, "\(submitted.errors)")
    }
    try spool.wait("the jobs") { spool.jobs("done").count + spool.jobs("failed").count >= 4 }
    #expect(spool.jobs("done").count == 4, "\(spool.log)")
    for folder in spool.jobs("done") { #expect(spool.read(folder + "/ran.txt").contains("--key=ema")) }
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
  }
}
