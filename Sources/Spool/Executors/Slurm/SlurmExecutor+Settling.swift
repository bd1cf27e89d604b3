import Diagnostics
import Files
import Foundation
import JobFolder
import Queue

/// How a step that Slurm had comes to its end.
extension SlurmExecutor {
  /// Looks what has become of a stage.
  func look(_ stage: inout SlurmStage) throws -> [StageNews] {
    var news: [StageNews] = []
    if let progress = stage.progress() { news.append(.progress(progress)) }
    let ends = try stage.attempt.ends(isClosing: stage.isClosing)
    let isWritten = ends.allSatisfy { $0 != nil }
    // What Slurm was asked before it had the job says nothing of it.
    let queue = known.flatMap { $0.asked > stage.since ? $0.queue : nil }
    let active = queue?.active(stage.jobName)
    if let first = active?.first { stage.number = first.number }
    let isPending = active.map { jobs in !jobs.isEmpty && jobs.allSatisfy(\.isPending) }
    let hasBegun = isWritten || stage.attempt.hasBegun(isClosing: stage.isClosing)
    if isPending ?? !hasBegun, !hasBegun {
      if stage.isPending != true { news.append(.waits) }
      stage.isPending = true
    } else if hasBegun, stage.isPending != false {
      if stage.isPending == true { news.append(.begins) }
      stage.isPending = false
    }
    guard isWritten || active?.isEmpty == true else { return news }
    return news + (try settle(&stage, ends, queue))
  }

  /// Settles a stage none of whose jobs is at work any more, once nobody holds the folder.
  private func settle(_ stage: inout SlurmStage, _ before: [Int32?], _ queue: SlurmQueue?) throws -> [StageNews] {
    guard let lock = try SharedLock.take(folder: stage.attempt.folder) else {
      if before.contains(nil), !stage.isHeldTold {
        stage.isHeldTold = true
        note(
          "\(stage.id): Slurm has no job of it any more, and its folder's lock is still held, by \(JobFolderNames.lock) on "
            + "whichever machine; it is settled when that is over")
      }
      return []
    }
    defer { _ = lock.descriptor }
    // Read under the lock: nothing is written there any more.
    let ends = try stage.attempt.ends(isClosing: stage.isClosing)
    machines.take(stage.attempt.machines())
    let isShares = stage.attempt.plan.shares > 1 && !stage.isClosing
    if isShares, ends.allSatisfy({ $0 == 0 }) {
      return try close(&stage, lock)
    }
    let progress = stage.progress().map { [StageNews.progress($0)] } ?? []
    let outcome = try outcome(of: stage, ends, queue)
    let lastLine = StageLog.lastLine(
      of: stage.attempt.plan.program, step: stage.attempt.plan.step, folder: stage.attempt.folder)
    return progress + [.ended(outcome, lastLine: lastLine)]
  }

  /// Submits what closes an array whose tasks are all done.
  private func close(_ stage: inout SlurmStage, _ lock: borrowing FileLock) throws -> [StageNews] {
    guard seconds() >= stage.notBefore else { return [] }
    let attempt = stage.attempt
    // A crash from here on: the attempt says that it is closing, and the job is found by its name, or was never taken.
    try attempt.beginClosing()
    do {
      let number = try submit(SlurmSubmission.closing(attempt), holding: lock.descriptor)
      attempt.keep(number: number, isClosing: true)
      stage = SlurmStage(stage.id, attempt, isClosing: true, number: number, since: seconds())
    } catch {
      attempt.endClosing()
      guard let failure = (error as? StageRefusal)?.failure ?? error as? Failure else { throw error }
      if failure.status == .configuration {
        return [.ended(.exited(failure.status.rawValue), lastLine: failure.description)]
      }
      // The shares are made; what closes them is asked for again.
      if !stage.isHeldTold { note("\(stage.id): \(failure)") }
      stage.isHeldTold = true
      stage.notBefore = seconds() + Self.troubleSeconds
    }
    return []
  }

  /// How a stage ended: by what its jobs wrote, by the step's record, and last by what Slurm says.
  private func outcome(of stage: SlurmStage, _ ends: [Int32?], _ queue: SlurmQueue?) throws -> StageOutcome {
    let written = ends.compactMap { $0 }
    if written.count == ends.count {
      // Of an array what will be the same at another try counts, then what may not.
      let bad = written.filter { $0 != 0 }
      let worst = bad.first { !Self.outcome($0).mayBeRetried } ?? bad.first ?? 0
      return Self.outcome(worst)
    }
    if let worst = written.first(where: { $0 != 0 && !Self.outcome($0).mayBeRetried }) { return Self.outcome(worst) }
    let isShares = stage.attempt.plan.shares > 1 && !stage.isClosing
    if !isShares, access("\(stage.attempt.folder)/\(stage.attempt.plan.record)", F_OK) == 0 { return .exited(0) }
    guard let end = try end(of: stage, queue) else {
      return .ended("Slurm knows nothing of \(stage.number.map { "its job \($0)" } ?? "its job") any more")
    }
    if end.state == "FAILED", end.signal != 0 { return .signaled(end.signal) }
    return .ended(end.words(stage.number))
  }

