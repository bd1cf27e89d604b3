import Diagnostics
import Foundation
import JobFolder
import Queue
import Spool
import TestSupport
import Testing

@Suite("Steps at Slurm")
struct SlurmTests {
  private func started(_ fixture: SlurmFixture, _ attempt: Int = 1) throws {
    guard case .started(nil) = try fixture.executor.start(fixture.order(attempt: attempt)) else {
      throw Unexpected(what: "the folder was held")
    }
  }

  @Test("are submitted under the name of their attempt, to be tried again by nobody else")
  func submission() throws {
    var options = SlurmOptions()
    options.resources.partition = "cpu"
    options.resources.timeSeconds = 600
    options.resources.cpus = 4
    options.byStage["sample"] = SlurmResources()
    options.byStage["sample"]?.memoryBytes = 2 << 30
    options.resources.arguments = ["--qos=low"]
    let fixture = try SlurmFixture(options)
    try started(fixture)
    let command = try #require(fixture.slurm.commands("sbatch").first)
    for word in [
      "--parsable", "--no-requeue", "--job-name=\(fixture.id)/sample/1", "--partition=cpu", "--time=10", "--mem=2048M",
      "--cpus-per-task=4", "--signal=B:USR1@200", "--qos=low", "--open-mode=append",
      "--output=\(fixture.job)/log/sample.log", "\(fixture.job)/.slurm-1/batch",
    ] {
      #expect(command.contains(word), "\(word) in \(command)")
    }
    let script = try String(contentsOfFile: "\(fixture.job)/.slurm-1/batch", encoding: .utf8)
    #expect(script.contains(#"'it'\''s' '--threads=4'"#) && script.contains("SID_INPUT_ROOTS='[\""))
  }

  @Test("do their work once, say how it ended, and leave nothing behind")
  func course() throws {
    let fixture = try SlurmFixture()
    try fixture.program(
      #"echo '{"stage":"x","done":3,"total":9,"unit":"images"}' >&3; echo "sid-sample: so it is" >&2; exit 65"#)
    try started(fixture)
    guard case .waits? = try fixture.news().first else { throw Unexpected(what: "it waits") }
    fixture.slurm.queue["\(fixture.id)/sample/1"]?.state = "RUNNING"
    let batch = try fixture.batch()
    batch.waitUntilExit()
    #expect(batch.terminationStatus == 1, "no status by which a site might queue it again")
    let news = try fixture.news()
    #expect(news.contains { if case .progress(let progress) = $0 { progress.done == 3 } else { false } })
    #expect(news.contains { if case .begins = $0 { true } else { false } })
    guard case .ended(let outcome, let line)? = news.last else { throw Unexpected(what: "it has ended") }
    #expect(outcome == .exited(65) && line == "sid-sample: so it is")
    #expect(
      fixture.executor.pollSeconds == nil && fixture.attempts == [".slurm-1"],
      "for the next daemon, until it is concluded")
    fixture.executor.leave(fixture.id, folder: fixture.job)
    #expect(fixture.attempts.isEmpty)
  }

  @Test("that are told to stop hand that on to the stage, and have its status")
  func signal() throws {
    let fixture = try SlurmFixture()
    try fixture.program("trap 'exit 75' USR1; touch ready; while :; do sleep 0.05; done")
    try started(fixture)
    let batch = try fixture.batch()
    while access("\(fixture.job)/ready", F_OK) != 0 { usleep(10_000) }
    kill(batch.processIdentifier, SIGTERM)
    batch.waitUntilExit()
    #expect(try fixture.end()?.outcome == .exited(75))
  }

  @Test("do nothing where their attempt was taken back, and nothing beside another one")
  func fence() throws {
    let fixture = try SlurmFixture()
    try fixture.program("echo x >>runs; sleep 0.5")
    try started(fixture)
    let first = try fixture.batch()
    while access("\(fixture.job)/runs", F_OK) != 0 { usleep(10_000) }
    guard case .folderHeld = try fixture.executor.start(fixture.order(attempt: 2)) else {
      throw Unexpected(what: "a stage is at work there")
    }
    first.waitUntilExit()
    try FileManager.default.copyItem(atPath: "\(fixture.job)/.slurm-1/batch", toPath: fixture.folder.file("late"))
    fixture.executor.leave(fixture.id, folder: fixture.job)
    try started(fixture, 2)
    let late = Process()
    late.executableURL = URL(fileURLWithPath: "/bin/sh")
    late.arguments = [fixture.folder.file("late")]
    try late.run()
    late.waitUntilExit()
    #expect(late.terminationStatus == 1)
    #expect(try String(contentsOfFile: "\(fixture.job)/runs", encoding: .utf8) == "x\n")
  }

