import Diagnostics
import Foundation
import JobFolder

/// How long finished jobs are kept.
extension JobQueue {
  /// How many refused files are removed in one turn.
  private static let refusalsAtOnce = 1000

  /// Looks through the finished jobs, where it is time.
  mutating func prune(_ now: Moment) -> [Action] {
    guard !rules.retention.isEmpty, house.retention.take(now) else { return [] }
    return [JobState.done, .failed].compactMap { state in
      guard let rule = rules.retention[state], rule.isLimited else { return nil }
      return Action(.retention(state), .surveyFinished(state, sizes: rule.bytes > 0))
    }
  }

  mutating func finished(_ state: JobState, _ jobs: [FinishedJob], _ now: Moment) -> [Action] {
    // The most recent first: what does not fit any more is the oldest.
    let sorted = jobs.sorted { ($0.finished, $0.id) > ($1.finished, $1.id) }
    house.retentionWork[state] = .init(jobs: sorted)
    return prune(state, now)
  }

  mutating func used(_ state: JobState, _ uses: [JobID: Bool], _ now: Moment) -> [Action] {
    house.retentionWork[state]?.isInUse.merge(uses) { $1 }
    return prune(state, now)
  }

  /// Removes what is to be kept no longer, but for what others wait for and what somebody reads; asks first what that is.
  private mutating func prune(_ state: JobState, _ now: Moment) -> [Action] {
    guard let work = house.retentionWork[state], let rule = rules.retention[state] else { return [] }
    let needed = Set(waiting.values.flatMap(\.after))
    // A clock that has jumped since the start says nothing about ages.
    let passed = now.date.timeIntervalSince(house.start.date)
    let isClockSteady = abs(passed - (now.seconds - house.start.seconds)) < 3600
    // Of the most recent ones; the very last one stays, whatever its size.
    var bytes = 0
    var unknown: [JobID] = []
    var doomed: [(id: JobID, isOld: Bool)] = []
    for job in work.jobs {
      let isOld = isClockSteady && rule.days > 0 && now.date.timeIntervalSince(job.finished) > rule.days * 86_400
      let isTooMuch = rule.bytes > 0 && bytes > 0 && bytes + job.bytes > rule.bytes
      // Once one does not fit, no older one does.
      bytes += job.bytes
      if isOld || isTooMuch, !needed.contains(job.id), work.isInUse[job.id] != true {
        doomed.append((job.id, isOld))
        if work.isInUse[job.id] == nil { unknown.append(job.id) }
      }
    }
    if !unknown.isEmpty { return [Action(.retention(state), .checkUse(unknown, state))] }
    house.retentionWork[state] = nil
    troubles.isOver(retentionSubject(state))
    return doomed.flatMap { id, isOld in
      let why = isOld ? "it is older than \(rule.days) days" : "\(state.rawValue)/ has its size"
      return [
        Action(.pruning(id), .prune(id, state)),
        Action(.pruning(id), .log(LogRecord("pruned: \(why)", job: id))),
      ]
    }
  }

  // MARK: Refused files

  /// Removes the oldest refused files of users who have more of them than are kept, a few at a time.
  mutating func pruneRefused(_ now: Moment) -> [Action] {
    guard rules.limits.refusedPerUser > 0, house.refusals.hasNews else { return [] }
    let wait = house.refusals.next - now.seconds
    round.wait(wait > 0 ? wait : .infinity)
    return wait > 0 ? [] : [Action(.refusals, .surveyRefusals(known: house.refusals.known))]
  }

  mutating func refusals(_ ids: [JobID], _ new: [JobID: RefusedFile], _ now: Moment) -> [Action] {
    var known: [JobID: RefusedFile] = [:]
    var kept: [UInt32?: Int] = [:]
    var surplus: [JobID] = []
    for id in ids.sorted(by: >) {
      guard let file = house.refusals.known[id] ?? new[id] else { continue }
      known[id] = file
      guard file.isRefusal else { continue }
      kept[file.user, default: 0] += 1
      if kept[file.user, default: 0] > rules.limits.refusedPerUser { surplus.append(id) }
    }
    house.refusals.known = known
    house.refusals.surplus = surplus.count
    // What is read stays until a later look. The oldest first.
    return surplus.isEmpty
      ? pruned(0, nil, now)
      : [Action(.refusals, .pruneUnused(surplus.reversed(), .failed, most: Self.refusalsAtOnce))]
  }

  mutating func pruned(_ count: Int, _ failure: Failure?, _ now: Moment) -> [Action] {
    troubles.isOver(refusalSubject)
    var actions: [Action] = []
    if count > 0 {
      actions.append(
        log("removed \(count) refused files: their users have more than \(rules.limits.refusedPerUser)"))
    }
    if let failure { actions.append(log("a refused file cannot be removed: \(failure)", .error)) }
    house.refusals.hasNews = house.refusals.surplus > count
    // Where none could be removed, another try at once would come to the same.
    let pause = count > 0 && house.refusals.hasNews ? HouseState.shortPauseSeconds : HouseState.refusalSeconds
    house.refusals.next = now.seconds + pause
    if house.refusals.hasNews { round.wait(pause) }
    return actions
  }
}
