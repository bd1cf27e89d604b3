import Diagnostics
import Files
import Foundation
import JobFolder
import Queue
import Spool
import TestSupport

/// Slurm as a test wants it: it takes jobs, has them for as long as the test says, and answers as it is told.
final class ScriptedSlurm: SlurmCommands {
  /// What was asked, each command with its arguments.
  private(set) var asked: [[String]] = []
  /// What squeue says, by a job's name.
  var queue: [String: (number: Int, state: String, reason: String)] = [:]
  /// What a command answers in place of what it would.
  var answers: [String: SlurmAnswer] = [:]
  /// What scontrol says of a job.
  var ends: [Int: String] = [:]
  /// Which commands are not installed.
  var missing: Set<String> = []
  /// What happens while sbatch is at work, before it answers.
  var whileSubmitting: () -> Void = {}
  private var next = 100
  private var question: SlurmAnswer?

  func commands(_ name: String) -> [[String]] { asked.filter { $0[0] == name } }

  func run(_ command: [String], holding lock: Int32?) throws -> SlurmAnswer {
    asked.append(command)
    if missing.contains(command[0]) {
      throw Failure(.unavailable, command[0], "cannot be run: No such file or directory")
    }
    if command[0] == "sbatch" {
      whileSubmitting()
      if let answer = answers["sbatch"], answer.status != nil { return answer }
      next += 1
      let name = command.first { $0.hasPrefix("--job-name=") }.map { String($0.dropFirst(11)) } ?? ""
      queue[name] = (next, "PENDING", "Priority")
      return answers["sbatch"] ?? SlurmAnswer(status: 0, output: "\(next)\n")
    }
    if let answer = answers[command[0]] { return answer }
    switch command[0] {
    case "squeue":
      return SlurmAnswer(
        status: 0, output: queue.map { "\($1.number)|\($1.state)|\($0)|\($1.reason)\n" }.sorted().joined())
    case "scontrol":
      guard let number = command.last.flatMap({ Int($0) }), let end = ends[number] else {
        return SlurmAnswer(status: 1, complaint: "slurm_load_jobs error: Invalid job id specified")
      }
      return SlurmAnswer(status: 0, output: end + "\n")
    case "sacct": return SlurmAnswer(status: 1, complaint: "Slurm accounting storage is disabled")
    default: return SlurmAnswer(status: 0)
    }
  }

  func ask(_ command: [String]) throws { question = try run(command, holding: nil) }
  func answer() -> SlurmAnswer? {
    defer { question = nil }
    return question
  }
  let descriptor: Int32? = nil
}

/// The folder of a job that Slurm is to run a step of, on the disk.
final class SlurmFixture {
  /// What the executor has from outside.
  private final class World {
    var seconds = 1000.0
    var notes: [String] = []
  }

  let folder: TemporaryFolder
  let slurm = ScriptedSlurm()
  let id = JobID(stamp: "20261122T221500Z", name: "digits", suffix: "7f3a")
  private let world = World()
  private let options: SlurmOptions
  private(set) var executor: SlurmExecutor

  var seconds: Double {
    get { world.seconds }
    set { world.seconds = newValue }
  }
  var notes: [String] { world.notes }
  /// The job's folder.
  var job: String { folder.file("active") }
  var attempts: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: job)) ?? []).filter { $0.hasPrefix(".slurm-") }
  }

  init(_ options: SlurmOptions = SlurmOptions()) throws {
    self.options = options
    folder = try TemporaryFolder()
    executor = Self.executor(options, folder, slurm, world)
    try FileManager.default.createDirectory(atPath: job, withIntermediateDirectories: true)
  }

  /// Another daemon.
  func restart() { executor = Self.executor(options, folder, slurm, world) }

  private static func executor(
    _ options: SlurmOptions, _ folder: TemporaryFolder, _ slurm: ScriptedSlurm, _ world: World
  ) -> SlurmExecutor {
    SlurmExecutor(
      options, roots: InputRoots([folder.path]), control: "/nowhere",
      machines: SlurmMachines(folder.path, note: { world.notes.append($0) }), commands: slurm,
      seconds: { world.seconds }, note: { world.notes.append($0) })
  }

  func order(_ step: String = "sample: { network: teacher.h5, seeds: 0-9 }", attempt: Int = 1, priority: Int = 0) throws
    -> StageOrder
  {
    let file = try JobFile(Array("job: digits\nsteps:\n  - \(step)\n".utf8))
    let step = file.steps[0]
    return StageOrder(
      id: id, step: step, handle: handle(step.name, attempt),
      heading: StepLogHeading(
        date: Date(timeIntervalSince1970: 1_800_000_000), program: step.stage.program, attempt: attempt),
      program: folder.file(step.stage.program),
      arguments: { threads in
        ["--output=\(step.name).h5", "--progress-fd=3", "it's"] + (threads.map { ["--threads=\($0)"] } ?? [])
      }, folder: job, limits: StepLimits(), priority: priority)
  }

  func handle(_ step: String = "sample", _ attempt: Int = 1) -> StageHandle {
    StageHandle(executor: "slurm", task: "\(id)/\(step)/\(attempt)")
  }

  /// Puts a program in the place of a stage's.
  func program(_ script: String, name: String = "sid-sample") throws {
    try Data(("#!/bin/sh\n" + script + "\n").utf8).write(to: URL(fileURLWithPath: folder.file(name)))
    chmod(folder.file(name), 0o755)
  }

  /// What a batch job writes.
  func write(_ text: String, to name: String, attempt: Int = 1) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(job)/.slurm-\(attempt)/\(name)"))
  }

  /// Runs a batch job as Slurm would.
  func batch(_ name: String = "batch", attempt: Int = 1, task: Int? = nil) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["\(job)/.slurm-\(attempt)/\(name)"]
    var environment = ["PATH": "/usr/bin:/bin", "SLURM_JOB_ID": "101"]
    environment["SLURM_ARRAY_TASK_ID"] = task.map { String($0) }
    process.environment = environment
    let log = job + "/log/sample.log"
    process.standardError = FileHandle(forWritingAtPath: log)
    (process.standardError as? FileHandle)?.seekToEndOfFile()
    try process.run()
    return process
  }

  /// What has happened after so many seconds.
  func news(after pause: Double = 20) throws -> [StageNews] {
    seconds += pause
    // What is asked now is answered at the next look.
    var news = try executor.news()
    seconds += 2
    news += try executor.news()
    return news.map(\.news)
  }

  /// The end that was told of, with the last line.
  func end(after pause: Double = 20) throws -> (outcome: StageOutcome, lastLine: String?)? {
    for news in try news(after: pause) { if case .ended(let outcome, let line) = news { return (outcome, line) } }
    return nil
  }
}
