import Foundation
import TestSupport
import Testing

@Suite("sid-spoold with a configuration", .serialized)
struct SpoolQueueTests {
  private func configured(_ text: String, _ spool: SpoolFixture) throws -> [String] {
    try spool.write(text, to: "spoold.yaml")
    return ["--configuration", spool.folder.file("spoold.yaml")]
  }

  private func job(_ name: String, _ more: String = "", step: String = "convert: { source: teacher.pkl }") -> String {
    "job: \(name)\n\(more)steps:\n  - \(step)\n"
  }

  /// The names of the jobs whose steps have started, in that order.
  private func started(_ spool: SpoolFixture) -> [String] {
    spool.log.split(separator: "\n").compactMap { line in
      line.firstMatch(of: #/Z-(\w+)-[0-9a-f]{4}: step "convert" \(sid-convert\) started/#).map { String($0.1) }
    }
  }

  @Test("runs as many steps at once as there are slots, and shares the processors among them")
  func slots() throws {
    let spool = try SpoolFixture(
      behaviour: "touch running; ls -d ../*/running | wc -l >> most.txt; [ $i = 9 ] && rm running")
    for name in ["a", "b", "c", "d"] { try spool.drop(job(name), as: name + ".yaml") }
    let options = try configured("slots: { total: 3, convert: 2 }\nthreads: 5\n", spool)
    try spool.startDaemon(options + ["--exit-when-idle"]).waitUntilExit()
    #expect(spool.jobs("done").count == 4, "\(spool.log)")
    let most = spool.jobs("done").flatMap { spool.lines($0 + "/most.txt") }.compactMap {
      Int($0.trimmingCharacters(in: .whitespaces))
    }
    #expect(most.max() == 2, "\(most)")
    #expect(spool.jobs("done").allSatisfy { spool.read($0 + "/ran.txt").contains("--threads=5") })
  }

  @Test("goes by priority and by what waits for what, and holds what waits in vain")
  func order() throws {
    let spool = try SpoolFixture(
      secondsPerUnit: 0.001, behaviour: "case \"$PWD\" in *-bad-*) echo 'sid-convert: no' >&2; exit 65;; esac")
    // Accepted in the order of their names.
    try spool.drop(job("first"), as: "1.yaml")
    try spool.drop(job("last", "after: first\n"), as: "2.yaml")
    try spool.drop(job("bad", "priority: -5\n"), as: "3.yaml")
    try spool.drop(job("vain", "after: [first, bad]\n"), as: "4.yaml")
    try spool.drop(job("urgent", "priority: 7\n"), as: "5.yaml")
    try spool.drop(job("lost", "after: nobody\n"), as: "6.yaml")
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    #expect(started(spool) == ["urgent", "first", "last", "bad"], "\(spool.log)")
    let held = try #require(spool.jobs("held").first)
    #expect((try spool.status(held)["reason"] as? String)?.hasSuffix("which it waits for, has failed") == true)
    let lost = try #require(spool.jobs("failed").first { $0.contains("lost") })
    #expect((try spool.status(lost)["reason"] as? String)?.contains("\"nobody\" is no job of this spool") == true)
    #expect(try spool.status(lost)["line"] as? Int == 2)
  }

  @Test("lets a job of higher priority pass at a checkpoint, where that is configured, and loses nothing")
  func preemption() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.1)
    try spool.startDaemon(try configured("preemption: true\n", spool))
    try spool.drop(job("long"))
    try spool.wait("its start") { spool.jobs("active").contains { !spool.lines($0 + "/units.txt").isEmpty } }
    try spool.drop(job("urgent", "priority: 1\n"), as: "u.yaml")
    try spool.wait("both") { spool.jobs("done").count == 2 }
    #expect(started(spool) == ["long", "urgent", "long"], "\(spool.log)")
    let long = try #require(spool.jobs("done").first { $0.contains("long") })
    #expect(spool.lines(long + "/units.txt").count == 10, "no unit is done twice")
    #expect(spool.log.contains("gives way to"))
  }

  @Test("holds, releases, cancels, retries and prunes what users ask for")
  func requests() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.05)
    try spool.startDaemon()
    try spool.drop(SpoolFixture.job)
    try spool.wait("the second step") { spool.jobs("active").contains { spool.lines($0 + "/starts.txt").count == 2 } }
    let held = try spool.control("hold", "three")
    #expect(held.status == 0 && held.output.hasSuffix(": held\n"), "\(held.errors)\(spool.log)")
    let folder = try #require(spool.jobs("held").first)
    #expect(try spool.status(folder)["reason"] as? String == "held by \(NSUserName())")
    #expect(try spool.control("hold", "three").status == 64, "it stands aside already")
    #expect(try spool.control("release", "three").status == 0)
    try spool.wait("its end") { !spool.jobs("done").isEmpty }
    let done = try #require(spool.jobs("done").first)
    #expect(spool.lines(done + "/units.txt").count == 30, "no unit is done twice")

    let verified = try spool.control("verify", "three")
    #expect(verified.status == 0 && verified.output.contains("sample.h5: OK"), "\(verified)")
    try spool.write("damaged", to: "spool/done/\((done as NSString).lastPathComponent)/sample.h5")
    let damaged = try spool.control("verify", "three")
    #expect(damaged.status == 65 && damaged.output.contains("sample.h5: CHANGED"))

    #expect(try spool.control("retry", "three", "--from", "nothing").status == 64)
    #expect(try spool.control("retry", "three", "--from", "sample").status == 0)
    try spool.wait("its end") { spool.jobs("done").contains { spool.read($0 + "/SHA256SUMS") != "" } }
    #expect(spool.lines(done + "/starts.txt").filter { $0 == "teacher" }.count == 1, "what was good is kept")
    #expect(spool.read(done + "/sample.h5") == "data\n")
    #expect(spool.log.contains("retry by "))

    let log = try spool.control("log", "three", "--step", "sample")
    #expect(log.status == 0 && log.output.contains("sid-sample, attempt"), "\(log)")
    #expect(try spool.control("log", "three", "--step", "none").status == 66)

    // Somebody reads a file of it.
    let reader = open(done + "/sample.h5", O_RDONLY)
    #expect(try spool.control("prune", "three").status == 64)
    close(reader)
    #expect(try spool.control("prune", "three").status == 0)
    #expect(spool.jobs("done").isEmpty && spool.jobs("incoming").isEmpty)
    #expect(try spool.control("check").output.contains("ok: jobs"))
  }

  @Test("cancels a step at work through its checkpoint; a retry goes on from there")
  func cancel() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.05)
    try spool.startDaemon()
    try spool.drop(job("one"))
    try spool.wait("a unit") { spool.jobs("active").contains { spool.lines($0 + "/units.txt").count > 2 } }
    #expect(try spool.control("cancel", "one").status == 0)
    let failed = try #require(spool.jobs("failed").first)
    #expect(try spool.status(failed)["reason"] as? String == "cancelled by \(NSUserName())")
    #expect(try spool.control("retry", "one").status == 0)
    try spool.wait("its end") { !spool.jobs("done").isEmpty }
    #expect(spool.jobs("done").first.map { spool.lines($0 + "/units.txt").count } == 10)
  }

  @Test("stops a step that runs for longer than it may, over all its attempts")
  func timeout() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.3)
    try spool.drop(job("slow", step: "convert: { source: teacher.pkl, timeout: 1 s }"))
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    let failed = try #require(spool.jobs("failed").first, "\(spool.log)")
    #expect(
      try spool.status(failed)["reason"] as? String == "step \"convert\": ran for longer than its timeout of 1 s")
    #expect((1...5).contains(spool.lines(failed + "/units.txt").count))
  }

  @Test("limits the memory of a step, and its core files")
  func memory() throws {
    let spool = try SpoolFixture(
      secondsPerUnit: 0.001, behaviour: "[ $i = 0 ] && sleep 0.2; [ $i = 1 ] && (ulimit -d; ulimit -c) > limits.txt")
    let options = try configured("stage: { memory: 3 GiB }\n", spool)
    try spool.drop(job("small", step: "convert: { source: teacher.pkl, memory: 2 GiB }"), as: "s.yaml")
    try spool.drop(job("big", step: "convert: { source: teacher.pkl, memory: 9 GiB }"), as: "b.yaml")
    try spool.startDaemon(options + ["--exit-when-idle"]).waitUntilExit()
    #expect(spool.jobs("done").count == 2, "\(spool.log)")
    let limits = Dictionary(
      uniqueKeysWithValues: spool.jobs("done").map { ($0.contains("small"), spool.lines($0 + "/limits.txt")) })
    #expect(limits[true] == ["2097152", "0"])
    #expect(limits[false] == ["3145728", "0"], "no job gets more than the administrator allows")
  }

  @Test("refuses what goes beyond a user's or the spool's share, with the reason")
  func limits() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    for number in 0..<6 { try spool.drop(job("job"), as: "\(number).yaml") }
    try spool.drop(job("big") + String(repeating: "#\n", count: 400), as: "9.yaml")
    let options = try configured("limits: { jobs-per-user: 4, job-file-bytes: 500 }\n", spool)
    try spool.startDaemon(options + ["--exit-when-idle"]).waitUntilExit()
    #expect(spool.jobs("done").count == 4, "\(spool.log)")
    let reasons = try spool.jobs("failed").map { try spool.status($0)["reason"] as? String ?? "" }
    #expect(reasons.filter { $0.contains("has 4 jobs waiting, as many as a user may") }.count == 2, "\(reasons)")
    #expect(reasons.filter { $0.contains("the limit is 500") }.count == 1, "\(reasons)")
  }

  @Test("waits for space on the disk and goes on when there is some")
  func space() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try spool.drop(job("one"))
    let daemon = try spool.startDaemon(
      try configured("limits: { free-space: 900000 TB }\nmetrics-file: \(spool.folder.file("sid.prom"))\n", spool))
    try spool.wait("the warning") { spool.log.contains("no step starts before") }
    try spool.wait("the metrics") {
      spool.read(spool.folder.file("sid.prom")).contains("sid_jobs{state=\"queue\"} 1\n")
    }
    #expect(spool.jobs("queue").count == 1 && spool.jobs("active").isEmpty)
    let metrics = spool.read(spool.folder.file("sid.prom"))
    #expect(metrics.contains("# TYPE sid_jobs gauge\nsid_jobs{state=\"queue\"} 1\n"), "\(metrics)")
    #expect(metrics.contains("sid_spool_paused 1\n"))
    #expect(metrics.contains("sid_jobs_accepted_total 1\n"))
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
    #expect(spool.read(spool.folder.file("sid.prom")).contains("sid_up 0\n"))
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    #expect(spool.jobs("done").count == 1)
  }

  @Test("prunes what is over by its size, the oldest first, and leaves what is read and the last")
  func retention() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    for name in ["a", "b", "c"] { try spool.drop(job(name), as: name + ".yaml") }
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    #expect(spool.jobs("done").count == 3)
    let oldest = try #require(spool.jobs("done").first { $0.contains("-a-") })
    let reader = open(oldest + "/convert.h5", O_RDONLY)
    defer { close(reader) }
    let daemon = try spool.startDaemon(try configured("retention: { done-size: 1 }\n", spool))
    try spool.wait("the pruning") { spool.jobs("done").count == 2 }
    usleep(200_000)
    #expect(spool.jobs("done").contains(oldest) && spool.jobs("done").contains { $0.contains("-c-") }, "\(spool.log)")
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
  }

  @Test("keeps the latest refused files of each user, and what users have used, while it runs")
  func refusals() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    for name in ["a", "b", "c", "d", "e"] { try spool.drop("job: \(name)\n", as: name + ".yaml") }
    try spool.drop(job("good"), as: "good.yaml")
    let daemon = try spool.startDaemon(try configured("limits: { refused-per-user: 2 }\n", spool))
    try spool.wait("the job") { spool.jobs("done").count == 1 }
    try spool.drop("job: f\n", as: "f.yaml")
    try spool.wait("the removal") {
      spool.jobs("failed").count == 2 && spool.jobs("failed").contains { $0.contains("-f-") }
        && spool.log.contains(" refused files: their users have more than 2")
    }
    let used = spool.spool + "/.usage.json"
    try spool.wait("the usage") { FileManager.default.fileExists(atPath: used) }
    kill(daemon.processIdentifier, SIGKILL)
    daemon.waitUntilExit()
    #expect(spool.jobs("done").count == 1)
  }

  @Test(
    "reads a configuration that an editor of Windows has saved",
    arguments: ["# nothing\r\n", "slots: { total: 2 }\r\n"])
  func byteOrderMark(_ text: String) throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try spool.drop("\u{FEFF}" + job("one").replacing("\n", with: "\r\n"))
    let daemon = try spool.startDaemon(try configured("\u{FEFF}" + text, spool) + ["--exit-when-idle"])
    daemon.waitUntilExit()
    #expect(daemon.terminationStatus == 0 && spool.jobs("done").count == 1, "\(spool.log)")
  }

  @Test(
    "refuses a wrong configuration with its line and key",
    arguments: [
      ("slots: { total: 0 }", 1, "key \"total\": is \"0\"; expected a whole number, 1 or more"),
      ("\nslott: {}", 2, "key \"slott\": unknown"),
      ("limits:\n  free-space: lots", 2, "key \"free-space\": is \"lots\"; expected a size"),
      ("preemption: maybe", 1, "key \"preemption\": is \"maybe\"; expected true or false"),
      ("slots: 3", 1, "key \"slots\": is a single value; expected a mapping"),
      ("executor: pbs", 1, "key \"executor\": is \"pbs\"; expected local or slurm"),
      ("executor: { smple: slurm }", 1, "key \"smple\": unknown"),
      ("slurm: { time: 30 }", 1, "key \"time\": is \"30\"; expected a time of a minute or more"),
      ("slurm: { memory: 32 }", 1, "key \"memory\": is \"32\"; expected a size with its unit"),
      ("slurm:\n  sample: { nodes: 2 }", 2, "key \"nodes\": unknown"),
      ("slurm: { shares: 2 }", 1, "key \"shares\": unknown"),
      ("slurm:\n  score: { shares: 2 }", 2, "key \"shares\": unknown"),
      ("slurm: { arguments: [--wrap=x] }", 1, "holds \"--wrap\", which the daemon sets itself; remove it"),
      ("slurm: { arguments: [-x] }", 1, "expected options of sbatch"),
      ("slurm:\n  step-keys: [qos]", 2, "expected a list of partition, account"),
      ("spool: a\nspool: b", 2, "spool"),
      ("spool: &a b", 1, "anchor"), ("\u{FEFF}\nslott: {}", 2, "key \"slott\": unknown"),
    ])
  func wrongConfiguration(text: String, line: Int, problem: String) throws {
    let spool = try SpoolFixture()
    let outcome = try Programs.run("sid-spoold", try configured(text + "\n", spool))
    #expect(outcome.status == 78, "\(outcome.errors)")
    #expect(
      outcome.errors.hasPrefix("sid-spoold: \(spool.folder.file("spoold.yaml")):\(line): ")
        && outcome.errors.contains(problem), "\(outcome.errors)")
    #expect(try Programs.run("sid-spoold", ["--configuration", "/no/such.yaml"]).status == 66)
  }
}
