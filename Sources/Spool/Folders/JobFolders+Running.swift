import Queue
import JobFolder
import Diagnostics
import Foundation

/// Running: from `queue/` to `active/` and from there to where the job belongs.
extension JobFolders {
  /// Moves a job that stands in `active/` and is not being run to where it belongs: to `failed/` if it was given up, to
  /// `held/` if it was put aside, else to the head of the queue.
  ///
  /// No process may be at work in its folder any more.
  /// - Throws: a `Failure`, `dataError` where the job's status is missing or damaged.
  package func recover(_ id: JobID) throws {
    var status = try status(of: id, .active)
    if [.failed, .held].contains(status.state) { return try move(id, from: .active, to: status.state) }
    status.state = .queue
    if status.isRunning {
      // The machine stayed up, so the step did not take it down: this was the daemon's death, not the step's.
      if status.boot == bootID {
        status.attempts -= 1
        status.interruptions += 1
      }
      status.isRunning = false
    }
    try write(status, of: id, .active)
    try move(id, from: .active, to: .queue)
  }

  /// What stands in the queue.
  package func entries() throws -> [QueueEntry] { try jobs(.queue).map { try entry($0) } }

  /// A job of the queue as the scheduler sees it.
  /// - Throws: a `Failure`, `dataError` where the job's status is missing or damaged.
  package func entry(_ id: JobID) throws -> QueueEntry {
    var status = try status(of: id, .queue)
    if status.nextStage == nil {
      do {
        status.nextStage = try nextStep(of: jobFile(of: id, .queue), id, .queue)?.stage.stage
      } catch let failure as Failure where failure.status == .dataError {
        // A job file that is none: the job fails with the reason when its turn comes, for which it needs no slot.
      }
    }
    return QueueEntry(id, status)
  }

  /// The job whose turn it is where one step runs at a time.
  /// - Returns: the job, or how many seconds the first deferred one still waits (infinite where there is none).
  package func next(passingOver passedOver: Set<JobID> = []) throws -> (job: JobID?, waitSeconds: Double) {
    let choice = try Scheduler(slots: StageSlots(), longestPauseSeconds: policy.longestSeconds).next(
      try entries().filter { !passedOver.contains($0.id) }, running: [], share: FairShare(), now: now()
    ) { try isReady($0) == .ready }
    return (choice.entry?.id, choice.waitSeconds)
  }

  /// Whether what a job waits for has come about.
  package enum Readiness: Equatable {
    case ready
    /// Another job is not done yet.
    case waiting
    /// It never will.
    case impossible(reason: String)
  }

  /// Looks at the jobs that one waits for.
  /// - Throws: a `Failure` where it cannot be seen now where one of them stands.
  package func isReady(_ entry: QueueEntry) throws -> Readiness {
    for id in entry.after {
      if try isThere(id, .done) { continue }
      if try [JobState.queue, .active, .held].contains(where: { try isThere(id, $0) }) { return .waiting }
      return .impossible(
        reason: try isThere(id, .failed)
          ? "\(id), which it waits for, has failed" : "\(id), which it waits for, is gone")
    }
    return .ready
  }

  /// Whether a job stands in a state's folder.
  func isThere(_ id: JobID, _ state: JobState) throws -> Bool { try files.entry(folder(of: id, state)) != nil }

  /// Moves a job from the queue to the slot, without what a retry is to make again.
  package func activate(_ id: JobID) throws {
    try discardOutputs(of: id)
    try move(id, from: .queue, to: .active)
  }

  /// Counts an attempt at a step, on disk, before it starts.
  /// - Returns: the status, or nil where the step has used up its attempts: the job stands in `failed/` then.
  package func beginAttempt(_ step: JobStep, of job: JobFile, _ id: JobID) throws -> JobStatus? {
    var status = try status(of: id, .active)
    if status.step != step.name {
      status.clearStep()
      status.step = step.name
    }
    status.steps = job.steps.map(\.name)
    status.finishedSteps = job.steps.prefix { $0.name != step.name }.map(\.name)
    guard policy.allowsAnother(status) else {
      let last = status.reason.map { "; the last time: \($0)" } ?? ""
      let count =
        status.attempts >= policy.mostAttempts ? "\(status.attempts) attempts" : "\(status.interruptions) interruptions"
      try fail(id, status, reason: "step \"\(step.name)\": given up after \(count) without progress\(last)")
      return nil
    }
    status.state = .active
    status.started = status.started ?? now()
    status.attempts += 1
    status.isRunning = true
    status.nextStage = step.stage.stage
    status.boot = bootID
    status.nextAttempt = nil
    status.clearProgress()
    try write(status, of: id, .active)
    return status
  }

