import Diagnostics
import Files
import Foundation
import JobFolder
import Queue

/// Hands stages to Slurm: a batch job for each step, or an array of shares and then a job that closes the step.
///
/// **Never twice at once.** A batch job does nothing without the lock of the job's folder and the attempt's own folder in it
/// (`SlurmAttempt`), which is made before sbatch is asked. So an answer that is lost, a submission that arrives late, and a job
/// that was taken back do no harm: what is settled is settled under that lock.
///
/// **After a crash** the daemon finds its job by its name, the handle's task. One that Slurm does not have any more is settled
/// by what it wrote itself, then by the step's record, and only then by what Slurm remembers.
package final class SlurmExecutor: Executor {
  package static let standardName = "slurm"
  /// How often it is looked whether a stage has reported or ended: these are files.
  private static let lookSeconds = 1.0
  /// How soon Slurm is asked again that gave no answer.
  static let troubleSeconds = 30.0

  package let name = SlurmExecutor.standardName
  let options: SlurmOptions
  let roots: InputRoots
  /// The folder of the daemon's own programs.
  let control: String
  let commands: any SlurmCommands
  let seconds: () -> Double
  let note: (String) -> Void
  /// Takes what a machine's kernel has.
  let machines: SlurmMachines

  var stages: [JobID: SlurmStage] = [:]
  /// Jobs whose folders were held when a step was to begin.
  private(set) var heldFolders: Set<JobID> = []
  /// What Slurm said last, and when it was asked.
  private(set) var known: (queue: SlurmQueue, asked: Double)?
  private var asked: Double?
  private var nextQuestion = 0.0
  private var lastLook = -Double.infinity
  private var isTroubled = false
  /// Until when nothing is asked that can wait: a command gave no answer in time, and each would hold up all else for as long.
  private var silentUntil = -Double.infinity

  /// - Parameters:
  ///   - options: what steps ask for.
  ///   - roots: beneath which stages may read, besides their job's folder.
  ///   - control: the folder of the daemon's own programs.
  ///   - machines: takes what the kernels of the nodes have.
  ///   - commands: how Slurm is spoken to.
  ///   - seconds: a clock that never goes back.
  ///   - note: tells people.
  package init(
    _ options: SlurmOptions, roots: InputRoots, control: String, machines: SlurmMachines,
    commands: any SlurmCommands, seconds: @escaping () -> Double, note: @escaping (String) -> Void
  ) {
    (self.options, self.roots, self.control, self.machines) = (options, roots, control, machines)
    (self.commands, self.seconds, self.note) = (commands, seconds, note)
  }

  // MARK: Starting

  package func start(_ order: StageOrder) throws -> StageStart {
    guard let lock = try SharedLock.take(folder: order.folder) else {
      heldFolders.insert(order.id)
      return .folderHeld
    }
    heldFolders.remove(order.id)
    // Nobody holds the lock: what earlier attempts left behind is theirs no more.
    try SlurmAttempt.removeAll(in: order.folder)
    let resources = options.resources(of: order.step)
    let work = try SlurmWork(order, resources)
    let submission = SlurmSubmission(order, resources, work, saveSeconds: options.saveSeconds)
    // Heads the attempt, and makes the folder that Slurm writes the log in.
    _ = try StageLog(folder: order.folder, step: order.step.name, heading: order.heading)
    let attempt = try attempt(order, work, resources, submission)
    do {
      let number = try submit(submission.arguments(attempt), holding: lock.descriptor)
      attempt.keep(number: number, isClosing: false)
      stages[order.id] = SlurmStage(order.id, attempt, number: number, since: seconds())
    } catch {
      // Whatever became of the question: under the lock, without the attempt's folder, nothing of it can begin.
      try SlurmAttempt.removeAll(in: order.folder)
      throw error
    }
    nextQuestion = min(nextQuestion, seconds() + options.pollSeconds)
    return .started(problem: nil)
  }

  private func attempt(
    _ order: StageOrder, _ work: SlurmWork, _ resources: SlurmResources, _ submission: SlurmSubmission
  ) throws -> SlurmAttempt {
    let task = order.handle.task
    let script = BatchScript(
      folder: order.folder, task: task, attempt: SlurmAttempt.name(task),
      roots: String(decoding: try JSONEncoder().encode(roots.realFolders), as: UTF8.self),
      control: "\(control)/sidctl", limits: order.limits)
    var scripts: [String: String] = [:]
    if work.shares > 1 {
      scripts["batch"] = script.text(.share, work.shareCommand)
      scripts["batch-close"] = script.text(.closing(removing: work.shareFiles), work.command)
    } else if work.isRanks {
      scripts["batch"] = script.text(.ranks(cpus: resources.cpus), [])
      scripts["rank"] = script.rank(work.command)
    } else {
      scripts["batch"] = script.text(.step, work.command)
    }
    return try SlurmAttempt(
      folder: order.folder, task: task,
      plan: .init(
        program: order.step.stage.program, record: order.step.recordFile, step: order.step.name, shares: work.shares,
        closing: work.shares > 1 ? submission.closingOptions : nil),
      scripts: scripts)
  }

  /// Asks sbatch.
  /// - Returns: the job's number.
  func submit(_ arguments: [String], holding lock: Int32) throws -> Int {
    let answer: SlurmAnswer
    do {
      // Where the daemon dies, the lock says for how long sbatch goes on.
      answer = try run(arguments, holding: lock)
    } catch let failure as Failure where failure.status == .unavailable || failure.status == .temporaryFailure {
      throw StageRefusal(failure)
    }
    guard answer.isSuccess else { throw SlurmRefusal.error(answer) }
    // NUMBER or NUMBER;CLUSTER, behind whatever a site's plugins print.
    let line = answer.output.split(whereSeparator: \.isNewline).last ?? ""
    guard let number = Int(line.prefix { $0 != ";" }.filter { $0 != " " }) else {
      throw Failure(.temporaryFailure, "sbatch", "said \"\(line.prefix(80))\"; expected the number of a job".oneLine)
    }
    return number
  }

  // MARK: News

  package func news() throws -> [(job: JobID, news: StageNews)] {
    guard !stages.isEmpty else { return [] }
    let now = seconds()
    takeAnswer()
    askWhenDue(now)
    guard now - lastLook >= Self.lookSeconds else { return [] }
    lastLook = now
    for (id, stage) in stages {
      if let stop = stage.unheardStop, stop.due <= now { self.stop(id, isHard: stop.isHard) }
    }
    var news: [(job: JobID, news: StageNews)] = []
    for id in stages.keys.sorted() {
      guard var stage = stages[id] else { continue }
      do {
        news += try look(&stage).map { (id, $0) }
      } catch let failure as Failure {
        // A disk that cannot be looked at now says nothing of the stage.
        if !stage.isHeldTold { note("\(id): \(failure)") }
        stage.isHeldTold = true
        if seconds() < silentUntil {
          stages[id] = stage
          lastLook = silentUntil
          break
        }
      }
      let hasEnded = news.last.map { if case (id, .ended) = $0 { true } else { false } } ?? false
      stages[id] = hasEnded ? nil : stage
    }
    return news
  }

  private func takeAnswer() {
    guard let when = asked, let answer = commands.answer() else { return }
    asked = nil
    guard answer.isSuccess else { return trouble("squeue: \(answer.complaint)") }
    if isTroubled { note("Slurm answers again") }
    isTroubled = false
    known = (SlurmQueue(answer.output), when)
    lastLook = -.infinity
  }

  private func askWhenDue(_ now: Double) {
    guard asked == nil, now >= nextQuestion else { return }
    nextQuestion = now + options.pollSeconds
    do {
      try commands.ask(SlurmQueue.question)
      asked = now
    } catch {
      trouble("\(error)")
    }
  }

  private func trouble(_ text: String) {
    nextQuestion = seconds() + max(options.pollSeconds, Self.troubleSeconds)
    if !isTroubled { note("\(text); what Slurm has of the steps goes on, and it is asked again") }
    isTroubled = true
  }

  /// Runs a command, unless one gave no answer a moment ago.
  /// - Throws: a `Failure` where it cannot be run, or is not.
  func run(_ command: [String], holding lock: Int32? = nil) throws -> SlurmAnswer {
    guard seconds() >= silentUntil else {
      throw Failure(.temporaryFailure, command[0], "is not asked: Slurm gave no answer a moment ago")
    }
    let answer = try commands.run(command, holding: lock)
    if answer.status == nil { silentUntil = seconds() + Self.troubleSeconds }
    return answer
  }

  /// What Slurm has now. For what the last answer may be too old for.
  /// - Throws: a `Failure` where it does not answer.
  func freshQueue() throws -> SlurmQueue {
    let now = seconds()
    let answer = try run(SlurmQueue.question)
    guard answer.isSuccess else {
      throw Failure(
        .temporaryFailure, "squeue", answer.complaint, remedy: "look whether slurmctld answers: scontrol ping")
    }
    let queue = SlurmQueue(answer.output)
    known = (queue, now)
    return queue
  }

  // MARK: Stopping

  package func stop(_ id: JobID, isHard: Bool) {
    guard let stage = stages[id] else { return }
    // By its name: a number may be another job's, where slurmctld has lost what it knew.
    let which = ["--me", "--name=\(stage.jobName)"]
    let orders =
      isHard
      ? [["scancel"] + which]
      : [
        // What has not begun has nothing to save.
        ["scancel", "--state=PENDING"] + which,
        ["scancel", "--state=RUNNING", "--signal=USR1", "--batch"] + which,
      ]
    var problem: String?
    for order in orders {
      do {
        let answer = try run(order)
        if !answer.isSuccess { problem = "scancel: \(answer.complaint)" }
      } catch {
        problem = "\(error)"
      }
    }
    if let problem, stage.unheardStop == nil { note("\(id): \(problem); it is told to stop again") }
    stages[id]?.unheardStop = problem.map { _ in (isHard, seconds() + Self.troubleSeconds) }
    nextQuestion = min(nextQuestion, seconds() + 1)
  }

  package var descriptors: [Int32] { commands.descriptor.map { [$0] } ?? [] }

  package var pollSeconds: Double? { stages.isEmpty ? nil : Self.lookSeconds }
}
