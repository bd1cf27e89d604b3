import Diagnostics
import Foundation
import JobFolder

/// What the disk or the machine refuses: nothing is concluded from it, what it was tried for is left alone for a while and
/// looked at again. An error of a read is not the absence of what was to be read.
extension JobQueue {
  /// An action could not be performed.
  mutating func failed(_ purpose: Purpose, _ failure: Failure, _ now: Moment) -> [Action] {
    switch purpose {
    case .job(let id):
      if case .finishing(let attempt) = atWork[id], failure.status == .software || failure.status == .dataError {
        // What a stage published stays as it is: another look would find the same.
        return fail(id, attempt.status, reason: failure.description, attempt: attempt, now)
      }
      return leaveAlone(id, failure, now)
    case .request(let name):
      doubtQueue()
      return postpone(name, failure, "cannot be carried out now", now)
    case .pruning(let id): return [log("cannot be pruned: \(failure)", .error, of: id)]
    case .halfAccepted, .incoming:
      intake.mayHaveHalfAccepted = true
      intake.isRefused = true
      round.wait(Self.troubleSeconds)
      return tell(failure, of: incomingFolder)
    case .news(let executor): return tell(failure, of: "stages of \(executor)")
    case .strays:
      round.wait(Self.troubleSeconds)
      return tell(failure, of: folder(.active))
    case .queue:
      doubtQueue()
      return tell(failure, of: folder(.queue))
    case .folders: return tell(failure, of: rules.root)
    case .retention(let state):
      house.retentionWork[state] = nil
      house.retention.isDue = true
      return tell(failure, of: retentionSubject(state))
    case .refusals:
      house.refusals.next = now.seconds + HouseState.refusalSeconds
      round.wait(HouseState.refusalSeconds)
      return tell(failure, of: refusalSubject)
    case .usage:
      house.shareTime = now.seconds
      return tell(failure, of: house.isShareUnread ? usageFile : writingUsage)
    case .progress: return []
    }
  }

  /// Leaves a job alone for a while. Where it stands the folders say: the queue is read anew, and what stands in `active/`
  /// without being run is recovered.
  private mutating func leaveAlone(_ id: JobID, _ failure: Failure, _ now: Moment) -> [Action] {
    doubtQueue()
    troubled[id] = now.seconds + Self.troubleSeconds
    (atWork[id], waiting[id]) = (nil, nil)
    guard troubles.isNew(failure, for: "\(id)") else { return [] }
    return [log("\(failure); looking at it again in \(Int(Self.troubleSeconds)) s", .error, of: id)]
  }

  /// Something was done for a job that the disk had refused.
  mutating func isDone(_ id: JobID) { troubles.isOver("\(id)") }

  /// Whether a job is left alone at present.
  func isTroubled(_ id: JobID, _ now: Moment) -> Bool { troubled[id].map { $0 > now.seconds } ?? false }

  /// How many seconds until a job that is left alone is looked at again.
  mutating func troubleWait(_ now: Moment) -> Double {
    troubled = troubled.filter { $0.value > now.seconds }
    return troubled.values.min().map { $0 - now.seconds } ?? .infinity
  }

  /// Has the queue be read anew: the disk has refused something.
  mutating func doubtQueue() { house.queueRead = nil }

  // MARK: Telling

  func log(_ message: String, _ priority: LogRecord.Priority = .info) -> Action {
    Action(.progress, .log(LogRecord(message, priority)))
  }

  func log(_ message: String, _ priority: LogRecord.Priority = .info, of id: JobID, step: StepPlan? = nil) -> Action {
    Action(.job(id), .log(LogRecord(message, priority, job: id, step: step?.name, stage: step?.stage)))
  }

  /// Says what the disk or the machine has refused, unless it was said.
  mutating func tell(_ failure: Failure, of subject: String) -> [Action] {
    guard troubles.isNew(failure, for: subject) else { return [] }
    return [log("\(subject): \(failure); trying again in \(Int(Self.troubleSeconds)) s", .error)]
  }

  func folder(_ state: JobState) -> String { "\(rules.root)/\(state.rawValue)" }
  var incomingFolder: String { rules.root + "/incoming" }
  var usageFile: String { "\(rules.root)/\(Self.usageName)" }
  var writingUsage: String { "writing " + usageFile }
  func retentionSubject(_ state: JobState) -> String { "retention of \(state.rawValue)/" }
  var refusalSubject: String { "refused files" }
}
