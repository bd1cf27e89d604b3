import Queue
import JobFolder
import Diagnostics
import Files
import Foundation

/// Steps at work.
extension Daemon {
  /// Starts steps while there are slots.
  /// - Returns: how many seconds until there may be something to start.
  func work() -> Double {
    while !isStopping, !isShortOfSpace {
      var impossible: [(JobID, String)] = []
      let waiting = troubled.isEmpty ? Array(queue.values) : queue.values.filter { !isTroubled($0.id) }
      let choice = scheduler.next(waiting, running: active.values.map(\.running), share: share, now: Date()) { entry in
        isReady(entry) { impossible.append((entry.id, $0)) }
      }
      for (id, reason) in impossible {
        attempt(id) {
          try folders.hold(id, reason: reason)
          queue[id] = nil
          log("held: \(reason)", .notice, of: id)
        }
      }
      guard let entry = choice.entry else {
        if let blocked = choice.blocked { preempt(for: blocked) }
        return min(choice.waitSeconds, troubleWait)
      }
      attempt(entry.id) { try activate(entry) }
    }
    return .infinity
  }

  /// Whether what a job waits for has come about. Where that cannot be seen now, it waits.
  private func isReady(_ entry: QueueEntry, impossible: (String) -> Void = { _ in }) -> Bool {
    var isReady = false
    attempt(entry.id) {
      switch try folders.isReady(entry) {
      case .ready: isReady = true
      case .waiting: break
      case .impossible(let reason): impossible(reason)
      }
    }
    return isReady
  }

  private func activate(_ entry: QueueEntry) throws {
    try folders.activate(entry.id)
    queue[entry.id] = nil
    do {
      let job = ActiveJob(id: entry.id, job: try folders.jobFile(of: entry.id, .active), entry: entry)
      active[entry.id] = job
      try startStep(job)
    } catch let failure as Failure where failure.status == .dataError {
      try folders.fail(entry.id, reason: failure.description)
      over(entry.id, "failed: \(failure)", isDone: false)
    }
  }

  /// Whether a job is left alone at present.
  func isTroubled(_ id: JobID) -> Bool {
    guard let time = troubled[id] else { return false }
    if time > .now { return true }
    troubled[id] = nil
    return false
  }

  /// How many seconds until a job that is left alone is looked at again.
  var troubleWait: Double { troubled.values.min().map { max(0, ($0 - .now) / .seconds(1)) } ?? .infinity }

  /// Does something for a job; where the disk refuses, the job is left alone for a while and then recovered.
  func attempt(_ id: JobID, _ body: () throws -> Void) {
    do {
      try body()
      troubles.isOver("\(id)")
    } catch {
      doubtQueue()
      if troubles.isNew(error, for: "\(id)") {
        log("\(error); looking at it again in \(Int(Self.troubleSeconds)) s", .error, of: id)
      }
      troubled[id] = .now + .seconds(Self.troubleSeconds)
      // Where it stands the folders say: the queue is read anew, and what stands in active/ without being run is recovered.
      active[id] = nil
    }
  }

  /// Counts an attempt at the first step that is not finished, and starts it as soon as nobody writes in the job's folder.
  private func startStep(_ active: ActiveJob) throws {
    guard let step = try folders.nextStep(of: active.job, active.id) else { return try finish(active) }
    guard let status = try folders.beginAttempt(step, of: active.job, active.id) else {
      // The reason is for the log alone.
      let reason = (try? folders.status(of: active.id, .failed))?.reason
      return over(active.id, "failed: \(reason ?? "given up")", isDone: false)
    }
    (active.step, active.status) = (step, status)
    active.leftover = Leftover(
      folder: folders.folder(of: active.id, .active), graceSeconds: options.stopTimeoutSeconds)
    try startProcess(active)
  }

