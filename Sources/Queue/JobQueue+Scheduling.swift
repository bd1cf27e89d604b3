import Foundation
import JobFolder

/// Whose turn it is.
extension JobQueue {
  /// Whether what a job waits for has come about.
  private enum Readiness {
    case ready
    /// Another job is not done yet.
    case waiting
    /// It never will.
    case impossible(reason: String)
    /// Where these stand has to be looked at.
    case unknown([JobID])
  }

  private func readiness(_ entry: QueueEntry) -> Readiness {
    var unknown: [JobID] = []
    for id in entry.after {
      if waiting[id] != nil || atWork[id] != nil { return .waiting }
      guard let place = places[id] else {
        unknown.append(id)
        continue
      }
      switch place {
      case .done: continue
      case .queue, .active, .held: return .waiting
      case .failed: return .impossible(reason: "\(id), which it waits for, has failed")
      case nil: return .impossible(reason: "\(id), which it waits for, is gone")
      }
    }
    return unknown.isEmpty ? .ready : .unknown(unknown)
  }

  /// Whose turn it is, what has to be asked before that is known, and what waits in vain.
  func choose(_ entries: some Sequence<QueueEntry>, running: [Scheduler.Running], _ now: Moment) -> (
    choice: Scheduler.Choice, questions: [Action], impossible: [(JobID, String)]
  ) {
    var questions: [Action] = []
    var impossible: [(JobID, String)] = []
    let choice = scheduler.next(entries, running: running, share: share, now: now.date, refusing: Set(refusing.keys)) {
      entry in
      switch readiness(entry) {
      case .ready: return true
      case .waiting: return false
      case .impossible(let reason):
        impossible.append((entry.id, reason))
        return false
      case .unknown(let ids):
        questions.append(Action(.job(entry.id), .locate(ids)))
        return false
      }
    }
    return (choice, questions, impossible)
  }

  /// What takes room, here and elsewhere.
  /// - Parameter own: a job that is left out.
  func slots(without own: JobID? = nil) -> [Scheduler.Running] {
    atWork.filter { $0.key != own }.map { $0.value.slot(rules.executors) }
  }

  /// What waits and is not left alone.
  func candidates(_ now: Moment) -> [QueueEntry] {
    troubled.isEmpty ? Array(waiting.values) : waiting.values.filter { !isTroubled($0.id, now) }
  }

  /// Starts steps while there are slots, one at a time: asked again until there is nothing to start.
  mutating func startSteps(_ now: Moment) -> [Action] {
    if isShortOfSpace { return [] }
    refusing = refusing.filter { $0.value > now.seconds }
    if let time = refusing.values.min() { round.wait(time - now.seconds) }
    let (choice, questions, impossible) = choose(candidates(now), running: slots(), now)
    if !questions.isEmpty { return questions }
    if !impossible.isEmpty {
      return impossible.map { Action(.job($0), .read($0, .queue, .impossible(reason: $1))) }
    }
    guard let entry = choice.entry else {
      round.wait(min(choice.waitSeconds, troubleWait(now)))
      for blocked in choice.blocked {
        let actions = preempt(for: blocked, now)
        if !actions.isEmpty { return actions }
      }
      return []
    }
    atWork[entry.id] = .opening(entry)
    // Crash between the two: what is discarded is not done, and is discarded again. Crash behind them: the job is recovered.
    return [
      Action(.job(entry.id), .discardOutputs(entry.id)),
      Action(.job(entry.id), .move(entry.id, from: .queue, to: .active)),
      Action(.job(entry.id), .reached(.activated(entry.id))), Action(.job(entry.id), .look(entry.id, after: nil)),
    ]
  }

  /// Makes room for a job of higher priority, where the rules say so.
  private mutating func preempt(for blocked: QueueEntry, _ now: Moment) -> [Action] {
    guard rules.preempts, !atWork.values.contains(where: { $0.run?.stop == .preemption }) else { return [] }
    // Only what takes a slot of this machine can make room there.
    let atWork = atWork.filter { $0.value.executor(rules.executors).jobs == nil }
    let ofItsKind = atWork.values.filter { $0.step?.stage == blocked.stage }.count
    let needsItsKind = blocked.stage.map { ofItsKind >= rules.slots.limit($0) } ?? false
    let victims = atWork.filter { _, job in
      job.run.map { $0.stop == nil } ?? false && job.entry.priority < blocked.priority
        && (!needsItsKind || job.step?.stage == blocked.stage)
    }
    let victim = victims.min { ($0.value.entry.priority, $1.key) < ($1.value.entry.priority, $0.key) }
    guard let victim else { return [] }
    let step = victim.value.step
    return [
      log(
        "gives way to \(blocked.id), of priority \(blocked.priority), at its checkpoint", .notice, of: victim.key,
        step: step)
    ] + stop(victim.key, .preemption, now)
  }
}
