import Diagnostics
import Foundation
import JobFolder

/// A job in `active/` that this daemon does not work on: what one before it left, or what the disk refused to move.
struct Stray: Sendable {
  /// When it was found.
  let since: Double
  /// Whether the processes in its folder were told to end.
  var isTold = false
  /// Those that were.
  var processes: Set<Int32> = []
}

/// Jobs that stand in `active/` and are not being run: they go where they belong once nobody is at work in their folders.
extension JobQueue {
  mutating func listedActive(_ ids: [JobID], _ now: Moment) -> [Action] {
    troubles.isOver(folder(.active))
    let foreign = ids.filter { atWork[$0] == nil }
    let present = Set(foreign)
    strays = strays.filter { present.contains($0.key) }
    for id in foreign where strays[id] == nil && !isTroubled(id, now) { strays[id] = Stray(since: now.seconds) }
    // What the disk refuses now is looked at later.
    let due = strays.keys.filter { !isTroubled($0, now) }.sorted()
    round.wait(due.isEmpty ? troubleWait(now) : .infinity)
    return due.map { Action(.job($0), .examine($0)) }
  }

  mutating func examined(
    _ id: JobID, _ found: FoundStatus, _ occupation: Occupation, _ now: Moment
  ) -> [Action] {
    guard let stray = strays[id] else { return [] }
    switch occupation {
    case .leftovers: return stopLeftovers(id, stray, now)
    case .stage:
      strays[id] = nil
      // Until its steps are known nothing of it is told.
      atWork[id] = .reattaching(QueueEntry(id, found.status), found.status)
      return [Action(.job(id), .look(id, after: nil))]
    case .nobody: break
    }
    strays[id] = nil
    var told: [Action] = []
    if !stray.processes.isEmpty {
      told.append(log("stopped processes \(stray.processes.sorted()), left by a daemon that is gone", .warning, of: id))
    }
    switch found {
    case .damaged(let failure, let restored): return told + holdDamaged(id, from: .active, failure, restored)
    case .known(let status): return told + recover(id, status)
    }
  }

  private mutating func stopLeftovers(_ id: JobID, _ stray: Stray, _ now: Moment) -> [Action] {
    round.wait(Self.lockSeconds)
    let isOver = now.seconds - stray.since > rules.stopTimeoutSeconds
    if stray.isTold, !isOver { return [] }
    strays[id]?.isTold = true
    return [Action(.job(id), .stopLeftovers(id, isHard: isOver))]
  }

  /// Moves a job to where it belongs: to `failed/` if it was given up, to `held/` if it was put aside, else to the head of the
  /// queue.
  private func recover(_ id: JobID, _ status: JobStatus) -> [Action] {
    var status = status
    var actions: [Action] = []
    if ![.failed, .held].contains(status.state) {
      status.state = .queue
      if status.isRunning {
        // The machine stayed up, or the step was not on it, so the step did not take it down: this was the daemon's death, not
        // the step's.
        let executor = status.handle.flatMap { StageHandle($0) }.map { rules.executors.rule(named: $0.executor) }
        if status.boot == rules.bootID || executor?.outlivesDaemon == true {
          status.attempts -= 1
          status.interruptions += 1
        }
        status.isRunning = false
      }
      status.handle = nil
      actions.append(Action(.job(id), .write(status, id, .active)))
    }
    // Crash between the two: what was taken back says that it does not run, and is not taken back again.
    actions.append(Action(.job(id), .move(id, from: .active, to: status.state)))
    actions.append(Action(.job(id), .reached(.recovered(id, status.state))))
    return actions + [log("was being run when the daemon ended; put back", of: id)]
  }

  mutating func recovered(_ id: JobID, _ state: JobState) -> [Action] {
    places[id] = nil
    isDone(id)
    return state == .queue ? [Action(.job(id), .read(id, .queue, .entry))] : []
  }

  /// Puts a job aside whose status is missing or damaged: whoever looks at it may release or cancel it.
  ///
  /// Nobody knows any more what it waits for or how often it was tried. What stands there instead of a status is kept beside
  /// it. Crash behind that: the status is missing, and the job is put aside for that.
  func holdDamaged(_ id: JobID, from state: JobState, _ failure: Failure, _ restored: JobStatus) -> [Action] {
    var status = restored
    status.state = .held
    let reason =
      "its status.json \(failure.problem): what it waits for and how often it was tried is not known any more"
    status.reason = reason
    return [
      Action(.job(id), .setDamagedStatusAside(id, state)), Action(.job(id), .write(status, id, state)),
      Action(.job(id), .move(id, from: state, to: .held)), Action(.job(id), .reached(.setAside(id))),
      log("held: \(reason)", .error, of: id),
    ]
  }

  // MARK: The queue

  /// Makes sure that what is known of the queue is what stands there: read anew now and then, and after trouble.
  func readQueue(_ now: Moment) -> [Action] {
    let age = house.queueRead.map { now.seconds - $0 } ?? .infinity
    guard age >= Self.scanSeconds * 0.9 else { return [] }
    return [Action(.queue, .listQueue(isForced: house.queueRead == nil))]
  }

  mutating func listedQueue(_ ids: [JobID]?, _ now: Moment) -> [Action] {
    house.queueRead = now.seconds
    guard let ids else { return [] }
    troubles.isOver(folder(.queue))
    let present = Set(ids)
    waiting = waiting.filter { present.contains($0.key) }
    let new = ids.filter { waiting[$0] == nil }
    // What is left alone for now is not known yet.
    if new.contains(where: { isTroubled($0, now) }) { doubtQueue() }
    return new.filter { !isTroubled($0, now) }.map { Action(.job($0), .read($0, .queue, .entry)) }
  }

  /// What the status of a job says that was asked for.
  mutating func read(
    _ id: JobID, _ state: JobState, _ found: FoundStatus, _ inquiry: Action.Inquiry, _ now: Moment
  ) -> [Action] {
    isDone(id)
    switch (found, inquiry) {
    case (.damaged(let failure, let restored), _): return holdDamaged(id, from: state, failure, restored)
    case (.known(let status), .entry):
      waiting[id] = QueueEntry(id, status)
      return []
    case (.known(var status), .impossible(let reason)):
      status.state = .held
      status.reason = reason.oneLine
      return [
        Action(.job(id), .write(status, id, state)), Action(.job(id), .move(id, from: state, to: .held)),
        Action(.job(id), .reached(.setAside(id))), log("held: \(reason)", .notice, of: id),
      ]
    }
  }
}