  @Test("whose submission gave no answer in time can begin no more, and cost no attempt")
  func lostAnswer() throws {
    let fixture = try SlurmFixture()
    fixture.slurm.answers["sbatch"] = SlurmAnswer(status: nil, complaint: "gave no answer in time")
    #expect(throws: StageRefusal.self) { try fixture.executor.start(fixture.order()) }
    #expect(fixture.attempts.isEmpty && fixture.executor.pollSeconds == nil)
  }

  @Test(
    "that sbatch does not take are tried later where that passes, and fail where it does not",
    arguments: [
      ("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)", nil),
      (
        "sbatch: error: QOSMaxSubmitJobPerUserLimit; sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
        nil
      ),
      ("sbatch: error: AssocGrpSubmitJobsLimit", nil),
      ("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying", nil),
      (
        "sbatch: error: Batch job submission failed: Invalid partition name specified",
        Diagnostics.ExitStatus.configuration
      ),
      (
        "sbatch: error: QOSMaxWallDurationPerJobLimit; sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
        .configuration
      ),
      ("sbatch: error: Batch job submission failed: Requested node configuration is not available", .configuration),
      ("sbatch: error: something new", .temporaryFailure),
    ] as [(String, Diagnostics.ExitStatus?)])
  func refusal(_ words: String, _ status: Diagnostics.ExitStatus?) throws {
    let fixture = try SlurmFixture()
    fixture.slurm.answers["sbatch"] = SlurmAnswer(status: 1, complaint: words)
    do {
      _ = try fixture.executor.start(fixture.order())
      throw Unexpected(what: "it was taken")
    } catch let refusal as StageRefusal {
      #expect(status == nil, "\(refusal.failure)")
    } catch let failure as Failure {
      #expect(failure.status == status, "\(failure)")
    }
    #expect(fixture.attempts.isEmpty)
  }

  @Test("wait where sbatch is not installed or says what it should not")
  func noSlurm() throws {
    let fixture = try SlurmFixture()
    fixture.slurm.missing = ["sbatch"]
    #expect(throws: StageRefusal.self) { try fixture.executor.start(fixture.order()) }
    fixture.slurm.missing = []
    fixture.slurm.answers["sbatch"] = SlurmAnswer(status: 0, output: "welcome\nSubmitted\n")
    #expect(throws: Failure.self) { try fixture.executor.start(fixture.order()) }
    #expect(fixture.attempts.isEmpty)
  }

  // MARK: After a crash

  @Test("are found by their names after a crash at any point of the submission")
  func crashes() throws {
    // Before the attempt's folder is there.
    let fixture = try SlurmFixture()
    #expect(try fixture.executor.attach(fixture.id, folder: fixture.job, handle: fixture.handle()) == .nobody)
    // Behind sbatch's answer, or before it: Slurm has the job.
    try started(fixture)
    try FileManager.default.removeItem(atPath: "\(fixture.job)/.slurm-1/number")
    fixture.restart()
    #expect(try fixture.executor.attach(fixture.id, folder: fixture.job, handle: fixture.handle()) == .stage)
    try fixture.write("0\n", to: "end")
    #expect(try fixture.end()?.outcome == .exited(0))
    #expect(fixture.slurm.commands("sbatch").count == 1)
  }

  @Test("that Slurm never got are begun anew, and what arrives late does nothing")
  func neverSubmitted() throws {
    let fixture = try SlurmFixture()
    try started(fixture)
    try FileManager.default.removeItem(atPath: "\(fixture.job)/.slurm-1/number")
    fixture.slurm.queue = [:]
    fixture.restart()
    #expect(try fixture.executor.attach(fixture.id, folder: fixture.job, handle: fixture.handle()) == .nobody)
    #expect(fixture.attempts.isEmpty)
  }

