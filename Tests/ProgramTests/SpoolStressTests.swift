import Foundation
import TestSupport
import Testing

@Suite("sid-spoold under stress", .serialized)
struct SpoolStressTests {
  /// A stage that publishes at once, and tells if it finds its output there.
  private static let quick = """
    #!/bin/sh
    for argument in "$@"; do case "$argument" in --output=*) output=${argument#--output=};; esac; done
    record="${output%.h5}.json"
    if [ -e "$record" ]; then echo again >> repeated.txt; exit 0; fi
    echo data > "$output.partial"; mv "$output.partial" "$output"
    echo "{\\"stage\\":\\"x\\",\\"output\\":\\"$output\\",\\"files\\":[{\\"name\\":\\"$output\\",\\"sha256\\":\\"\(SpoolFixture.digest)\\"}]}" > "$record.partial"; mv "$record.partial" "$record"
    """

  private func quickSpool() throws -> SpoolFixture {
    let spool = try SpoolFixture()
    try spool.write(Self.quick, to: "programs/sid-convert")
    return spool
  }

  private func job(_ number: Int) -> String { "job: j\(number)\nsteps:\n  - convert: { source: teacher.pkl }\n" }

  @Test("killed a thousand times over two hundred jobs, it loses and duplicates none")
  func kills() throws {
    let spool = try quickSpool()
    let jobs = 200
    var dropped = 0
    var kills = 0
    var random = SystemRandomNumberGenerator()
    // A step that many kills meet in a row is not given up: that is another rule, and the machine may be busy.
    let options = ["--slots", "2", "--max-attempts", "1000"]
    // Where others use the machine, too, it takes longer to begin with anything.
    let begun = Date()
    let first = try spool.startDaemon(options)
    try spool.wait("the daemon") { spool.log.contains("started on") }
    let longest = max(0.12, 3 * Date().timeIntervalSince(begun))
    kill(first.processIdentifier, SIGKILL)
    first.waitUntilExit()
    while kills < 1000 {
      let daemon = try spool.startDaemon(options)
      let life = Double.random(in: 0...longest, using: &random)
      let end = Date() + life
      while Date() < end, dropped < jobs, Double(dropped) < Double(kills) / 4 + 1 {
        try spool.drop(job(dropped), as: "j\(dropped).yaml")
        dropped += 1
      }
      let rest = end.timeIntervalSinceNow
      if rest > 0 { usleep(UInt32(rest * 1e6)) }
      kill(daemon.processIdentifier, SIGKILL)
      daemon.waitUntilExit()
      kills += 1
    }
    #expect(dropped == jobs)
    try spool.startDaemon(["--exit-when-idle"] + options).waitUntilExit()
    let done = spool.jobs("done")
    let failures = try spool.jobs("failed").map { try spool.status($0)["reason"] as? String ?? "" }
    #expect(done.count == jobs, "\(failures)")
    let names = try done.map { try spool.status($0)["job"] as? String ?? "" }
    #expect(Set(names).count == jobs)
    for state in ["incoming", "queue", "active", "held", "failed"] { #expect(spool.jobs(state).isEmpty, "\(state)") }
    #expect(done.allSatisfy { !FileManager.default.fileExists(atPath: $0 + "/repeated.txt") })
    #expect(done.allSatisfy { spool.read($0 + "/SHA256SUMS").contains("convert.h5") })
  }

  @Test("ten thousand job files in one burst are all accepted or refused with a reason, also those it was not told of")
  func burst() throws {
    let spool = try quickSpool()
    let daemon = try spool.startDaemon()
    try spool.wait("the daemon") { spool.log.contains("started on") }
    // Stopped, it cannot empty its queue of notices, which overflows where the kernel keeps 16384 of them.
    kill(daemon.processIdentifier, SIGSTOP)
    let count = 10_000
    for number in 0..<count {
      try spool.drop(number % 10 == 9 ? "job: wrong\n" : job(number), as: "burst-\(number).yaml")
    }
    // Touched once more, so that there are more notices than the kernel keeps.
    for number in 0..<count where number % 10 != 9 {
      let file = try #require(FileHandle(forWritingAtPath: "\(spool.spool)/incoming/burst-\(number).yaml"))
      try file.close()
    }
    kill(daemon.processIdentifier, SIGCONT)
    try spool.wait("the burst", seconds: 300) { spool.jobs("incoming").isEmpty }
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
    let refused = spool.jobs("failed")
    #expect(refused.count == count / 10)
    #expect(try refused.prefix(20).allSatisfy { try (spool.status($0)["reason"] as? String)?.isEmpty == false })
    let accepted = ["queue", "active", "done"].flatMap { spool.jobs($0) }.filter { !$0.contains("/.") }
    #expect(accepted.count == count - count / 10)
  }

  @Test("refuses hostile submissions, each with its reason, and stays as it was")
  func hostile() throws {
    let spool = try quickSpool()
    let incoming = spool.spool + "/incoming/"
    let good = job(1)
    try spool.drop("job: x\nsteps:\n  - convert: { source: ../../../etc/passwd }\n", as: "climbs.yaml")
    try spool.drop("job: x\nsteps:\n  - convert: { source: /etc/passwd }\n", as: "absolute.yaml")
    symlink("/etc/passwd", spool.folder.file("inputs/link.pkl"))
    try spool.drop("job: x\nsteps:\n  - convert: { source: link.pkl }\n", as: "through-link.yaml")
    mkfifo(spool.folder.file("inputs/pipe.pkl"), 0o644)
    try spool.drop("job: x\nsteps:\n  - convert: { source: pipe.pkl }\n", as: "from-pipe.yaml")
    try spool.drop(
      "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\njob: [*c,*c]\n", as: "bomb.yaml")
    try spool.drop(String(repeating: "[", count: 60_000), as: "deep.yaml")
    try spool.drop(String(repeating: "x", count: 5 << 20), as: "huge.yaml")
    try spool.drop("job: x\nsteps:\n  - convert: { source: \"a\\0b\" }\n", as: "zero.yaml")
    try spool.drop("job: \"x\\n\\u001b[2J\"\nsteps: []\n", as: "escape.yaml")
    try spool.drop("job: x\nsteps:\n  - convert: { source: teacher.pkl, output: /etc/passwd }\n", as: "output.yaml")
    try spool.drop("job: x\nsteps:\n  - sample: { network: --help, seeds: 0-1 }\n", as: "option.yaml")
    try Data([0xFF, 0xFE, 0x6A, 0x00]).write(to: URL(fileURLWithPath: incoming + "utf16.yaml"))
    try spool.drop(good, as: "$(reboot);`id`.yaml")
    mkfifo(incoming + "fifo.yaml", 0o644)
    symlink("/etc/passwd", incoming + "passwd.yaml")
    try spool.write(good, to: "elsewhere.yaml")
    link(spool.folder.file("elsewhere.yaml"), incoming + "hard-link.yaml")
    mkdir(incoming + "folder.yaml", 0o755)
    mkdir(incoming + "20261122T221500Z-x-7f3a.cancel", 0o755)
    try spool.drop("", as: "20261122T221500Z-x-7f3a.retry")
    // Written to again and again: it is taken when that has an end, or, opened a moment too late, as it was then.
    try spool.drop(good, as: "changing.yaml")
    let handle = try #require(FileHandle(forWritingAtPath: incoming + "changing.yaml"))
    let writer = Thread {
      for _ in 0..<2000 {
        try? handle.seek(toOffset: 0)
        handle.write(Data(good.utf8))
        handle.write(Data("  - convert: { source: ../../etc/shadow, name: b }\n".utf8))
        try? handle.truncate(atOffset: UInt64(good.utf8.count))
      }
      try? handle.close()
    }
    writer.start()
    let daemon = try spool.startDaemon(["--exit-when-idle"])
    try spool.wait("its end") { !daemon.isRunning }
    #expect(daemon.terminationStatus == 0, "\(spool.log)")

    for folder in spool.jobs("failed") { #expect((try spool.status(folder)["reason"] as? String)?.isEmpty == false) }
    let texts = try spool.jobs("failed").map { try spool.status($0)["reason"] as? String ?? "" }.joined(separator: "\n")
    for part in [
      "climbs out of its folder", "is an absolute path", "leaves the input root", "not a plain file", "hard links",
      "symbolic link", "is set by the daemon", "the limit is 65536", "anchor",
    ] { #expect(texts.contains(part), "\(part) in\n\(texts)") }
    #expect(!texts.unicodeScalars.contains { $0.value == 0x1B }, "no control characters in what people read")
    #expect(spool.log.contains("retry refused") && spool.log.contains("no such job"), "\(spool.log)")
    // Whatever the writer was doing, the job ran what its folder says or was refused as a whole.
    #expect(spool.jobs("done").count + spool.jobs("failed").count == 18, "\(spool.log)")
    #expect(spool.jobs("incoming").isEmpty && spool.jobs("queue").isEmpty && spool.jobs("active").isEmpty)
    #expect(spool.read(spool.folder.file("elsewhere.yaml")) == good)
    #expect(
      spool.jobs("done").allSatisfy { !spool.read($0 + "/job.yaml").contains("shadow") },
      "nothing outside the input roots was run")
  }

  @Test("goes on after the machine was short of descriptors, and where a step ignores SIGTERM")
  func shortages() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.02, behaviour: "trap '' TERM")
    try spool.drop("job: stubborn\nsteps:\n  - convert: { source: teacher.pkl }\n")
    let daemon = try spool.startDaemon(["--stop-timeout-seconds", "0.3"])
    try spool.wait("its start") { spool.jobs("active").contains { !spool.lines($0 + "/units.txt").isEmpty } }
    // No more descriptors: new steps cannot start, and nothing is lost.
    try limitDescriptors(daemon, 4)
    try spool.drop("job: later\nsteps:\n  - convert: { source: teacher.pkl }\n", as: "later.yaml")
    usleep(300_000)
    #expect(daemon.isRunning)
    try limitDescriptors(daemon, 1024)
    kill(daemon.processIdentifier, SIGTERM)
    try spool.wait("its end") { !daemon.isRunning }
    #expect(daemon.terminationStatus == 0)
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    #expect(spool.jobs("done").count == 2, "\(spool.log)")
    #expect(spool.jobs("done").allSatisfy { spool.lines($0 + "/units.txt").count == 10 }, "no unit is done twice")
  }

