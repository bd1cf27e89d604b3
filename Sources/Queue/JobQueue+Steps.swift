import Diagnostics
import Foundation
import JobFolder

/// How a job goes through `active/`: it is opened and looked at, an attempt at its first step that is not done is counted,
/// the stage is started, told of and concluded, and so on to its end.
extension JobQueue {
  /// The job stands in `active/`.
  mutating func activated(_ id: JobID) -> [Action] {
    waiting[id] = nil
    places[id] = nil
    return []
  }

  /// What stands in a job's folder is known.
  mutating func looked(_ id: JobID, _ look: JobLook, _ now: Moment) -> [Action] {
    let next = look.next.map { look.steps[$0] }
    // Where all are done it is the last one that was attempted.
    let current = next ?? look.lastStep
    switch atWork[id] {
    case .opening(let entry):
      return goOn(Attempt(entry: entry, steps: look.steps, step: current, status: look.status), next, now)
    case .reattaching(let entry, let status):
      // A step that is over is concluded when its end is told.
      guard let step = look.steps.first(where: { $0.name == status.step }) else {
        return goOn(Attempt(entry: entry, steps: look.steps, step: current, status: status), next, now)
      }
      let attempt = Attempt(entry: entry, steps: look.steps, step: step, status: status)
      atWork[id] = .running(attempt, run(attempt, now))
      isDone(id)
      return [log("step \"\(step.name)\" was found at work", of: id, step: step)]
    case .ended(let attempt, let stop, let seconds):
      if let problem = look.problem {
        let reason = "step \"\(attempt.step.name)\": \(attempt.step.program) ended with status 0 and \(problem)"
        return fail(id, attempt.status, reason: reason, attempt: attempt, now)
      }
      let step = attempt.step
      let told =
        step.isOwn
        ? [] : [log("step \"\(step.name)\" finished in \(DurationText.words(seconds))", of: id, step: step)]
      return told + finishedStep(id, attempt, next, stop, now)
    default: return []
    }
  }

  /// The job file, or the status, of a job that was to be opened is none.
  mutating func unreadable(_ id: JobID, _ failure: Failure, _ status: JobStatus, _ now: Moment) -> [Action] {
    guard case .opening(let entry) = atWork[id] else { return failed(.job(id), failure, now) }
    var status = status
    atWork[id] = .leaving(entry, nil, requests: [:])
    giveUp(&status, reason: failure.description, now)
    return place(id, status, from: .active) + [log("failed: \(failure)", .error, of: id)]
  }

  /// Counts an attempt at the next step and starts it; or, where none is left, brings the job to its end.
  mutating func goOn(_ attempt: Attempt, _ next: StepPlan?, _ now: Moment) -> [Action] {
    let id = attempt.entry.id
    guard let next else { return finish(id, attempt, now) }
    var status = attempt.status
    if status.step != next.name {
      status.clearStep()
      status.step = next.name
    }
    let names = attempt.steps.filter { !$0.isOwn }.map(\.name)
    status.steps = names
    status.finishedSteps = names.prefix { $0 != next.name }.map { $0 }
    guard rules.retry.allowsAnother(status) else {
      let last = status.reason.map { "; the last time: \($0)" } ?? ""
      let count =
        status.attempts >= rules.retry.mostAttempts
        ? "\(status.attempts) attempts" : "\(status.interruptions) interruptions"
      let attempt = Attempt(
        entry: attempt.entry, steps: attempt.steps, step: next, status: status, requests: attempt.requests)
      return fail(
        id, status, reason: "step \"\(next.name)\": given up after \(count) without progress\(last)", attempt: attempt,
        now)
    }
    status.state = .active
    status.started = status.started ?? now.date
    status.attempts += 1
    status.isRunning = true
    status.nextStage = next.stage
    status.boot = rules.bootID
    status.nextAttempt = nil
    status.clearProgress()
    status.handle =
      StageHandle(
        executor: (next.isOwn ? rules.executors.standard : rules.executors.rule(stage: next.stage)).name, id,
        step: next.name, started: now.date
      ).text
    let begun = Attempt(
      entry: attempt.entry, steps: attempt.steps, step: next, status: status, requests: attempt.requests)
    atWork[id] = .starting(begun, .init(since: now.seconds, lastTry: now.seconds))
    // Crash between the two, or while the stage is at work: the attempt is counted, and `recover` takes it back where only the daemon died.
    return [Action(.job(id), .write(status, id, .active)), start(begun)]
  }

