import Diagnostics
import Foundation
import JobFolder

/// What users ask of jobs: to hold, release, cancel and retry them, and to remove what is over.
///
/// The request's mark is written with what it changes and before the job moves, and its file is removed last of all. Crash
/// anywhere between: the file is read again, and by its mark it is known whether it was carried out.
extension JobQueue {
  /// Does what a request asks, if whoever asks may.
  /// - Parameter facts: nil where its file is gone.
  mutating func request(_ facts: RequestFacts?, name: String, _ now: Moment) -> [Action] {
    guard let facts else { return [] }
    do throws(Failure) {
      let status = try checked(facts)
      guard let status else { return remove(name) }
      if status.uid != nil, facts.request.verb == .retry || facts.request.verb == .release {
        return survey(.request(facts), .request(name), now)
      }
      return try answer(facts, now)
    } catch {
      return refuse(facts, error)
    }
  }

  /// Goes on with a request for which there has to be room.
  mutating func admit(_ facts: RequestFacts, _ counts: UserCounts, _ now: Moment) -> [Action] {
    do throws(Failure) {
      if let owner = facts.status?.known?.uid {
        var admission = admission(counts)
        if facts.state == .held {
          // It is counted already.
          admission.total -= 1
          admission.jobs[owner, default: 1] -= 1
        }
        let submission = Submission(
          user: owner, userName: facts.jobOwnerName, bytes: 0, priority: QueueLimits.priorities.lowerBound)
        if let reason = admission.refusal(submission) {
          throw Failure(.usage, facts.request.id.description, reason)
        }
      }
      return try answer(facts, now)
    } catch {
      return refuse(facts, error)
    }
  }

  private func refuse(_ facts: RequestFacts, _ failure: Failure) -> [Action] {
    let told = log("\(facts.request.verb.rawValue) refused: \(failure.description)", .notice, of: facts.request.id)
    return [told] + remove(facts.name)
  }

  private func remove(_ name: String) -> [Action] {
    [Action(.request(name), .removeRequest(name)), Action(.request(name), .reached(.requestRemoved(name: name)))]
  }

  /// Whether whoever asks may.
  /// - Returns: the job's status; nil where the request was carried out before.
  /// - Throws: why it is refused.
  private func checked(_ facts: RequestFacts) throws(Failure) -> JobStatus? {
    let path = "\(incomingFolder)/\(facts.name)"
    guard let state = facts.state, let found = facts.status else { throw Failure(.usage, path, "no such job") }
    if let status = found.known, status.answered?.contains(facts.mark) == true {
      // Between its writing and the move it was cut short, and is carried out again; what stands in active/ `recover` puts where it says.
      if status.state == state || state == .active { return nil }
    }
    let owner = found.known?.uid
    guard facts.isPlain, facts.owner == 0 || facts.owner == rules.user || facts.owner == owner else {
      throw Failure(.usage, path, "the job belongs to \(facts.jobOwnerName), the request to \(facts.ownerName)")
    }
    return found.status
  }

  /// Does what is asked of a job.
  /// - Throws: why it is refused.
  private mutating func answer(_ facts: RequestFacts, _ now: Moment) throws(Failure) -> [Action] {
    let (id, verb, user) = (facts.request.id, facts.request.verb, facts.ownerName)
    guard let state = facts.state, var status = facts.status?.status else { return [] }
    if state == .active {
      switch verb {
      case .hold: return stopJob(facts, .hold(user: user), now)
      case .cancel: return stopJob(facts, .cancel(user: user), now)
      case .release, .retry, .prune: break
      }
    }
    status.note(facts.mark)
    let step = verb == .retry ? try facts.step.value : ""
    switch (verb, state) {
    case (.hold, .queue): status.putAside(reason: "held by \(user)")
    case (.cancel, .queue), (.cancel, .held):
      giveUp(&status, reason: Self.cancelled(by: user), now)
      status.nextAttempt = nil
    case (.release, .held):
      status.state = .queue
      // It waits for no other job any more.
      (status.reason, status.after) = (nil, nil)
    case (.retry, .failed), (.retry, .done), (.retry, .held):
      try status.beginAgain(id, step: step, of: facts.steps)
    case (.prune, .done), (.prune, .failed):
      if facts.isInUse { throw Failure(.usage, id.description, "somebody has a file of it open") }
      return [
        Action(.request(facts.name), .prune(id, state)),
        Action(.request(facts.name), .reached(.answered(name: facts.name, facts.request, state))),
        Action(.request(facts.name), .log(LogRecord("prune by \(user)", .notice, job: id))),
      ] + remove(facts.name)
    default: throw Failure(.usage, id.description, "the job stands in \(state.rawValue)/")
    }
    return [
      Action(.request(facts.name), .write(status, id, state)),
      // Crash here: the job stands where it stood and says where it is to go; the request is carried out again.
      Action(.request(facts.name), .move(id, from: state, to: status.state)),
      Action(.request(facts.name), .reached(.answered(name: facts.name, facts.request, status.state))),
      Action(.request(facts.name), .log(LogRecord("\(verb.rawValue) by \(user)", .notice, job: id))),
    ] + remove(facts.name)
  }