  @Test("whose job's status is damaged are not begun anew beside themselves")
  func unknown() throws {
    let fixture = try SlurmFixture()
    #expect(try fixture.executor.attach(fixture.id, folder: fixture.job, handle: nil) == .nobody)
    #expect(try fixture.executor.stopLeftovers(fixture.id, folder: fixture.job, isHard: false).isEmpty)
    #expect(fixture.slurm.asked.isEmpty, "nothing of Slurm is needed where none has been used")
    try started(fixture)
    fixture.restart()
    #expect(try fixture.executor.attach(fixture.id, folder: fixture.job, handle: nil) == .leftovers)
    _ = try fixture.executor.stopLeftovers(fixture.id, folder: fixture.job, isHard: false)
    #expect(fixture.slurm.commands("scancel") == [["scancel", "--me", "--name=\(fixture.id)/sample/1"]])
    fixture.slurm.queue = [:]
    #expect(try fixture.executor.attach(fixture.id, folder: fixture.job, handle: nil) == .nobody)
    #expect(fixture.attempts.isEmpty)
  }

  @Test("wait while Slurm cannot be asked, or the folder is held by whom it does not know")
  func cannotBeAsked() throws {
    let fixture = try SlurmFixture()
    try fixture.program("echo x >>runs; sleep 1")
    try started(fixture)
    fixture.restart()
    fixture.slurm.answers["squeue"] = SlurmAnswer(
      status: 1, complaint: "slurm_load_jobs error: Unable to contact slurm controller")
    #expect(throws: Failure.self) {
      try fixture.executor.attach(fixture.id, folder: fixture.job, handle: fixture.handle())
    }
    fixture.slurm.answers = [:]
    fixture.slurm.queue = [:]
    let batch = try fixture.batch()
    while access("\(fixture.job)/runs", F_OK) != 0 { usleep(10_000) }
    #expect(throws: Failure.self) {
      try fixture.executor.attach(fixture.id, folder: fixture.job, handle: fixture.handle())
    }
    batch.waitUntilExit()
    #expect(try fixture.executor.attach(fixture.id, folder: fixture.job, handle: fixture.handle()) == .stage)
    #expect(try fixture.end()?.outcome == .exited(0), "it has written its end")
  }

  // MARK: Gone

  @Test("that are gone are settled by their record before anything that Slurm says, and wait for the folder")
  func vanished() throws {
    for (record, end, expected) in [
      (true, "JobId=101 JobName=NAME JobState=NODE_FAIL Reason=NodeDown ExitCode=0:0", StageOutcome.exited(0)),
      (
        false, "JobId=101 JobName=NAME JobState=NODE_FAIL Reason=NodeDown ExitCode=0:0",
        .ended("Slurm's job 101 ended as NODE_FAIL (NodeDown)")
      ),
      (
        false, "JobId=101 JobName=NAME JobState=TIMEOUT Reason=TimeLimit ExitCode=0:15",
        .ended("Slurm's job 101 ended as TIMEOUT (TimeLimit)")
      ),
      (
        false, "JobId=101 JobName=NAME JobState=CANCELLED Reason=None ExitCode=0:9",
        .ended("Slurm's job 101 ended as CANCELLED")
      ),
      (
        false, "JobId=101 JobName=NAME JobState=OUT_OF_MEMORY Reason=OutOfMemory ExitCode=0:125",
        .ended("Slurm's job 101 ended as OUT_OF_MEMORY (OutOfMemory)")
      ),
      (false, "JobId=101 JobName=NAME JobState=FAILED Reason=NonZeroExitCode ExitCode=0:9", .signaled(9)),
      (false, "nonsense", .ended("Slurm knows nothing of its job 101 any more")),
    ] {
      let fixture = try SlurmFixture()
      try started(fixture)
      try fixture.write("101 n1\n", to: "begun")
      if record { try Data("{}".utf8).write(to: URL(fileURLWithPath: fixture.job + "/sample.json")) }
      fixture.slurm.queue = [:]
      fixture.slurm.ends[101] = end.replacing("NAME", with: fixture.handle().task)
      #expect(try fixture.end()?.outcome == expected)
    }
  }

  @Test("are not given up for a question that was asked before they were submitted, nor for one that failed")
  func oldAnswers() throws {
    let fixture = try SlurmFixture()
    try started(fixture)
    fixture.slurm.answers["squeue"] = SlurmAnswer(status: 1, complaint: "Unable to contact slurm controller")
    for _ in 0..<5 { #expect(try fixture.end(after: 40) == nil) }
    #expect(fixture.notes.count == 1, "\(fixture.notes)")
    fixture.slurm.answers = [:]
    #expect(try fixture.end(after: 40) == nil)
    #expect(fixture.notes.last == "Slurm answers again")
  }

  @Test("hold up nothing else where Slurm gives no answer: one question waits for it, and none for a while")
  func silence() throws {
    let fixture = try SlurmFixture()
    try started(fixture)
    try fixture.write("101 n1\n", to: "begun")
    fixture.slurm.queue = [:]
    fixture.slurm.answers["scontrol"] = SlurmAnswer(status: nil, complaint: "gave no answer in time")
    for _ in 0..<8 { #expect(try fixture.end(after: 1) == nil) }
    #expect(fixture.slurm.commands("scontrol").count == 1)
    #expect(throws: StageRefusal.self) {
      _ = try fixture.executor.start(fixture.order("sample: { network: t.h5, seeds: 0-9, name: other }"))
    }
    fixture.slurm.answers = [:]
    fixture.slurm.ends[101] =
      "JobId=101 JobName=\(fixture.handle().task) JobState=TIMEOUT Reason=TimeLimit ExitCode=0:15"
    #expect(try fixture.end(after: 60)?.outcome == .ended("Slurm's job 101 ended as TIMEOUT (TimeLimit)"))
  }

  @Test("are asked for by one question for all, at an interval")
  func questions() throws {
    let fixture = try SlurmFixture()
    try started(fixture)
    for _ in 0..<60 {
      fixture.seconds += 1
      _ = try fixture.executor.news()
    }
    #expect((4...5).contains(fixture.slurm.commands("squeue").count))
  }

  @Test("are cancelled while they wait, and told to save where they run")
  func stopping() throws {
    let fixture = try SlurmFixture()
    let name = "--name=\(fixture.id)/sample/1"
    try started(fixture)
    fixture.executor.stop(fixture.id, isHard: false)
    fixture.executor.stop(fixture.id, isHard: true)
    #expect(
      fixture.slurm.commands("scancel") == [
        ["scancel", "--state=PENDING", "--me", name],
        ["scancel", "--state=RUNNING", "--signal=USR1", "--batch", "--me", name],
        ["scancel", "--me", name],
      ])
  }

  @Test("are told to stop until Slurm has heard it, and do not hold up the others meanwhile")
  func unheardStop() throws {
    let fixture = try SlurmFixture()
    try started(fixture)
    fixture.slurm.answers["scancel"] = SlurmAnswer(status: nil, complaint: "gave no answer in time")
    for isHard in [false, true, true] { fixture.executor.stop(fixture.id, isHard: isHard) }
    #expect(fixture.slurm.commands("scancel").count == 1, "each would take as long as the first")
    _ = try fixture.news(after: 20)
    #expect(fixture.slurm.commands("scancel").count == 1)
    fixture.slurm.answers["scancel"] = nil
    _ = try fixture.news(after: 31)
    #expect(fixture.slurm.commands("scancel").dropFirst().map(\.count) == [3], "hard, as it was asked last")
    _ = try fixture.news(after: 100)
    #expect(fixture.slurm.commands("scancel").count == 2)
    #expect(fixture.notes.filter { $0.contains("it is told to stop again") }.count == 1)
  }

  // MARK: Shares

  @Test("are cut into no more shares than there are shards, and closed by their own command")
  func shares() throws {
    var options = SlurmOptions()
    options.byStage["sample"] = SlurmResources()
    options.byStage["sample"]?.shares = 8
    let fixture = try SlurmFixture(options)
    try fixture.program(
      #"echo "$*" >>"runs-$SLURM_ARRAY_TASK_ID"; echo '{"stage":"x","done":10,"total":10,"unit":"images"}' >&3"#)
    let step = "sample: { network: teacher.h5, seeds: 0-29, shard-size: 10 }"
    _ = try fixture.executor.start(fixture.order(step))
    #expect(fixture.slurm.commands("sbatch")[0].contains("--array=1-3"))
    let tasks = try (1...3).map { try fixture.batch(task: $0) }
    for task in tasks { task.waitUntilExit() }
    #expect(try String(contentsOfFile: fixture.job + "/runs-2", encoding: .utf8).contains("--shards=2/3"))
    let news = try fixture.news()
    #expect(news.contains { if case .progress(let progress) = $0 { progress.done == 30 } else { false } }, "\(news)")
    let closing = try #require(fixture.slurm.commands("sbatch").last)
    #expect(closing.contains("--job-name=\(fixture.id)/sample/1/close") && fixture.slurm.commands("sbatch").count == 2)
    // A daemon that dies now.
    fixture.slurm.queue["\(fixture.id)/sample/1"] = nil
    fixture.restart()
    #expect(try fixture.executor.attach(fixture.id, folder: fixture.job, handle: fixture.handle()) == .stage)
    let batch = try fixture.batch("batch-close")
    batch.waitUntilExit()
    #expect(try fixture.end()?.outcome == .exited(0))
    #expect(try !String(contentsOfFile: fixture.job + "/runs-", encoding: .utf8).contains("--shards"))
  }

  @Test("of the kind score are put together from as many shares as were made, by the program that makes them")
  func scoreShares() throws {
    let fixture = try SlurmFixture()
    try fixture.program(#"echo "$*" >>"runs-$SLURM_ARRAY_TASK_ID""#, name: "sid-score")
    let step = "score: { samples: s.h5, reference: r.h5, features: f.h5, name: sample, slurm: { shares: 3 } }"
    _ = try fixture.executor.start(fixture.order(step))
    #expect(fixture.slurm.commands("sbatch")[0].contains("--array=1-3"))
    for task in (try (1...3).map { try fixture.batch(task: $0) }) { task.waitUntilExit() }
    #expect(try fixture.end() == nil)
    #expect(fixture.slurm.commands("sbatch").count == 2)
    let batch = try fixture.batch("batch-close")
    batch.waitUntilExit()
    #expect(try fixture.end()?.outcome == .exited(0))
    let own = "--output=sample.h5 --progress-fd=3 it's"
    for (task, last) in [("1", "--share=1/3"), ("2", "--share=2/3"), ("3", "--share=3/3"), ("", "--shares=3")] {
      #expect(try String(contentsOfFile: fixture.job + "/runs-\(task)", encoding: .utf8) == "\(own) \(last)\n")
    }
  }

  @Test("of the kind reference are merged from their shares, which go then")
  func referenceShares() throws {
    let fixture = try SlurmFixture()
    try fixture.program(
      #"echo "$*" >>"runs-$SLURM_ARRAY_TASK_ID"; for a; do case $a in --output=*) : >"${a#*=}";; esac; done"#,
      name: "sid-score")
    _ = try fixture.executor.start(
      fixture.order("reference: { dataset: d.zip, features: f.h5, name: sample, slurm: { shares: 2 } }"))
    for task in (try (1...2).map { try fixture.batch(task: $0) }) { task.waitUntilExit() }
    #expect(try fixture.end() == nil)
    let batch = try fixture.batch("batch-close")
    batch.waitUntilExit()
    #expect(try fixture.end()?.outcome == .exited(0))
    #expect(
      try String(contentsOfFile: fixture.job + "/runs-2", encoding: .utf8)
        == "--progress-fd=3 it's --share=2/2 --output=.sample.share-2.h5\n")
    #expect(
      try String(contentsOfFile: fixture.job + "/runs-", encoding: .utf8)
        == "merge .sample.share-1.h5 .sample.share-2.h5 --output=sample.h5 --progress-fd=3\n")
    let left = try FileManager.default.contentsOfDirectory(atPath: fixture.job).filter { $0.contains("share-") }
    #expect(left.isEmpty && access(fixture.job + "/sample.h5", F_OK) == 0)
  }

  @Test("end as their worst share does, and one that was lost makes another attempt")
  func worstShare() throws {
    var options = SlurmOptions()
    options.resources.shares = 2
    for (ends, expected) in [
      (["0", "65"], StageOutcome.exited(65)), (["75", "0"], .exited(75)), (["75", "65"], .exited(65)),
      (["137", "0"], .signaled(9)), (["0", nil], .ended("Slurm's job 101 ended as NODE_FAIL (NodeFail)")),
    ] as [([String?], StageOutcome)] {
      let fixture = try SlurmFixture(options)
      _ = try fixture.executor.start(fixture.order("sample: { network: teacher.h5, seeds: 0-29, shard-size: 15 }"))
      for (index, end) in ends.enumerated() { if let end { try fixture.write(end + "\n", to: "end-\(index + 1)") } }
      fixture.slurm.queue = [:]
      fixture.slurm.ends[101] =
        "JobId=101 JobName=\(fixture.handle().task) JobState=NODE_FAIL Reason=NodeFail ExitCode=0:0"
      #expect(try fixture.end()?.outcome == expected)
    }
  }

  @Test("that train run as ranks where they ask for several tasks")
  func ranks() throws {
    let fixture = try SlurmFixture()
    let step = "distill: { teacher: t.h5, duration-kimg: 1, slurm: { tasks: 3, cpus: 2, nodes: 2 } }"
    _ = try fixture.executor.start(fixture.order(step))
    let command = fixture.slurm.commands("sbatch")[0]
    #expect(command.contains("--ntasks=3") && command.contains("--nodes=2") && command.contains("--cpus-per-task=2"))
    let script = try String(contentsOfFile: "\(fixture.job)/.slurm-1/batch", encoding: .utf8)
    #expect(script.contains("srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=2"))
    #expect(!script.contains("SID_PARENT_PID"))
  }

  // MARK: Answers

  @Test("come from programs without a shell: what they print, how they end, and not later than they are of use")
  func programs() throws {
    let fixture = try SlurmFixture()
    let programs = SlurmPrograms()
    try fixture.program("echo \"$1\"; echo no >&2; exit 3", name: "a")
    let answer = try programs.run([fixture.folder.file("a"), "$HOME; it's"], holding: nil)
    #expect(answer == SlurmAnswer(status: 3, output: "$HOME; it's\n", complaint: "no"))
    // A full queue, for which sbatch waits by itself.
    try fixture.program(
      "echo 'sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying' >&2; sleep 60", name: "b")
    let start = ContinuousClock.now
    let full = try programs.run([fixture.folder.file("b")], holding: nil)
    #expect(full.status == 1 && ContinuousClock.now - start < .seconds(15))
    #expect(throws: Failure.self) { try programs.run(["no-such-program-of-slurm"], holding: nil) }
    try programs.ask([fixture.folder.file("a"), "x"])
    var late: SlurmAnswer?
    while late == nil { late = programs.answer() }
    #expect(late?.output == "x\n" && programs.descriptor == nil)
  }

  @Test("are read from what squeue says, whatever else it says")
  func queue() {
    let queue = SlurmQueue(
      """
      slurm_load_jobs: a warning
      12_1|RUNNING|a/b/1|None
      12_2|PENDING|a/b/1|Resources (a|b)
      13|CANCELLED|c/d/2|None
      |RUNNING|x|None
      14|what is it|x|None
      15|COMPLETING|e/f/3|None
      """)
    #expect(queue.active("a/b/1").map(\.state) == ["RUNNING", "PENDING"])
    #expect(queue.active("c/d/2").isEmpty && queue.ended("c/d/2")?.number == 13)
    #expect(queue.active("e/f/3").count == 1 && queue.jobs["x"] == nil)
  }

  @Test("what accounts remember")
  func accounts() {
    #expect(SlurmEnd(sacct: "CANCELLED by 0|0:0|a/b\n", name: "a/b")?.state == "CANCELLED")
    #expect(SlurmEnd(sacct: "COMPLETED|0:0|a/b\nFAILED|2:0|a/b\n", name: "a/b")?.state == "FAILED")
    #expect(SlurmEnd(sacct: "FAILED|2:0|another\n", name: "a/b") == nil && SlurmEnd(sacct: "", name: "") == nil)
  }

  @Test("machines whose kernels lack something are told of once")
  func machines() throws {
    let fixture = try SlurmFixture()
    try started(fixture)
    try fixture.write("n1 landlock 0 linux 5.10.0\nn2 landlock 4 linux 6.8.0\n???\n", to: "machines")
    try fixture.write("0\n", to: "end")
    #expect(try fixture.end() != nil)
    #expect(fixture.notes.filter { $0.contains("n1: no Landlock") }.count == 1 && fixture.notes.count == 1)
    #expect(
      try String(contentsOfFile: fixture.folder.file(".machines"), encoding: .utf8)
        == "n1 landlock 0 linux 5.10.0\nn2 landlock 4 linux 6.8.0\n")
  }
}

/// Something else came about.
private struct Unexpected: Error { let what: String }