  private func start(_ attempt: Attempt) -> Action {
    let id = attempt.entry.id
    return Action(.job(id), .start(id, step: attempt.step.name, attempt.status, user: attempt.entry.user))
  }

  private func run(_ attempt: Attempt, _ now: Moment) -> JobAtWork.Run {
    let limits = [attempt.step.timeoutSeconds, rules.stepTimeoutSeconds].compactMap { $0 }
    return JobAtWork.Run(
      since: now.seconds, secondsBefore: attempt.status.secondsRun ?? 0, timeoutSeconds: limits.min(),
      lastWrite: now.seconds - 60)
  }

  // MARK: Starting

  mutating func started(_ id: JobID, _ problem: Failure?, _ now: Moment) -> [Action] {
    guard case .starting(let attempt, let wait) = atWork[id] else { return [] }
    atWork[id] = .running(attempt, run(attempt, now))
    isDone(id)
    troubles.isOver(atWork[id]?.executor(rules.executors).name ?? "")
    let attempts = attempt.status.attempts
    let again = attempts > 1 ? ", attempt \(attempts) of \(rules.retry.mostAttempts)" : ""
    let told = log(
      "step \"\(attempt.step.name)\" (\(attempt.step.program)) started\(again)", of: id, step: attempt.step)
    let asked = wait.stop.map { stop(id, $0, now) } ?? []
    return (problem.map { [log("\($0)", .error, of: id, step: attempt.step)] } ?? []) + [told] + asked
  }

  /// What a stage would say of its inputs, its program or the machine counts as if it had.
  mutating func notStarted(_ id: JobID, _ outcome: StageOutcome, _ why: String, _ now: Moment) -> [Action] {
    guard case .starting(let attempt, let wait) = atWork[id] else { return [] }
    return conclude(attempt, outcome, lastLine: why, stop: wait.stop, seconds: 0, now)
  }

  mutating func folderHeld(_ id: JobID, _ now: Moment) -> [Action] {
    guard case .starting(let attempt, var wait) = atWork[id] else { return [] }
    let isOver = now.seconds - wait.since > rules.stopTimeoutSeconds
    let isDue = !wait.isTold || isOver
    (wait.isTold, wait.lastTry) = (true, now.seconds)
    atWork[id] = .starting(attempt, wait)
    return isDue ? [Action(.job(id), .stopLeftovers(id, isHard: isOver))] : []
  }

  // MARK: At work

  /// What a stage waits for its turn where it runs is none of its time.
  mutating func waits(_ id: JobID, _ now: Moment) -> [Action] {
    guard case .running(let attempt, var run) = atWork[id], !run.isWaiting else { return [] }
    (run.secondsBeforeWait, run.isWaiting) = (run.seconds(now), true)
    atWork[id] = .running(attempt, run)
    return []
  }

  mutating func begins(_ id: JobID, _ now: Moment) -> [Action] {
    guard case .running(let attempt, var run) = atWork[id], run.isWaiting else { return [] }
    (run.isWaiting, run.since) = (false, now.seconds)
    atWork[id] = .running(attempt, run)
    return [log("step \"\(attempt.step.name)\" has its turn", of: id, step: attempt.step)]
  }

