import Diagnostics
import Foundation

/// What users ask of jobs: to hold, release, cancel and retry them, and to remove what is over.
extension JobFolders {
  static let pruningPrefix = ".pruning-"

  static func cancelled(by user: String) -> String { "cancelled by \(user)" }

  /// Does what a user asks of a job that is not being run.
  /// - Parameter step: the step to begin a retry with.
  /// - Throws: a `Failure` where the job's state does not allow it.
  package func answer(_ request: JobRequest, in state: JobState, user: String, step: String? = nil) throws {
    switch (request.verb, state) {
    case (.hold, .queue): try hold(request.id, from: .queue, user: user)
    case (.cancel, .queue), (.cancel, .held): try cancel(request.id, from: state, user: user)
    case (.release, .held): try release(request.id)
    case (.retry, .failed), (.retry, .done), (.retry, .held): try retry(request.id, from: state, step: step)
    case (.prune, .done), (.prune, .failed): try prune(request.id, state)
    default: throw Failure(.usage, request.id.description, "the job stands in \(state.rawValue)/")
    }
  }

  /// Puts a job aside that is not being run.
  func hold(_ id: JobID, from state: JobState, _ status: JobStatus? = nil, user: String) throws {
    var status = status ?? self.status(of: id, state) ?? freshStatus(id, .held)
    status.state = .held
    status.isRunning = false
    status.nextAttempt = nil
    status.reason = "held by \(user)"
    try write(status, of: id, state)
    // Crash here: the job stands where it stood; whoever asked for it asks again.
    try move(id, from: state, to: .held)
  }

  /// Puts a job aside because what it waits for will not come about.
  package func hold(_ id: JobID, reason: String) throws {
    var status = status(of: id, .queue) ?? freshStatus(id, .held)
    status.state = .held
    status.reason = reason.oneLine
    try write(status, of: id, .queue)
    try move(id, from: .queue, to: .held)
  }

  /// Lets a held job go on; it waits for no other job any more.
  func release(_ id: JobID) throws {
    var status = status(of: id, .held) ?? freshStatus(id, .queue)
    status.state = .queue
    status.reason = nil
    status.after = nil
    try write(status, of: id, .held)
    try move(id, from: .held, to: .queue)
  }

  /// Gives a job up that is not being run.
  func cancel(_ id: JobID, from state: JobState, user: String) throws {
    var status = status(of: id, state) ?? freshStatus(id, .failed)
    status.state = .failed
    status.finished = now()
    status.isRunning = false
    status.nextAttempt = nil
    status.reason = Self.cancelled(by: user)
    try write(status, of: id, state)
    try move(id, from: state, to: .failed)
  }

  /// Queues a failed job, or one that is done, once more.
  /// - Parameter step: the step to begin with; its outputs and those of later steps are removed. Nil to go on where it
  ///   stopped.
  /// - Throws: a `Failure` where the job has no such step.
  func retry(_ id: JobID, from state: JobState, step: String?) throws {
    let folder = folder(of: id, state)
    if self.status(of: id, state)?.steps.isEmpty == true {
      throw Failure(.usage, id.description, "was refused when it was submitted", remedy: "submit it again")
    }
    let job = try jobFile(of: id, state)
    let discarded = try step.map { try job.steps(from: $0, id) } ?? []
    // What says that something is done goes first and for good. A crash here, or while the rest goes: the job stands where it
    // stood, some steps of it not done; whoever asked for it asks again.
    for name in [Name.summary, Name.checksums] + discarded.map(\.recordFile) { try files.remove("\(folder)/\(name)") }
    try files.synchronize(folder)
    if !discarded.isEmpty {
      try discard(Set(discarded.map(\.name)), among: job.steps.map(\.name), in: folder)
      try files.synchronize(folder)
    }
    var status = status(of: id, state) ?? freshStatus(id, .queue)
    status.clearStep()
    status.state = .queue
    status.finished = nil
    (status.line, status.key) = (nil, nil)
    status.finishedSteps = job.steps.prefix { step == nil ? status.finishedSteps.contains($0.name) : $0.name != step }
      .map(\.name)
    status.nextStage = try nextStep(of: job, id, state)?.stage.stage
    try write(status, of: id, state)
    // Crash here: the job stands where it stood; whoever asked for it asks again.
    try move(id, from: state, to: .queue)
  }

  /// Removes everything of some steps, what is hidden included: parts, and drafts of records.
  private func discard(_ steps: Set<String>, among all: [String], in folder: String) throws {
    for file in try files.names(in: folder) where Self.owner(of: file, among: all).map(steps.contains) ?? false {
      try files.entry("\(folder)/\(file)")?.kind == .folder
        ? files.removeTree("\(folder)/\(file)") : files.remove("\(folder)/\(file)")
    }
  }

  /// The step that a file of a job's folder belongs to: the longest name that it begins with, behind the dot of a hidden one.
  static func owner(of file: String, among steps: [String]) -> String? {
    let name = file.hasPrefix(".") ? file.dropFirst() : file[...]
    return steps.filter { name.hasPrefix($0 + ".") || name.hasPrefix($0 + "-") }.max { $0.utf8.count < $1.utf8.count }
  }

  /// Removes a finished job for good.
  package func prune(_ id: JobID, _ state: JobState) throws {
    if let failure = prune([id], state).failure { throw failure }
  }

  /// Removes finished jobs for good, with one flush for all of them.
  /// - Parameter betweenTwo: called now and then.
  /// - Returns: how many are gone, and the first of what went wrong.
  package func prune(_ ids: [JobID], _ state: JobState, betweenTwo: () -> Void = {}) -> (
    count: Int, failure: (any Error)?
  ) {
    func doomed(_ id: JobID) -> String { "\(folder(of: state))/\(Self.pruningPrefix)\(id)" }
    var hidden: [JobID] = []
    var failure: (any Error)?
    for id in ids {
      do {
        try files.rename(folder(of: id, state), to: doomed(id))
        hidden.append(id)
      } catch { failure = failure ?? error }
    }
    if hidden.isEmpty { return (0, failure) }
    do {
      try files.synchronize(folder(of: state))
    } catch {
      for id in hidden { try? files.rename(doomed(id), to: folder(of: id, state)) }
      return (0, error)
    }
    // Crash here: `prepare` removes the rest.
    var count = 0
    for id in hidden {
      betweenTwo()
      do {
        try files.removeTree(doomed(id))
        count += 1
      } catch { failure = failure ?? error }
    }
    return (count, failure)
  }
}

extension JobFile {
  /// The steps from one of this name on.
  /// - Throws: a `Failure` where there is none.
  fileprivate func steps(from name: String, _ id: JobID) throws -> ArraySlice<JobStep> {
    guard let first = steps.firstIndex(where: { $0.name == name }) else {
      throw Failure(
        .usage, id.description, "has no step \"\(name)\"",
        remedy: "its steps are \(steps.map(\.name).joined(separator: ", "))")
    }
    return steps[first...]
  }
}
