import Queue
import JobFolder
import Diagnostics
import Files
import Foundation

/// What users ask of jobs.
extension SpoolClient {
  /// What can be asked.
  public enum Wish: Sendable, Equatable {
    case hold, release, cancel, prune
    /// To begin with a step, or to go on where the job stopped.
    case retry(step: String?)

    fileprivate var verb: JobRequest.Verb {
      switch self {
      case .hold: .hold
      case .release: .release
      case .cancel: .cancel
      case .prune: .prune
      case .retry: .retry
      }
    }
  }

  /// Asks the daemon something of a job, and waits until it was answered.
  /// - Parameter seconds: how long to wait; a step at work may need its time to stop.
  /// - Returns: the job as it stands now; nil where it was pruned.
  /// - Throws: a `Failure` where the job is somebody else's or in the wrong state, the daemon does not answer, or it refuses.
  @discardableResult
  public func ask(_ wish: Wish, of job: Job, waitingSeconds seconds: Double = 120) throws -> Job? {
    let verb = wish.verb.rawValue
    let states: Set<JobState> =
      switch wish {
      case .hold: [.queue, .active]
      case .release: [.held]
      case .cancel: [.queue, .active, .held]
      case .prune: [.done, .failed]
      case .retry: [.failed, .done, .held]
      }
    guard states.contains(job.state) else {
      let names = states.map(\.rawValue).sorted().joined(separator: " or ")
      throw Failure(
        .usage, job.id.description, "stands in \(job.state.rawValue)/; only jobs in \(names) can be asked to \(verb)")
    }
    if let owner = job.status?.uid, geteuid() != 0, geteuid() != owner {
      throw Failure(
        .usage, job.id.description, "belongs to \(Users.shown(owner)); only they and the administrator may \(verb) it")
    }
    let request = JobRequest(job.id, wish.verb)
    let path = "\(root)/incoming/\(request.fileName)"
    var content = ""
    if case .retry(let step?) = wish { content = step + "\n" }
    try drop(Array(content.utf8), temporary: "\(root)/incoming/.\(request.fileName).\(getpid()).tmp", as: path)
    let end = ContinuousClock.now + .seconds(seconds)
    while try files.entry(path) != nil {
      guard ContinuousClock.now < end else {
        throw Failure(
          .temporaryFailure, job.id.description, "the daemon has not answered in \(Int(seconds)) s",
          remedy: "the request stays in incoming/; is sid-spoold running?")
      }
      usleep(20_000)
    }
    for _ in 0..<10 {
      let now = try find(job.id.description)
      if wish == .prune ? now == nil : now.map({ isAnswered(wish, job, $0) }) ?? false { return now }
      // Between two states a job stands nowhere for a moment.
      usleep(50_000)
    }
    throw Failure(
      .usage, job.id.description, "the daemon refused to \(verb) it",
      remedy: "its log says why (journalctl -u sid-spoold)")
  }

  private func isAnswered(_ wish: Wish, _ old: Job, _ new: Job) -> Bool {
    switch wish {
    case .hold: new.state == .held || new.state.isFinal
    case .cancel: new.state.isFinal
    case .release: new.state != .held
    // It may have come to its end once more already.
    case .retry: new.state != old.state || new.status?.finished != old.status?.finished
    case .prune: false
    }
  }

  /// The finished jobs that ended before so many seconds.
  public func finished(_ states: Set<JobState>, olderThanSeconds seconds: Double) throws -> [Job] {
    let now = Date()
    return try jobs().filter { job in
      states.contains(job.state) && job.status?.finished.map { now.timeIntervalSince($0) >= seconds } ?? false
    }
  }
}

extension String {
  /// Seconds of a time such as `90 s`, `2 h` or `30 d`; nil where this is none.
  public var timeInSeconds: Double? { Quantity.seconds(self) }
}