  private func startProcess(_ active: ActiveJob) throws {
    guard let step = active.step, let status = active.status else { return }
    let folder = folders.folder(of: active.id, .active)
    let stage = step.stage
    let limits = step.limits.tightened(by: options.stageLimits)
    do {
      guard let lock = try active.leftover?.lock() else { return }
      let log = try StageLog(
        folder: folder, step: step.name,
        heading: StepLogHeading(date: Date(), program: stage.program, attempt: status.attempts))
      let directory = step.isOwn ? DaemonOptions.ownDirectory : programDirectory
      var arguments = try step.arguments(
        roots, submitter: active.entry.user, progressDescriptor: StageProcess.progressDescriptor)
      if let threads = options.threadsPerStage, !step.isOwn,
        !step.settings.contains(where: { $0.option.name == "threads" })
      {
        arguments.append("--threads=\(threads)")
      }
      let process = try StageProcess(
        program: "\(directory)/\(stage.program)", arguments: arguments, folder: folder, roots: roots,
        log: log.descriptor, lock: lock)
      active.stage = RunningStage(
        step: step, process: process, log: log, status: status, timeoutSeconds: limits.timeoutSeconds)
      (active.status, active.leftover) = (nil, nil)
      do {
        try process.limit(limits)
      } catch {
        // Without its limit it must not run.
        process.signal(SIGKILL)
        self.log("\(error)", .error, of: active)
      }
    } catch let failure as Failure where active.stage == nil {
      // What a stage would say of its inputs, its program or the machine counts as if it had.
      let isTemporary = failure.status == .temporaryFailure || failure.status == .ioError
      let outcome = isTemporary ? StageOutcome.notStarted(failure.description) : .exited(failure.status.rawValue)
      return try conclude(active, outcome, lastLine: failure.description, stop: nil)
    }
    let again = status.attempts > 1 ? ", attempt \(status.attempts) of \(options.retry.mostAttempts)" : ""
    log("step \"\(step.name)\" (\(stage.program)) started\(again)", of: active)
  }

  /// Takes up the progress of the steps at work and their ends.
  /// - Returns: whether one has ended.
  func attendStages() -> Bool {
    var hasEnded = false
    for active in Array(active.values) {
      if active.leftover != nil, !isStopping { attempt(active.id) { try startProcess(active) } }
      guard let stage = active.stage else {
        if self.active[active.id] == nil { hasEnded = true }
        continue
      }
      if attend(active, stage) { hasEnded = true }
    }
    return hasEnded
  }

  private func attend(_ active: ActiveJob, _ stage: RunningStage) -> Bool {
    if stage.readProgress() { console.progress(stage.step.name, stage.status) }
    if let outcome = stage.process.outcome() {
      _ = stage.readProgress()
      active.stage = nil
      active.status = stage.status
      console.finishBar(stage.step.name, stage.status)
      share.add(stage.seconds, to: active.entry.user, now: Date())
      counters.add(stage.seconds, stage: stage.step.stage.stage)
      attempt(active.id) {
        try conclude(
          active, outcome, lastLine: stage.log.lastLine(of: stage.step.stage.program), stop: active.stop,
          seconds: stage.seconds)
      }
      return true
    }
    if let seconds = stage.secondsToTimeout, seconds <= 0 {
      let limit = stage.step.limits.tightened(by: options.stageLimits).timeoutSeconds ?? 0
      log("step \"\(stage.step.name)\" has run for as long as it may; stopped", .warning, of: active)
      stop(active, .timeout(seconds: limit))
    }
    if let seconds = stage.secondsToKill, seconds <= 0 {
      log("step \"\(stage.step.name)\" did not stop in time; killed", .warning, of: active)
      stage.process.signal(SIGKILL)
      stage.killTime = .now + .seconds(5)
    }
    if stage.secondsToWrite == 0 {
      stage.noteWritten()
      // The progress that people read may wait; a full disk is the stage's own to report.
      try? folders.write(stage.status, of: active.id, .active)
    }
    return false
  }

  /// Tells a step to stop at its next checkpoint.
  func stop(_ active: ActiveJob, _ reason: JobFolders.StopReason) {
    guard let stage = active.stage else { return }
    if active.stop.map({ $0.weight < reason.weight }) ?? true { active.stop = reason }
    guard stage.killTime == nil else { return }
    stage.killTime = .now + .seconds(options.stopTimeoutSeconds)
    stage.process.signal(SIGTERM)
  }