  /// Why a step at work was told to stop.
  package enum StopReason: Equatable, Sendable {
    /// The daemon stops.
    case shutdown
    /// A job of higher priority takes the slot.
    case preemption
    /// This user put the job aside.
    case hold(user: String)
    /// This user gave the job up.
    case cancel(user: String)
    /// It has run for longer than it may.
    case timeout(seconds: Double)

    /// Which of two reasons counts: the heavier.
    var weight: Int {
      switch self {
      case .preemption: 0
      case .shutdown: 1
      case .timeout: 2
      case .hold: 3
      case .cancel: 4
      }
    }
  }

  /// What follows from the end of an attempt.
  package enum Conclusion: Equatable {
    /// The step is finished; the job goes on.
    case finishedStep
    /// The job waits in the queue for its next attempt.
    case deferred(seconds: Double, reason: String)
    /// The job stands in `failed/`.
    case failed(reason: String)
    /// The job stands at the head of the queue, because its step was told to stop.
    case putBack
    /// The job stands in `held/`.
    case held
  }

  /// Concludes an attempt at a step.
  /// - Parameters:
  ///   - lastLine: the last line of the stage's stderr.
  ///   - stop: why the stage was told to stop, where it was.
  package func conclude(
    _ step: JobStep, of id: JobID, _ status: JobStatus, _ outcome: StageOutcome, lastLine: String?,
    stop: StopReason? = nil
  ) throws -> Conclusion {
    var status = status
    status.isRunning = false
    if outcome == .exited(0) {
      let folder = folder(of: id, .active)
      let problem = try problem(
        with: step, in: folder, Set(files.names(in: folder)), goesByRecords: status.records == true)
      guard let problem else { return .finishedStep }
      let reason = "step \"\(step.name)\": \(step.stage.program) ended with status 0 and \(problem)"
      try fail(id, status, reason: reason)
      return .failed(reason: reason)
    }
    var reason = "step \"\(step.name)\": \(lastLine ?? outcome.description)"
    if case .signaled = outcome {
      // What it printed last, progress perhaps, is not why it ended.
      reason = "step \"\(step.name)\": \(outcome.description); see \(JobFolderNames.log)/\(step.name).log"
    }
    if outcome.mayBeRetried, let stop {
      status.attempts -= 1
      return try conclude(step, of: id, status, stop)
    }
    status.reason = reason
    guard outcome.mayBeRetried, policy.allowsAnother(status) else {
      let attempts = outcome.mayBeRetried ? " (given up after \(status.attempts) attempts)" : ""
      try fail(id, status, reason: reason + attempts)
      return .failed(reason: reason + attempts)
    }
    let pause = policy.pauseSeconds(afterAttempts: status.attempts)
    status.nextAttempt = now() + pause
    try putBack(id, status)
    return .deferred(seconds: pause, reason: reason)
  }

  /// Concludes an attempt that was told to stop and did.
  private func conclude(
    _ step: JobStep, of id: JobID, _ status: JobStatus, _ stop: StopReason
  ) throws -> Conclusion {
    switch stop {
    case .shutdown, .preemption:
      try putBack(id, status)
      return .putBack
    case .hold(let user):
      try hold(id, from: .active, status, user: user)
      return .held
    case .cancel(let user):
      let reason = Self.cancelled(by: user)
      try fail(id, status, reason: reason)
      return .failed(reason: reason)
    case .timeout(let seconds):
      let reason = "step \"\(step.name)\": ran for longer than its timeout of \(ProgressText.duration(seconds))"
      try fail(id, status, reason: reason)
      return .failed(reason: reason)
    }
  }

  /// Puts an active job back at the head of the queue.
  package func putBack(_ id: JobID, _ status: JobStatus) throws {
    var status = status
    status.state = .queue
    status.isRunning = false
    try write(status, of: id, .active)
    try move(id, from: .active, to: .queue)
  }

  /// Gives an active job up. The reason is on disk before the job moves.
  package func fail(_ id: JobID, _ status: JobStatus? = nil, reason: String) throws {
    var status = try status ?? knownStatus(of: id, .active) ?? restoredStatus(id, .active)
    status.state = .failed
    status.finished = now()
    status.isRunning = false
    status.reason = reason.oneLine
    try write(status, of: id, .active)
    // Crash here: `recover` reads the state and does the rename.
    try move(id, from: .active, to: .failed)
  }

  /// Merges the figures of a job whose steps are all finished, and moves it to `done/`.
  package func finish(_ job: JobFile, _ id: JobID) throws {
    var status = try status(of: id, .active)
    status.clearStep()
    status.state = .done
    status.steps = job.steps.map(\.name)
    status.finishedSteps = status.steps
    status.finished = now()
    let folder = folder(of: id, .active)
    try files.publish(
      JobFolderNames.summary, in: folder, try Summary.json(of: status, steps: job.steps.map(\.name), in: folder, files))
    try write(status, of: id, .active)
    // Crash here: the job goes back to the queue and comes to this point again without starting a step.
    try move(id, from: .active, to: .done)
  }
}