  /// What a request asks is done, but for the removal of its file.
  mutating func answered(_ name: String, _ request: JobRequest, _ state: JobState) -> [Action] {
    waiting[request.id] = nil
    places[request.id] = nil
    if request.verb == .cancel { counters.failed += 1 }
    guard request.verb != .prune, state == .queue else { return [] }
    return [Action(.job(request.id), .read(request.id, .queue, .entry))]
  }

  /// A step at work has to stop first; the request stays until the job has its place.
  private mutating func stopJob(_ facts: RequestFacts, _ reason: StopReason, _ now: Moment) -> [Action] {
    let id = facts.request.id
    switch atWork[id] {
    case .running(var attempt, let run):
      attempt.requests[facts.name] = facts.mark
      atWork[id] = .running(attempt, run)
      return stop(id, reason, now)
    case .starting(var attempt, var wait):
      // It waits for the processes of an earlier attempt, and stays where they are at work until they have ended.
      attempt.requests[facts.name] = facts.mark
      if wait.stop.map({ $0.weight < reason.weight }) ?? true { wait.stop = reason }
      atWork[id] = .starting(attempt, wait)
      return []
    default:
      // It was left by another daemon; when it is back in the queue, the request is answered.
      return []
    }
  }
}

extension JobStatus {
  /// So many requests are remembered.
  private static let mostMarks = 8

  /// Remembers that a request was carried out.
  mutating func note(_ mark: String) {
    guard answered?.contains(mark) != true else { return }
    answered = Array(((answered ?? []) + [mark]).suffix(Self.mostMarks))
  }

  /// Queues a failed job, or one that is done, once more.
  ///
  /// Nothing is removed before the job has left its place: one that cannot be moved stays the job that it was.
  /// - Parameter step: the step to begin with; its outputs and those of later steps are removed before it is run. Empty to go on
  ///   where it stopped.
  /// - Throws: why that cannot be.
  fileprivate mutating func beginAgain(
    _ id: JobID, step: String, of plans: RequestFacts.Answer<[StepPlan]>
  ) throws(Failure) {
    if steps.isEmpty {
      throw Failure(.usage, id.description, "was refused when it was submitted", remedy: "submit it again")
    }
    let plans = try plans.value
    let names = plans.filter { !$0.isOwn }.map(\.name)
    if !step.isEmpty, !names.contains(step) {
      throw Failure(
        .usage, id.description, "has no step \"\(step)\"", remedy: "its steps are \(names.joined(separator: ", "))")
    }
    // Of two retries, the second before the job was run again, the earlier step counts.
    discardsFrom = names.first { $0 == step || $0 == discardsFrom } ?? ""
    clearStep()
    state = .queue
    // It takes its turn as a new one does.
    (started, finished) = (nil, nil)
    (line, key) = (nil, nil)
    let kept = finishedSteps
    finishedSteps = Array(names.prefix { discardsFrom == "" ? kept.contains($0) : $0 != discardsFrom })
    nextStage = plans.filter { !$0.isOwn }.dropFirst(finishedSteps.count).first?.stage
  }
}
