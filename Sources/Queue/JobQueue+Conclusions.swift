import Diagnostics
import Foundation
import JobFolder

/// What follows from the end of an attempt, and where a job goes from `active/`.
///
/// Each way out is a status that says it, written, and then the move. Crash between the two: the job stands in `active/` and says where it
/// belongs; `recover` moves it there.
extension JobQueue {
  /// Concludes an attempt at a step.
  /// - Parameters:
  ///   - lastLine: what the stage said last.
  ///   - stop: why the stage was told to stop, where it was.
  ///   - seconds: how long this attempt ran.
  mutating func conclude(
    _ attempt: Attempt, _ outcome: StageOutcome, lastLine: String?, stop: StopReason?, seconds: Double, _ now: Moment
  ) -> [Action] {
    let (id, step) = (attempt.entry.id, attempt.step)
    var attempt = attempt
    for mark in attempt.requests.values.sorted() { attempt.status.note(mark) }
    let executor = attempt.status.handle.flatMap { StageHandle($0) }?.executor ?? rules.executors.standard.name
    attempt.status.isRunning = false
    attempt.status.handle = nil
    if outcome == .exited(0) {
      // A final name is not enough: whether the step is done its folder says.
      atWork[id] = .ended(attempt, stop: stop, seconds: seconds)
      return [Action(.job(id), .look(id, after: step.name))]
    }
    var reason = "step \"\(step.name)\": \(lastLine ?? outcome.description)"
    switch outcome {
    case .signaled, .ended:
      // What it printed last, progress perhaps, is not why it ended.
      reason = "step \"\(step.name)\": \(outcome.description); see \(JobFolderNames.log(of: step.name))"
    case .refused where stop == nil: return refused(id, attempt, reason, by: executor, now)
    default: break
    }
    if outcome.mayBeRetried, let stop {
      attempt.status.attempts -= 1
      return stopped(id, attempt, stop, now)
    }
    attempt.status.reason = reason
    guard outcome.mayBeRetried, rules.retry.allowsAnother(attempt.status) else {
      let attempts = outcome.mayBeRetried ? " (given up after \(attempt.status.attempts) attempts)" : ""
      return fail(id, attempt.status, reason: reason + attempts, attempt: attempt, now)
    }
    let pause = rules.retry.pauseSeconds(afterAttempts: attempt.status.attempts)
    attempt.status.nextAttempt = now.date + pause
    return putBack(id, attempt)
      + [log("deferred for \(DurationText.number(pause)) s: \(reason)", .warning, of: id, step: step)]
  }

  /// Takes back an attempt that was not taken where it was to run: nothing was tried.
  private mutating func refused(
    _ id: JobID, _ attempt: Attempt, _ reason: String, by executor: String, _ now: Moment
  ) -> [Action] {
    var attempt = attempt
    attempt.status.attempts -= 1
    attempt.status.reason = reason
    let pause = rules.retry.pauseSeconds(afterAttempts: 1)
    refusing[executor] = now.seconds + pause
    // As many jobs may wait for the same: told once.
    let isNew = troubles.isNew(Failure(.temporaryFailure, executor, reason), for: executor)
    let told = log(
      "\(reason); asked again in \(DurationText.number(pause)) s", .error, of: id, step: attempt.step)
    return putBack(id, attempt) + (isNew ? [told] : [])
  }

  /// Concludes an attempt that was told to stop and did.
  private mutating func stopped(_ id: JobID, _ attempt: Attempt, _ stop: StopReason, _ now: Moment) -> [Action] {
    switch stop {
    case .shutdown, .preemption: return putBack(id, attempt) + [log("put back", of: id, step: attempt.step)]
    case .hold(let user): return hold(id, attempt, user: user)
    case .cancel(let user):
      return fail(id, attempt.status, reason: Self.cancelled(by: user), attempt: attempt, now)
    case .timeout(let seconds):
      let reason =
        "step \"\(attempt.step.name)\": ran for longer than its timeout of \(DurationText.words(seconds))"
      return fail(id, attempt.status, reason: reason, attempt: attempt, now)
    }
  }

  /// A step is done: the next one, unless somebody wants it otherwise or others come first.
  mutating func finishedStep(
    _ id: JobID, _ attempt: Attempt, _ next: StepPlan?, _ stop: StopReason?, _ now: Moment
  ) -> [Action] {
    var attempt = attempt
    attempt.status.nextStage = next?.stage
    switch stop {
    case .hold(let user) where next != nil: return hold(id, attempt, user: user)
    case .cancel(let user) where next != nil:
      return fail(id, attempt.status, reason: Self.cancelled(by: user), attempt: attempt, now)
    default:
      // What was asked of a job that comes to its end is over with it.
      let requests = attempt.requests
      attempt.requests = [:]
      atWork[id] = .between(attempt, next: next)
      return removeRequests(requests) + decide(id, attempt, next, now)
    }
  }

  /// Decides whether a job goes on with its next step or lets another one pass.
  mutating func decide(_ id: JobID, _ attempt: Attempt, _ next: StepPlan?, _ now: Moment) -> [Action] {
    guard next != nil else { return goOn(attempt, nil, now) }
    if !isStopping && !isShortOfSpace {
      var entry = QueueEntry(id, attempt.status)
      entry.isStarted = true
      // It has been at work: what it waited for is done.
      entry.after = []
      let others = slots(without: id)
      let (choice, questions, _) = choose(candidates(now) + [entry], running: others, now)
      // Asked again when they are answered.
      if !questions.isEmpty { return questions }
      if choice.entry?.id == id { return goOn(attempt, next, now) }
    }
    var attempt = attempt
    attempt.status.clearStep()
    return putBack(id, attempt) + [log("put back", of: id)]
  }

