import JobFolder

/// An attempt at a step that was counted.
package struct Attempt: Sendable {
  /// The job as it stood in the queue.
  package let entry: QueueEntry
  /// All steps of the job.
  package let steps: [StepPlan]
  /// The step; of a job whose steps are all done, the last.
  package let step: StepPlan
  /// What is on the disk of it, and what the stage has reported since.
  package var status: JobStatus
  /// The files in `incoming/` that ask for its stop, each with its mark; removed when the job has its place.
  package var requests: [String: String] = [:]
}

/// A job in `active/` that this daemon works on: where it is in its course.
package enum JobAtWork: Sendable {
  /// It is being moved there, and looked at.
  case opening(QueueEntry)
  /// Its stage was found at work; its steps are being looked at.
  case reattaching(QueueEntry, JobStatus)
  /// An attempt is counted; it begins when nobody writes in the job's folder any more.
  case starting(Attempt, FolderWait)
  /// The stage is at work.
  case running(Attempt, Run)
  /// The stage has ended well, and what it left is being looked at.
  case ended(Attempt, stop: StopReason?, seconds: Double)
  /// A step is done, and who comes next is being decided: this job's next step (nil where none is left) or another job.
  case between(Attempt, next: StepPlan?)
  /// All its steps are done, and what they come to is being written; what is no record of a step makes it fail.
  case finishing(Attempt)
  /// It is being moved to its next place.
  case leaving(QueueEntry, StepPlan?, requests: [String: String])

  /// Waiting for processes of an earlier attempt, which are being stopped: SIGTERM first, SIGKILL when their time is over.
  package struct FolderWait: Sendable {
    let since: Double
    var lastTry: Double
    var isTold = false
    /// Why its stage is told to stop as soon as it is at work.
    var stop: StopReason?
  }

  /// A stage at work.
  package struct Run: Sendable {
    var since: Double
    /// How long the step has run in earlier attempts.
    let secondsBefore: Double
    /// How long it may run in all its attempts.
    let timeoutSeconds: Double?
    /// Why it was told to stop.
    var stop: StopReason?
    /// Whether it waits for its turn where it runs, which is none of its time.
    var isWaiting = false
    /// How long it had run when it began to wait.
    var secondsBeforeWait = 0.0
    /// When it is killed, once it was told to stop.
    var killTime: Double?
    /// When its status was written last, and whether it says what there is to say.
    var lastWrite: Double
    var isWritten = true

    /// How often `status.json` follows the progress.
    static let writeSeconds = 1.0

    /// How long it has run, in this attempt.
    func seconds(_ now: Moment) -> Double { secondsBeforeWait + (isWaiting ? 0 : now.seconds - since) }
    /// How long until it has run for as long as it may.
    func secondsToTimeout(_ now: Moment) -> Double? {
      killTime == nil && !isWaiting ? timeoutSeconds.map { $0 - secondsBefore - seconds(now) } : nil
    }
    /// How long until it is killed.
    func secondsToKill(_ now: Moment) -> Double? { killTime.map { $0 - now.seconds } }
    /// How long until its status has to be written; nil where it says what there is to say.
    func secondsToWrite(_ now: Moment) -> Double? {
      isWritten ? nil : max(0, Self.writeSeconds - (now.seconds - lastWrite))
    }
  }

  /// The job as it stood in the queue.
  var entry: QueueEntry {
    switch self {
    case .opening(let entry), .reattaching(let entry, _), .leaving(let entry, _, _): entry
    case .starting(let attempt, _), .running(let attempt, _), .ended(let attempt, _, _), .between(let attempt, _),
      .finishing(let attempt):
      attempt.entry
    }
  }

  /// The attempt, where one is under way.
  var attempt: Attempt? {
    switch self {
    case .starting(let attempt, _), .running(let attempt, _), .ended(let attempt, _, _), .between(let attempt, _),
      .finishing(let attempt):
      attempt
    case .opening, .reattaching, .leaving: nil
    }
  }

  /// The step whose attempt was counted.
  var step: StepPlan? { if case .leaving(_, let step, _) = self { step } else { attempt?.step } }

  /// The requests that are answered when it has its place; nil where it is not on the way there.
  var requestsAtEnd: [String: String]? {
    switch self {
    case .leaving(_, _, let requests): requests
    case .finishing(let attempt): attempt.requests
    default: nil
    }
  }

  /// The stage at work.
  var run: Run? { if case .running(_, let run) = self { run } else { nil } }

  /// What runs its stage, or will.
  func executor(_ rules: ExecutorRules) -> ExecutorRule {
    var handle = attempt?.status.handle
    if case .reattaching(_, let status) = self { handle = status.handle }
    if let known = handle.flatMap({ StageHandle($0) }) { return rules.rule(named: known.executor) }
    return rules.rule(stage: step?.stage ?? entry.stage)
  }

  /// What the scheduler counts.
  func slot(_ rules: ExecutorRules) -> Scheduler.Running {
    Scheduler.Running(
      stage: step?.stage ?? "", user: entry.user, priority: entry.priority, executor: executor(rules).name)
  }
}
