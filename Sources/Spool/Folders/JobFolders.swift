import Diagnostics
import Foundation

/// The spool's folders and the transitions between them.
///
/// The state of a job is the folder it stands in and a rename is the transition. What a transition needs is written and
/// flushed before its rename, so a crash leaves a job in the old state or in the new one; the few steps that lie
/// between two renames are named where they happen, and `recover` finishes them.
package struct JobFolders {
  /// The names of a job's own files.
  package enum Name {
    static let jobFile = "job.yaml"
    static let status = "status.json"
    static let summary = "summary.json"
    static let log = "log"
    static let submitted = "submitted"
  }

  /// What became of a file in `incoming/`.
  package enum Acceptance: Equatable {
    case queued(JobID)
    case refused(JobID, reason: String)
  }

  /// The spool's root.
  package let root: String
  let files: any FileSystem
  let policy: RetryPolicy
  private let roots: InputRoots
  private let now: () -> Date
  private let bootID: String

  /// - Parameters:
  ///   - root: the spool's root.
  ///   - files: where it stands.
  ///   - roots: beneath what job files may name inputs.
  ///   - policy: when a step is given up.
  ///   - bootID: names this boot of the machine; a step that was at work in another one may have taken the machine down.
  ///   - now: the clock.
  package init(
    root: String, files: any FileSystem, roots: InputRoots, policy: RetryPolicy, bootID: String,
    now: @escaping () -> Date = Date.init
  ) {
    self.root = root
    self.files = files
    self.roots = roots
    self.policy = policy
    self.bootID = bootID
    self.now = now
  }

  var incoming: String { root + "/incoming" }

  /// The folder of all jobs of a state.
  package func folder(of state: JobState) -> String { "\(root)/\(state.rawValue)" }

  /// The folder of a job.
  package func folder(of id: JobID, _ state: JobState) -> String { "\(folder(of: state))/\(id)" }

  /// Creates the folders that are missing.
  package func prepare() throws {
    for name in ["incoming", "inputs"] + JobState.allCases.map(\.rawValue) { try files.createFolder("\(root)/\(name)") }
    try files.synchronize(root)
  }

  /// The jobs of a state, oldest first.
  package func jobs(_ state: JobState) throws -> [JobID] {
    try files.names(in: folder(of: state)).compactMap { JobID($0) }
  }

  /// What a job's `status.json` says; nil where it is missing or unreadable, which a damaged disk alone can bring about.
  package func status(of id: JobID, _ state: JobState) -> JobStatus? {
    guard let bytes = try? files.read("\(folder(of: id, state))/\(Name.status)", limitBytes: 1 << 20) else {
      return nil
    }
    return try? JobStatus(json: bytes)
  }

  /// A job's file as it was accepted.
  package func jobFile(of id: JobID, _ state: JobState) throws -> JobFile {
    let path = "\(folder(of: id, state))/\(Name.jobFile)"
    do {
      return try JobFile(try files.read(path, limitBytes: JobFile.largestBytes))
    } catch let error as JobFileError {
      throw error.failure(in: Name.jobFile)
    }
  }

  package func write(_ status: JobStatus, of id: JobID, _ state: JobState) throws {
    try files.publish(Name.status, in: folder(of: id, state), try status.json())
  }

  private func move(_ id: JobID, from state: JobState, to newState: JobState) throws {
    try files.rename(folder(of: id, state), to: folder(of: id, newState))
    try files.synchronize(folder(of: newState))
    try files.synchronize(folder(of: state))
  }

  private func freshStatus(_ id: JobID, _ state: JobState) -> JobStatus {
    JobStatus(job: id.name, id: id.description, state: state, accepted: now())
  }

  // MARK: Acceptance

  /// Takes a file out of `incoming/` and queues it as a job, or refuses it with the reason.
  ///
  /// The file moves into a folder `queue/.ID` first, by one rename: from then on the job is the daemon's, and a crash leaves
  /// either the file in `incoming/` or a folder that `recover` takes up.
  package func accept(_ name: String) throws -> Acceptance {
    let base = name.hasSuffix(".yaml") ? String(name.dropLast(5)) : name
    let id = try unusedID(stamp: JobID.stamp(now()), name: JobName.resembling(base), suffix: nil)
    let staging = self.staging(id)
    try files.createFolder(staging)
    try files.synchronize(folder(of: .queue))
    // Crash here: an empty folder, which `recover` removes.
    try files.rename("\(incoming)/\(name)", to: "\(staging)/\(Name.submitted)")
    try files.synchronize(staging)
    try files.synchronize(incoming)
    // Crash here: `recover` settles the folder.
    return try settle(id)
  }

  private func staging(_ id: JobID) -> String { "\(folder(of: .queue))/.\(id)" }

  /// Reads what stands in `queue/.ID` and gives it its final place, in `queue/` or in `failed/`.
  ///
  /// The job is run from a copy, so that whoever still holds the submitted file open cannot change it under the daemon.
  private func settle(_ provisional: JobID) throws -> Acceptance {
    let staging = self.staging(provisional)
    let submitted = "\(staging)/\(Name.submitted)"
    let copy = "\(staging)/\(Name.jobFile)"
    // Crash after the submitted file was removed: the copy is complete.
    let hasSubmitted = try files.entry(submitted) != nil
    var status = freshStatus(provisional, .queue)
    var name = provisional.name
    var suffix = provisional.suffix
    do {
      let bytes = try files.read(hasSubmitted ? submitted : copy, limitBytes: JobFile.largestBytes)
      if hasSubmitted { try files.write(copy, bytes) }
      let job = try JobFile(bytes)
      // `sidctl` names its file JOB-7f3a.yaml so that whoever submits knows the job's reference at once.
      let end = provisional.name.dropFirst(job.name.utf8.count + 1)
      if provisional.name.hasPrefix(job.name + "-"), JobID.isSuffix(end) { suffix = String(end) }
      name = job.name
      try job.checkInputs(roots)
      status.steps = job.steps.map(\.name)
    } catch let error as JobFileError {
      (status.state, status.reason) = (.failed, "job file: \(error)")
      (status.line, status.key) = (error.line, error.key)
    } catch let failure as Failure where failure.status != .ioError && failure.status != .temporaryFailure {
      (status.state, status.reason) = (.failed, "the job file cannot be read: it \(failure.problem)")
    }
    let id = try unusedID(stamp: provisional.stamp, name: name, suffix: suffix, mayStage: provisional)
    status.job = id.name
    status.id = id.description
    if status.state == .failed { status.finished = now() }
    if hasSubmitted { try dispose(submitted, copy: copy) }
    try files.publish(Name.status, in: staging, try status.json())
    try files.rename(staging, to: folder(of: id, status.state))
    try files.synchronize(folder(of: status.state))
    if status.state != .queue { try files.synchronize(folder(of: .queue)) }
    return status.state == .queue ? .queued(id) : .refused(id, reason: status.reason ?? "")
  }

  /// Removes the submitted file once it was copied; one that could not be is kept for a look, unless it is a link or
  /// a pipe, which nobody should stumble over.
  private func dispose(_ submitted: String, copy: String) throws {
    let isCopied = try files.entry(copy) != nil
    if let entry = try files.entry(submitted), entry.kind == .other || (entry.kind == .file && isCopied) {
      try files.remove(submitted)
    }
  }

  private func unusedID(stamp: String, name: String, suffix: String?, mayStage: JobID? = nil) throws -> JobID {
    var suffix = suffix
    while true {
      let digits = suffix ?? String(UInt16.random(in: 0...UInt16.max), radix: 16)
      let id = JobID(stamp: stamp, name: name, suffix: String(repeating: "0", count: 4 - digits.count) + digits)
      let isTaken = try JobState.allCases.contains { try files.entry(folder(of: id, $0)) != nil }
      let isStaged = try id != mayStage && files.entry(staging(id)) != nil
      if !isTaken && !isStaged { return id }
      suffix = nil
    }
  }

  // MARK: Recovery

  /// Finishes what a crash cut short: files between `incoming/` and `queue/`.
  package func recoverAcceptances() throws -> [Acceptance] {
    var settled: [Acceptance] = []
    for name in try files.names(in: folder(of: .queue)) where name.hasPrefix(".") {
      guard let id = JobID(name.dropFirst()) else { continue }
      let content = try files.names(in: staging(id))
      if content.contains(Name.submitted) || content.contains(Name.jobFile) {
        settled.append(try settle(id))
      } else {
        for debris in content { try files.remove("\(staging(id))/\(debris)") }
        try files.removeFolder(staging(id))
      }
    }
    return settled
  }

  /// Moves a job that stands in `active/` and is not being run to where it belongs: to `failed/` if it was given up, else to
  /// the head of the queue.
  ///
  /// No process may be at work in its folder any more.
  package func recover(_ id: JobID) throws {
    var status = status(of: id, .active) ?? freshStatus(id, .queue)
    if status.state == .failed { return try move(id, from: .active, to: .failed) }
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

  // MARK: Running

  /// The job whose turn it is: those that were started before come first, then the oldest; deferred ones when their time
  /// has come.
  /// - Returns: the job, or how many seconds the first deferred one still waits (infinite where there is none).
  package func next(passingOver passedOver: Set<JobID> = []) throws -> (job: JobID?, waitSeconds: Double) {
    var first: (isStarted: Bool, accepted: Date, id: JobID)?
    var wait = Double.infinity
    let now = now()
    for id in try jobs(.queue) where !passedOver.contains(id) {
      let status = status(of: id, .queue)
      if let time = status?.nextAttempt {
        // A clock that was set back must not defer a job for longer than the longest pause.
        let seconds = min(time.timeIntervalSince(now), policy.longestSeconds)
        if seconds > 0 {
          wait = min(wait, seconds)
          continue
        }
      }
      let candidate = (isStarted: status?.started != nil, accepted: status?.accepted ?? .distantPast, id: id)
      guard let best = first else {
        first = candidate
        continue
      }
      if candidate.isStarted != best.isStarted
        ? candidate.isStarted : (candidate.accepted, id) < (best.accepted, best.id)
      {
        first = candidate
      }
    }
    return (first?.id, wait)
  }

  /// Moves a job from the queue to the slot.
  package func activate(_ id: JobID) throws { try move(id, from: .queue, to: .active) }

  /// The first step of an active job that is not finished, or nil.
  ///
  /// A finished step is one whose output and figures both have their final names. Where a crash left the output without
  /// its figures the stage is started once more: it recognises its output and only publishes the figures.
  package func nextStep(of job: JobFile, _ id: JobID) throws -> JobStep? {
    let names = Set(try files.names(in: folder(of: id, .active)))
    return job.steps.first { !names.contains($0.outputFile) || !names.contains($0.figuresFile) }
  }

  /// Counts an attempt at a step, on disk, before it starts.
  /// - Returns: the status, or nil where the step has used up its attempts: the job stands in `failed/` then.
  package func beginAttempt(_ step: JobStep, of job: JobFile, _ id: JobID) throws -> JobStatus? {
    var status = status(of: id, .active) ?? freshStatus(id, .active)
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
    status.boot = bootID
    status.nextAttempt = nil
    status.clearProgress()
    try write(status, of: id, .active)
    return status
  }

  /// What follows from the end of an attempt.
  package enum Conclusion: Equatable {
    /// The step is finished; the job goes on.
    case finishedStep
    /// The job waits in the queue for its next attempt.
    case deferred(seconds: Double, reason: String)
    /// The job stands in `failed/`.
    case failed(reason: String)
    /// The job stands at the head of the queue, because the daemon stops.
    case putBack
  }

  /// Concludes an attempt at a step.
  /// - Parameters:
  ///   - lastLine: the last line of the stage's stderr.
  ///   - isStopping: whether the daemon has told the stage to stop.
  package func conclude(
    _ step: JobStep, of id: JobID, _ status: JobStatus, _ outcome: StageOutcome, lastLine: String?, isStopping: Bool
  ) throws -> Conclusion {
    var status = status
    status.isRunning = false
    if outcome == .exited(0) {
      let missing = try [step.outputFile, step.figuresFile].first {
        try files.entry("\(folder(of: id, .active))/\($0)") == nil
      }
      guard let missing else { return .finishedStep }
      let reason = "step \"\(step.name)\": \(step.stage.program) ended with status 0 and left no \(missing)"
      try fail(id, status, reason: reason)
      return .failed(reason: reason)
    }
    var reason = "step \"\(step.name)\": \(lastLine ?? outcome.description)"
    if case .signaled = outcome {
      // What it printed last, progress perhaps, is not why it ended.
      reason = "step \"\(step.name)\": \(outcome.description); see \(Name.log)/\(step.name).log"
    }
    if outcome.mayBeRetried && isStopping {
      status.attempts -= 1
      try putBack(id, status)
      return .putBack
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
    var status = status ?? self.status(of: id, .active) ?? freshStatus(id, .active)
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
    var status = status(of: id, .active) ?? freshStatus(id, .active)
    status.clearStep()
    status.state = .done
    status.steps = job.steps.map(\.name)
    status.finishedSteps = status.steps
    status.finished = now()
    let folder = folder(of: id, .active)
    try files.publish(Name.summary, in: folder, try Summary.json(of: status, steps: job.steps, in: folder, files))
    try write(status, of: id, .active)
    // Crash here: the job goes back to the queue and comes to this point again without starting a step.
    try move(id, from: .active, to: .done)
  }
}
