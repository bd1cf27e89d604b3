import Foundation
import JobFolder

/// How far a reading of the folders is.
///
/// In a round everything is looked at once, in the order of `Part`. Each part's actions are performed before the next part
/// begins, which `Event.turn` asks for.
struct Round: Sendable {
  /// The parts of a round, in their order.
  enum Part: Int, CaseIterable, Sendable {
    /// What stands in `active/` comes first: what is asked of it is answered when it is back in the queue.
    case strays
    /// What a crash left between `incoming/` and `queue/`.
    case halfAccepted
    /// What was dropped: it is read, and the requests among it are answered.
    case incoming
    /// The files among it are taken.
    case files
    /// What follows from what was dropped.
    case intakeOver
    /// The space on the disk.
    case space
    case retention
    case refusals
    /// What users have used.
    case usage
    /// What stands in `queue/`, now and then.
    case queue
    /// Steps, as many as there are slots for.
    case steps
  }

  /// The part that comes next; nil between two rounds.
  var part: Part?
  /// When the next round begins.
  private(set) var next = 0.0
  /// When the last one did.
  private(set) var last = -1.0
  /// How soon another one is due, as far as this one has found.
  private(set) var waitSeconds = Double.infinity
  private(set) var count = 0

  /// Begins one, where it is time.
  mutating func begin(_ now: Moment) {
    guard part == nil, next <= now.seconds else { return }
    (part, last, waitSeconds) = (Part.allCases.first, now.seconds, .infinity)
  }

  /// Ends one.
  mutating func end(_ now: Moment) {
    part = nil
    count += 1
    next = now.seconds + min(waitSeconds, JobQueue.scanSeconds)
  }

  /// Asks for another one so soon.
  mutating func wait(_ seconds: Double) { waitSeconds = min(waitSeconds, max(0, seconds)) }

  /// Asks for one now: a stage has ended.
  mutating func hurry(_ now: Moment) {
    next = now.seconds
    wait(0)
  }

  /// Asks for one because of `incoming/`, but not for every name of a flood.
  mutating func heard(_ now: Moment) { next = min(next, max(now.seconds, last + JobQueue.floodSeconds)) }
}

extension JobQueue {
  /// The daemon has begun: what it has to know before anything else.
  mutating func begin(_ now: Moment) -> [Action] {
    house.begin(now)
    return [Action(.usage, .readUsage), Action(.queue, .listQueue(isForced: true))]
  }

  /// Time has passed.
  mutating func turn(_ now: Moment) -> [Action] {
    let actions = attend(now)
    if !actions.isEmpty || isStopping { return actions }
    if round.part == nil {
      round.begin(now)
      places = [:]
    }
    while let part = round.part {
      let actions = perform(part, now)
      // Steps are started until there is none to start.
      if part == .steps, actions.isEmpty {
        round.end(now)
        return []
      }
      if part != .steps { round.part = Round.Part(rawValue: part.rawValue + 1) }
      if !actions.isEmpty { return actions }
    }
    return []
  }

  private mutating func perform(_ part: Round.Part, _ now: Moment) -> [Action] {
    switch part {
    case .strays: return [Action(.strays, .listActive)]
    case .halfAccepted: return recoverAcceptances(now)
    case .incoming: return readIncoming(now)
    case .files: return takeFiles(now)
    case .intakeOver:
      endIntake(now)
      return []
    case .space:
      if isShortOfSpace { round.wait(5) }
      return rules.limits.freeSpace > 0 ? [Action(.folders, .measureSpace)] : []
    case .retention: return prune(now)
    case .refusals: return pruneRefused(now)
    case .usage: return keepUsage(now)
    case .queue: return readQueue(now)
    case .steps: return startSteps(now)
    }
  }
}