  private static func outcome(_ status: Int32) -> StageOutcome {
    status > 128 && status < 128 + 65 ? .signaled(status - 128) : .exited(status)
  }

  /// What Slurm says of the end of a stage's job.
  /// - Throws: a `Failure` where it gives no answer.
  private func end(of stage: SlurmStage, _ queue: SlurmQueue?) throws -> SlurmEnd? {
    let inQueue = queue?.ended(stage.jobName)
    guard let number = stage.number ?? inQueue?.number else { return nil }
    // The queue has no exit status; scontrol has it for a few minutes, and sacct for ever where a site keeps accounts.
    let recent = try run(["scontrol", "show", "job", "--oneliner", String(number)])
    if recent.status == nil { throw Failure(.temporaryFailure, "scontrol", recent.complaint) }
    if recent.isSuccess, let end = SlurmEnd(scontrol: recent.output, name: stage.jobName), end.isOver { return end }
    if let inQueue { return SlurmEnd(inQueue) }
    // Not there, where a site keeps none.
    let accounts = try? run([
      "sacct", "--parsable2", "--noheader", "--allocations", "--format=State,ExitCode,JobName", "--jobs=\(number)",
    ])
    guard let accounts, accounts.isSuccess, let end = SlurmEnd(sacct: accounts.output, name: stage.jobName), end.isOver
    else { return nil }
    return end
  }

  // MARK: After a crash of the daemon

  package func attach(_ id: JobID, folder: String, handle: StageHandle?) throws -> Occupation {
    guard let handle else { return try unknown(folder) }
    guard let attempt = try SlurmAttempt(folder: folder, task: handle.task) else {
      // Never begun, or settled: an earlier daemon's sbatch may be under way, and finds nothing to begin.
      guard let lock = try SharedLock.take(folder: folder) else { return .leftovers }
      _ = consume lock
      return .nobody
    }
    let isClosing = attempt.isClosing
    let name = attempt.jobName(isClosing: isClosing)
    func taken(_ number: Int?) -> Occupation {
      stages[id] = SlurmStage(
        id, attempt, isClosing: isClosing, number: number ?? attempt.number(isClosing: isClosing), since: seconds())
      return .stage
    }
    if try attempt.ends(isClosing: isClosing).allSatisfy({ $0 != nil }) { return taken(nil) }
    // One question for all that are found; whoever is not is asked for anew.
    if let job = known?.queue.active(name).first { return taken(job.number) }
    if let job = try freshQueue().active(name).first { return taken(job.number) }
    guard let lock = try SharedLock.take(folder: folder) else {
      throw Failure(
        .temporaryFailure, id.description,
        "Slurm has no job \"\(name)\", and the lock of its folder is held: a submission is under way, or a machine is lost"
      )
    }
    defer { _ = lock.descriptor }
    if attempt.hasBegun(isClosing: isClosing) || attempt.number(isClosing: isClosing) != nil { return taken(nil) }
    if isClosing {
      // Its array is done; what closes it was not taken.
      attempt.endClosing()
      stages[id] = SlurmStage(id, attempt, number: attempt.number(isClosing: false), since: seconds())
      return .stage
    }
    // Slurm did not get it, or gets it now: it finds nothing to begin.
    try SlurmAttempt.removeAll(in: folder)
    return .nobody
  }

  /// Who is at work in the folder of a job of which nothing is known: what Slurm has of it cannot be taken over.
  private func unknown(_ folder: String) throws -> Occupation {
    let tasks = try SlurmAttempt.tasks(in: folder)
    if tasks.isEmpty { return .nobody }
    let queue = try freshQueue()
    let isActive = tasks.contains { !queue.active($0).isEmpty || !queue.active($0 + "/close").isEmpty }
    guard !isActive, let lock = try SharedLock.take(folder: folder) else { return .leftovers }
    defer { _ = lock.descriptor }
    try SlurmAttempt.removeAll(in: folder)
    return .nobody
  }

  package func stopLeftovers(_ id: JobID, folder: String, isHard: Bool) throws -> [Int32] {
    guard try heldFolders.contains(id) || !SlurmAttempt.tasks(in: folder).isEmpty else { return [] }
    let queue = try freshQueue()
    for (name, jobs) in queue.jobs where name.hasPrefix("\(id)/") {
      if jobs.contains(where: { !$0.isOver }) {
        _ = try run(["scancel", "--me", "--name=\(name)"])
      }
    }
    return try JobLock.stopHolders(folder: folder, hard: isHard)
  }

  package func leave(_ id: JobID, folder: String) {
    stages[id] = nil
    // What stays in spite of that, the next attempt removes under the lock.
    try? SlurmAttempt.removeAll(in: folder)
  }
}