  /// What time alone brings about for the jobs at work.
  mutating func attend(_ now: Moment) -> [Action] {
    var actions: [Action] = []
    for (id, job) in atWork.sorted(by: { $0.key < $1.key }) {
      switch job {
      case .starting(let attempt, var wait) where !isStopping && now.seconds - wait.lastTry >= Self.lockSeconds:
        wait.lastTry = now.seconds
        atWork[id] = .starting(attempt, wait)
        actions.append(start(attempt))
      case .running(let attempt, let run): actions += attend(id, attempt, run, now)
      case .between(let attempt, let next): actions += decide(id, attempt, next, now)
      default: break
      }
    }
    return actions
  }

  private mutating func attend(
    _ id: JobID, _ attempt: Attempt, _ run: JobAtWork.Run, _ now: Moment
  ) -> [Action] {
    var actions: [Action] = []
    var run = run
    if let seconds = run.secondsToTimeout(now), seconds <= 0 {
      actions.append(
        log(
          "step \"\(attempt.step.name)\" has run for as long as it may; stopped", .warning, of: id, step: attempt.step))
      actions += stop(id, .timeout(seconds: run.timeoutSeconds ?? 0), now)
      run = atWork[id]?.run ?? run
    }
    if let seconds = run.secondsToKill(now), seconds <= 0 {
      actions.append(
        log("step \"\(attempt.step.name)\" did not stop in time; killed", .warning, of: id, step: attempt.step))
      actions.append(Action(.job(id), .stop(id, isHard: true)))
      run.killTime = now.seconds + 5
    }
    if run.secondsToWrite(now) == 0 {
      // The progress that people read may wait; a full disk is the stage's own to report.
      (run.isWritten, run.lastWrite) = (true, now.seconds)
      actions.append(Action(.progress, .showProgress(attempt.status, id)))
    }
    atWork[id] = .running(attempt, run)
    return actions
  }

  /// Tells a step to stop at its next checkpoint.
  mutating func stop(_ id: JobID, _ reason: StopReason, _ now: Moment) -> [Action] {
    guard case .running(let attempt, var run) = atWork[id] else { return [] }
    if run.stop.map({ $0.weight < reason.weight }) ?? true { run.stop = reason }
    let isTold = run.killTime != nil
    if !isTold { run.killTime = now.seconds + rules.stopTimeoutSeconds }
    atWork[id] = .running(attempt, run)
    return isTold ? [] : [Action(.job(id), .stop(id, isHard: false))]
  }

  /// A stage has reported.
  mutating func progressed(_ id: JobID, _ progress: StageProgress, _ now: Moment) -> [Action] {
    guard case .running(var attempt, var run) = atWork[id] else { return [] }
    attempt.status.secondsRun = run.secondsBefore + run.seconds(now)
    attempt.status.take(progress)
    run.isWritten = false
    atWork[id] = .running(attempt, run)
    return [Action(.progress, .showBar(step: attempt.step.name, attempt.status))]
  }

  /// A stage has ended.
  mutating func ended(_ id: JobID, _ outcome: StageOutcome, _ lastLine: String?, _ now: Moment) -> [Action] {
    guard case .running(var attempt, let run) = atWork[id] else { return [] }
    let seconds = run.seconds(now)
    attempt.status.secondsRun = run.secondsBefore + seconds
    share.add(seconds, to: attempt.entry.user, now: now.date)
    counters.add(seconds, stage: attempt.step.stage)
    round.hurry(now)
    return [Action(.progress, .finishBar(step: attempt.step.name, attempt.status))]
      + conclude(attempt, outcome, lastLine: lastLine, stop: run.stop, seconds: seconds, now)
  }
}

extension JobStatus {
  /// Takes up what a stage has reported.
  mutating func take(_ progress: StageProgress) {
    percent = progress.percent
    done = progress.done
    total = progress.total
    unit = progress.unit
    rate = progress.rate
    etaSeconds = progress.etaSeconds
    if progress.done > farthest {
      // It has come farther than ever: the count of attempts begins anew with this one.
      farthest = progress.done
      attempts = 1
      interruptions = 0
    }
  }
}
