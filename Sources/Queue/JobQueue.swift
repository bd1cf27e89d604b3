import Diagnostics
import Foundation
import JobFolder

/// The daemon's core: what becomes of every job, decided without a clock, a disk or a process.
///
/// `step` takes what has happened and says what is to be done (`Action` says in which order, and what a crash between two
/// actions means). Whoever performs it tells what came of it by further events: `Performer` on a spool's folders and with
/// the processes of this machine, the tests on folders in memory and with stages that do what the test wants. What the core
/// knows is what it was told; what stands on the disk counts, and is read anew now and then.
///
/// How one round goes is told in `JobQueue+Round`; how a job goes through `active/`, in `JobQueue+Steps`.
package struct JobQueue: Sendable {
  /// In the spool's root: what users have used.
  package static let usageName = ".usage.json"
  /// How often the folders are read though nothing was heard.
  package static let scanSeconds = 30.0
  /// How long something is left alone after the disk refused something for it.
  package static let troubleSeconds = 10.0
  /// The least time between two readings of `incoming/`.
  static let floodSeconds = 0.02
  /// How soon `incoming/` is read again after a reading found something: what could not be taken is still there.
  static let againSeconds = 2.0
  /// How often a lock is tried that others hold.
  static let lockSeconds = 0.05

  package let rules: QueueRules
  let scheduler: Scheduler

  /// What stands in `queue/`, as far as is known.
  package internal(set) var waiting: [JobID: QueueEntry] = [:]
  /// What stands in `active/` and is this daemon's.
  package internal(set) var atWork: [JobID: JobAtWork] = [:]
  /// What stands there and is not.
  var strays: [JobID: Stray] = [:]
  /// Jobs the disk refused something for, and when they are looked at again.
  var troubled: [JobID: Double] = [:]
  /// What was told of them.
  var troubles = Troubles()
  /// Where jobs stand that others wait for, as far as was looked in this round.
  var places: [JobID: JobState?] = [:]
  /// What runs stages and takes none at present, and until when.
  var refusing: [String: Double] = [:]
  /// How far the reading of the folders is.
  var round = Round()
  /// What is known of `incoming/`.
  var intake = IntakeState()
  /// When what is to be done again.
  var house = HouseState()
  /// What users have used.
  package internal(set) var share = FairShare()
  package internal(set) var counters = Counters()
  /// Whether steps wait for space on the disk.
  package internal(set) var isShortOfSpace = false
  /// Whether the daemon is to end.
  package internal(set) var isStopping = false

  /// - Parameter rules: what an administrator has laid down.
  package init(_ rules: QueueRules) {
    self.rules = rules
    scheduler = Scheduler(
      slots: rules.slots, executors: rules.executors, longestPauseSeconds: rules.retry.longestSeconds)
  }

  /// Takes note of what has happened.
  /// - Parameters:
  ///   - event: what has happened.
  ///   - now: when.
  /// - Returns: what is to be done about it, in this order.
  package mutating func step(_ event: Event, at now: Moment) -> [Action] {
    switch event {
    case .begun: return begin(now)
    case .turn: return turn(now)
    case .heard:
      round.heard(now)
      return []
    case .stopAsked: return shutDown(now)
    case .leaving: return leave(now)

    case .waits(let id): return waits(id, now)
    case .begins(let id): return begins(id, now)
    case .started(let id, let problem): return started(id, problem, now)
    case .notStarted(let id, let outcome, let why): return notStarted(id, outcome, why, now)
    case .folderHeld(let id): return folderHeld(id, now)
    case .stoppedLeftovers(let id, let processes):
      strays[id]?.processes.formUnion(processes)
      return []
    case .progressed(let id, let progress): return progressed(id, progress, now)
    case .ended(let id, let outcome, let lastLine): return ended(id, outcome, lastLine, now)

    case .failed(let purpose, let failure): return failed(purpose, failure, now)
    case .reached(let milestone): return reached(milestone, now)
    case .taken(let intake, let names): return taken(intake, of: names, now)
    case .incoming(let news): return incoming(news, now)
    case .request(let facts, let name): return request(facts, name: name, now)
    case .surveyed(let counts, let purpose): return surveyed(counts, purpose, now)
    case .listedActive(let ids): return listedActive(ids, now)
    case .listedQueue(let ids): return listedQueue(ids, now)
    case .read(let id, let state, let found, let inquiry): return read(id, state, found, inquiry, now)
    case .located(let found):
      places.merge(found) { $1 }
      return []
    case .looked(let id, let look): return looked(id, look, now)
    case .unreadable(let id, let failure, let status): return unreadable(id, failure, status, now)
    case .examined(let id, let found, let occupation): return examined(id, found, occupation, now)
    case .space(let freeBytes): return measured(freeBytes)
    case .finished(let state, let jobs): return finished(state, jobs, now)
    case .inUse(let state, let uses): return used(state, uses, now)
    case .pruned(let count, let failure): return pruned(count, failure, now)
    case .refusals(let ids, let new): return refusals(ids, new, now)
    case .usage(let before): return usage(before, now)
    }
  }

  private mutating func reached(_ milestone: Action.Milestone, _ now: Moment) -> [Action] {
    switch milestone {
    case .activated(let id): return activated(id)
    case .left(let id, let state, let status): return left(id, state, status)
    case .recovered(let id, let state): return recovered(id, state)
    case .setAside(let id):
      waiting[id] = nil
      places[id] = nil
      isDone(id)
      return []
    case .answered(let name, let request, let state): return answered(name, request, state)
    case .requestRemoved(let name):
      troubles.isOver("\(incomingFolder)/\(name)")
      return []
    case .usageKept(let kept):
      (house.shareKept, house.shareTime) = (kept, now.seconds)
      troubles.isOver(writingUsage)
      return []
    case .foldersMade:
      troubles.isOver(rules.root)
      return []
    }
  }

  // MARK: What whoever performs asks

  /// Whether no stage is at work but those that go on without the daemon.
  package var isAtRest: Bool {
    atWork.values.allSatisfy { $0.run == nil || $0.executor(rules.executors).outlivesDaemon }
  }

  /// Whether nothing is left to do or to decide, as far as is known.
  package var isIdle: Bool {
    atWork.isEmpty && waiting.isEmpty && strays.isEmpty && !intake.mayHaveHalfAccepted && !house.isShareUnread
  }

  /// The stages of the steps at work, one each.
  package var stagesAtWork: [String] { atWork.values.compactMap { $0.run == nil ? nil : $0.step?.stage } }

  /// How many rounds have come to their end.
  package var rounds: Int { round.count }

  /// What is known of the step of a job that is at work.
  package func status(of id: JobID) -> JobStatus? { atWork[id]?.attempt?.status }

  /// How many seconds until time alone gives something to do.
  package func waitSeconds(_ now: Moment) -> Double {
    var seconds = isStopping ? Self.scanSeconds : max(0, round.next - now.seconds)
    for job in atWork.values {
      switch job {
      case .starting: seconds = min(seconds, Self.lockSeconds)
      case .running(_, let run):
        for time in [run.secondsToWrite(now), run.secondsToKill(now), run.secondsToTimeout(now)] {
          seconds = min(seconds, max(0, time ?? .infinity))
        }
      default: break
      }
    }
    return seconds
  }

  /// One line for `systemctl status`.
  package var summary: String {
    let steps = atWork.filter { $0.value.run != nil }.sorted { $0.key < $1.key }.map { id, job in
      let percent = job.attempt?.status.percent.map { " \(Int($0)) %" } ?? ""
      return "\(id.reference) \(job.step?.name ?? "")\(percent)"
    }
    let space = isShortOfSpace ? "; waiting for disk space" : ""
    return "\(steps.isEmpty ? "nothing at work" : steps.joined(separator: ", ")); \(waiting.count) queued\(space)"
  }
}