  @Test("answers requests about a job to its submitter alone, and counts each user's jobs")
  func otherUsers() throws {
    // Runs as root, which may give files to users that need not exist.
    let spool = try quickSpool()
    let (anna, bert) = (uid_t(4001), uid_t(4002))
    func drop(_ text: String, as name: String, by user: uid_t) throws {
      try spool.write(text, to: "spool/incoming/.\(name)")
      #expect(chown("\(spool.spool)/incoming/.\(name)", user, user) == 0)
      rename("\(spool.spool)/incoming/.\(name)", "\(spool.spool)/incoming/\(name)")
    }
    try FileManager.default.createDirectory(atPath: spool.spool + "/incoming", withIntermediateDirectories: true)
    try spool.write("slots: { convert: 0 }\nlimits: { jobs-per-user: 2, highest-priority: 0 }\n", to: "spoold.yaml")
    try spool.startDaemon(["--configuration", spool.folder.file("spoold.yaml")])
    for number in 0..<3 { try drop(job(number), as: "a\(number).yaml", by: anna) }
    try spool.wait("two jobs and a refusal") { spool.jobs("queue").count == 2 && spool.jobs("failed").count == 1 }
    try drop(job(7), as: "b.yaml", by: bert)
    try drop("priority: 3\n" + job(8), as: "c.yaml", by: bert)
    try spool.wait("the other user's") { spool.jobs("queue").count == 3 && spool.jobs("failed").count == 2 }
    let reasons = try spool.jobs("failed").compactMap { try spool.status($0)["reason"] as? String }
    #expect(reasons.contains { $0.hasPrefix("4001 has 2 jobs waiting") })
    #expect(reasons.contains { $0.contains("is the administrator's to give") })

    let own = try #require(spool.jobs("queue").first { $0.contains("-j0-") || $0.contains("-j1-") })
    let id = (own as NSString).lastPathComponent
    for verb in ["hold", "cancel", "prune", "retry", "release"] { try drop("", as: "\(id).\(verb)", by: bert) }
    try spool.wait("the refusals") { spool.log.components(separatedBy: "the request to 4002").count == 6 }
    #expect(spool.jobs("queue").contains(own))
    try drop("", as: "\(id).hold", by: anna)
    try spool.wait("the submitter's wish") { spool.jobs("held").count == 1 }
    // Holding makes no room for more.
    try drop(job(9), as: "d.yaml", by: anna)
    try spool.wait("the refusal") { spool.jobs("failed").count == 3 }
    // A second name of somebody else's file is no input.
    link(spool.folder.file("inputs/teacher.pkl"), spool.folder.file("inputs/linked.pkl"))
    try drop("job: linked\nsteps:\n  - convert: { source: linked.pkl }\n", as: "e.yaml", by: bert)
    try spool.wait("the refusal") { spool.jobs("failed").count == 4 }
    let linked = try #require(spool.jobs("failed").first { $0.contains("-linked-") })
    #expect((try spool.status(linked)["reason"] as? String)?.contains("(hard links) and belongs to") == true)
    // What was refused does not come in by a retry.
    let refused = try #require(spool.jobs("failed").first { $0.contains("-j9-") })
    try drop("", as: "\((refused as NSString).lastPathComponent).retry", by: anna)
    try spool.wait("the answer") { spool.log.contains("retry refused") }
    #expect(spool.jobs("queue").count == 2 && spool.jobs("failed").count == 4)
  }

  private func limitDescriptors(_ process: Process, _ count: Int) throws {
    let command = Process()
    command.executableURL = URL(fileURLWithPath: "/usr/bin/prlimit")
    command.arguments = ["--pid", "\(process.processIdentifier)", "--nofile=\(count):4096"]
    try command.run()
    command.waitUntilExit()
    #expect(command.terminationStatus == 0)
  }
}