  // MARK: Ways out of active/

  /// Puts a job back at the head of the queue.
  mutating func putBack(_ id: JobID, _ attempt: Attempt) -> [Action] {
    var status = attempt.status
    status.state = .queue
    status.isRunning = false
    status.handle = nil
    atWork[id] = .leaving(attempt.entry, attempt.step, requests: attempt.requests)
    return place(id, status, from: .active)
  }

  private mutating func hold(_ id: JobID, _ attempt: Attempt, user: String) -> [Action] {
    var status = attempt.status
    status.putAside(reason: "held by \(user)")
    atWork[id] = .leaving(attempt.entry, attempt.step, requests: attempt.requests)
    return place(id, status, from: .active) + [log("held by \(user)", .notice, of: id, step: attempt.step)]
  }

  /// Gives an active job up.
  mutating func fail(_ id: JobID, _ status: JobStatus, reason: String, attempt: Attempt, _ now: Moment) -> [Action] {
    var status = status
    giveUp(&status, reason: reason, now)
    atWork[id] = .leaving(attempt.entry, attempt.step, requests: attempt.requests)
    return place(id, status, from: .active) + [log("failed: \(reason)", .error, of: id)]
  }

  /// What the status of a job says that is given up.
  func giveUp(_ status: inout JobStatus, reason: String, _ now: Moment) {
    status.state = .failed
    status.finished = now.date
    status.isRunning = false
    status.handle = nil
    status.reason = reason.oneLine
  }

  /// Brings a job to its end whose steps are all done.
  mutating func finish(_ id: JobID, _ attempt: Attempt, _ now: Moment) -> [Action] {
    var status = attempt.status
    status.clearStep()
    status.handle = nil
    status.state = .done
    status.steps = attempt.steps.filter { !$0.isOwn }.map(\.name)
    status.finishedSteps = status.steps
    status.finished = now.date
    atWork[id] = .finishing(attempt)
    // Crash before the move: the job goes back to the queue and comes to this point again without starting a step.
    return [Action(.job(id), .publishSummary(status, id))] + place(id, status, from: .active)
      + [log("done: \(folder(.done))/\(id)", of: id)]
  }

  /// Writes a status and moves the job to the state that it says.
  func place(_ id: JobID, _ status: JobStatus, from state: JobState) -> [Action] {
    [
      Action(.job(id), .write(status, id, state)), Action(.job(id), .move(id, from: state, to: status.state)),
      Action(.job(id), .reached(.left(id, status.state, status))),
    ]
  }

  /// A job that was at work has its place.
  mutating func left(_ id: JobID, _ state: JobState, _ status: JobStatus) -> [Action] {
    guard let requests = atWork[id]?.requestsAtEnd else { return [] }
    atWork[id] = nil
    places[id] = nil
    isDone(id)
    switch state {
    case .queue: waiting[id] = QueueEntry(id, status)
    case .done:
      counters.done += 1
      house.retention.isDue = true
    case .failed:
      counters.failed += 1
      house.retention.isDue = true
    case .active, .held: break
    }
    return removeRequests(requests)
  }

  /// Removes the requests that the job's place answers now: what was asked, or what it makes idle.
  private func removeRequests(_ requests: [String: String]) -> [Action] {
    requests.keys.sorted().map { Action(.request($0), .removeRequest($0)) }
  }

  static func cancelled(by user: String) -> String { "cancelled by \(user)" }

  // MARK: The end

  /// The daemon is to end: stages are told to stop.
  mutating func shutDown(_ now: Moment) -> [Action] {
    guard !isStopping else { return [] }
    isStopping = true
    // Those that go on without the daemon the next one takes over.
    let stages = atWork.filter { $0.value.run != nil && !$0.value.executor(rules.executors).outlivesDaemon }
      .sorted { $0.key < $1.key }
    if stages.isEmpty { return [log("stopping")] }
    return stages.flatMap { id, job in
      let told = log(
        "stopping; step \"\(job.step?.name ?? "")\" has \(Int(rules.stopTimeoutSeconds)) s for its checkpoint", of: id,
        step: job.step)
      return [told] + stop(id, .shutdown, now)
    }
  }

  /// Puts back what waits for a folder and never started, and keeps what is to be kept.
  mutating func leave(_ now: Moment) -> [Action] {
    var actions: [Action] = []
    for (id, job) in atWork.sorted(by: { $0.key < $1.key }) {
      switch job {
      case .starting(var attempt, _):
        attempt.status.attempts -= 1
        // Where the disk refuses, the next daemon finds it in active/ and does so.
        actions += putBack(id, attempt)
      case .running(var attempt, let run):
        // It goes on without the daemon. How long it has run counts for its timeout.
        attempt.status.secondsRun = run.secondsBefore + run.seconds(now)
        actions.append(Action(.progress, .showProgress(attempt.status, id)))
      default: break
      }
    }
    return actions + saveUsage(now)
  }
}

extension JobStatus {
  /// Puts the job aside.
  mutating func putAside(reason: String) {
    state = .held
    isRunning = false
    handle = nil
    nextAttempt = nil
    self.reason = reason
  }
}