  /// Makes room for a job of higher priority, where the configuration says so.
  private func preempt(for blocked: QueueEntry) {
    guard options.preempts, !active.values.contains(where: { $0.stop == .preemption }) else { return }
    let ofItsKind = active.values.filter { $0.step?.stage.stage == blocked.stage }.count
    let needsItsKind = blocked.stage.map { ofItsKind >= options.slots.limit($0) } ?? false
    let victims = active.values.filter { job in
      job.stage != nil && job.stop == nil && job.entry.priority < blocked.priority
        && (!needsItsKind || job.step?.stage.stage == blocked.stage)
    }
    guard let victim = victims.min(by: { ($0.entry.priority, $1.id) < ($1.entry.priority, $0.id) }) else { return }
    log("gives way to \(blocked.id), of priority \(blocked.priority), at its checkpoint", .notice, of: victim)
    stop(victim, .preemption)
  }

  /// Concludes an attempt and goes on with the job's next step, or with another job.
  func conclude(
    _ active: ActiveJob, _ outcome: StageOutcome, lastLine: String?, stop: JobFolders.StopReason?, seconds: Double = 0
  ) throws {
    guard let step = active.step, var status = active.status else { return }
    let id = active.id
    for mark in active.requests.values { status.note(mark) }
    let conclusion = try folders.conclude(step, of: id, status, outcome, lastLine: lastLine, stop: stop)
    (active.status, active.leftover) = (nil, nil)
    switch conclusion {
    case .finishedStep:
      if !step.isOwn { log("step \"\(step.name)\" finished in \(ProgressText.duration(seconds))", of: active) }
      active.step = nil
      return try goOn(active, status)
    case .deferred(let pause, let reason):
      self.active[id] = nil
      try enqueue(id)
      log("deferred for \(ProgressText.number(pause)) s: \(reason)", .warning, of: active)
    case .failed(let reason):
      over(id, "failed: \(reason)", isDone: false)
    case .putBack:
      self.active[id] = nil
      try enqueue(id)
      log("put back", of: active)
    case .held:
      self.active[id] = nil
      log((try? folders.status(of: id, .held))?.reason ?? "held", .notice, of: active)
    }
    removeRequest(active)
  }

  /// After a step: the next one, unless somebody wants it otherwise or others come first.
  private func goOn(_ active: ActiveJob, _ status: JobStatus) throws {
    var status = status
    let next = try folders.nextStep(of: active.job, active.id)
    status.nextStage = next?.stage.stage
    switch active.stop {
    case .hold(let user) where next != nil:
      try folders.hold(active.id, from: .active, status, user: user)
      self.active[active.id] = nil
      log("held by \(user)", .notice, of: active)
      return removeRequest(active)
    case .cancel(let user) where next != nil:
      try folders.fail(active.id, status, reason: JobFolders.cancelled(by: user))
      over(active.id, "failed: \(JobFolders.cancelled(by: user))", isDone: false)
      return removeRequest(active)
    default: removeRequest(active)
    }
    active.stop = nil
    let others = self.active.values.filter { $0.id != active.id }.map(\.running)
    var entry = QueueEntry(active.id, status)
    entry.isStarted = true
    let isNext =
      next == nil
      || scheduler.next(
        Array(queue.values) + [entry], running: others, share: share, now: Date(),
        isReady: { $0.id == active.id || self.isReady($0) }
      ).entry?.id == active.id
    if isNext && !isStopping && (next == nil || !isShortOfSpace) { return try startStep(active) }
    status.clearStep()
    try folders.putBack(active.id, status)
    self.active[active.id] = nil
    try enqueue(active.id)
    log("put back", of: active)
  }

  /// Removes the requests that the job's place answers now: what was asked, or what it makes idle.
  private func removeRequest(_ active: ActiveJob) {
    for request in active.requests.keys {
      // One that stays is known again by its mark.
      do { try folders.files.remove(request) } catch { tell(error, of: request) }
    }
    active.requests = [:]
  }

  private func finish(_ active: ActiveJob) throws {
    do {
      try folders.finish(active.job, active.id)
      over(active.id, "done: \(folders.folder(of: active.id, .done))", isDone: true)
    } catch let failure as Failure where failure.status == .software || failure.status == .dataError {
      // What a stage published stays as it is: another look would find the same.
      try folders.fail(active.id, reason: failure.description)
      over(active.id, "failed: \(failure)", isDone: false)
    }
  }

  /// A job has come to its end.
  func over(_ id: JobID, _ message: String, isDone: Bool) {
    active[id] = nil
    if isDone { counters.done += 1 } else { counters.failed += 1 }
    log(message, isDone ? .info : .error, of: id)
    retention.isDue = true
  }
}
