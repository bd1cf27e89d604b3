import Queue
import JobFolder
import Diagnostics
import Foundation

/// What users ask of jobs: to hold, release, cancel and retry them, and to remove what is over.
extension JobFolders {
  static let pruningPrefix = ".pruning-"

  static func cancelled(by user: String) -> String { "cancelled by \(user)" }

  /// Does what a user asks of a job that is not being run.
  ///
  /// The request's mark is written with what it changes and before the job moves, so that a request whose file outlives its
  /// effect is known again.
  /// - Parameters:
  ///   - mark: tells the request's file from all others; nil for one that cannot come again.
  ///   - step: the step to begin a retry with.
  /// - Throws: a `Failure`, `usage` where the job's state does not allow it.
  package func answer(
    _ request: JobRequest, in state: JobState, user: String, mark: String? = nil, step: String? = nil
  ) throws {
    let id = request.id
    switch (request.verb, state) {
    case (.hold, .queue): try hold(id, from: .queue, try marked(id, state, mark), user: user)
    case (.cancel, .queue), (.cancel, .held): try cancel(id, from: state, try marked(id, state, mark), user: user)
    case (.release, .held): try release(id, try marked(id, state, mark))
    case (.retry, .failed), (.retry, .done), (.retry, .held):
      try retry(id, from: state, try marked(id, state, mark), step: step)
    case (.prune, .done), (.prune, .failed): try prune(id, state)
    default: throw Failure(.usage, id.description, "the job stands in \(state.rawValue)/")
    }
  }

  /// Whether a request was carried out: its mark was written, and the job stands where it was to go.
  package func isAnswered(_ mark: String, of id: JobID, in state: JobState) throws -> Bool {
    guard let status = try knownStatus(of: id, state), status.answered?.contains(mark) == true else { return false }
    // Between the two it was cut short, and is carried out again; what stands in active/ `recover` puts where it says.
    return status.state == state || state == .active
  }

  /// A job's status, or one like it where it is damaged, with the mark of a request.
  private func marked(_ id: JobID, _ state: JobState, _ mark: String?) throws -> JobStatus {
    var status = try knownStatus(of: id, state) ?? restoredStatus(id, state)
    status.note(mark)
    return status
  }

  /// Puts a job aside that is not being run.
  func hold(_ id: JobID, from state: JobState, _ status: JobStatus, user: String) throws {
    var status = status
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
    var status = try status(of: id, .queue)
    status.state = .held
    status.reason = reason.oneLine
    try write(status, of: id, .queue)
    try move(id, from: .queue, to: .held)
  }

  /// Lets a held job go on; it waits for no other job any more.
  func release(_ id: JobID, _ status: JobStatus) throws {
    var status = status
    status.state = .queue
    status.reason = nil
    status.after = nil
    try write(status, of: id, .held)
    try move(id, from: .held, to: .queue)
  }

  /// Gives a job up that is not being run.
  func cancel(_ id: JobID, from state: JobState, _ status: JobStatus, user: String) throws {
    var status = status
    status.state = .failed
    status.finished = now()
    status.isRunning = false
    status.nextAttempt = nil
    status.reason = Self.cancelled(by: user)
    try write(status, of: id, state)
    try move(id, from: state, to: .failed)
  }

  /// Queues a failed job, or one that is done, once more.
  ///
  /// Nothing is removed before the job has left its place: one that cannot be moved stays the job that it was.
  /// - Parameter step: the step to begin with; its outputs and those of later steps are removed before it is run. Nil to go
  ///   on where it stopped.
  /// - Throws: a `Failure`, `usage` where the job has no such step.
  func retry(_ id: JobID, from state: JobState, _ status: JobStatus, step: String?) throws {
    var status = status
    if status.steps.isEmpty {
      throw Failure(.usage, id.description, "was refused when it was submitted", remedy: "submit it again")
    }
    let job = try jobFile(of: id, state)
    let names = job.steps.map(\.name)
    if let step, !names.contains(step) {
      throw Failure(
        .usage, id.description, "has no step \"\(step)\"", remedy: "its steps are \(names.joined(separator: ", "))")
    }
    // Of two retries, the second before the job was run again, the earlier step counts.
    status.discardsFrom = names.first { $0 == step || $0 == status.discardsFrom } ?? ""
    status.clearStep()
    status.state = .queue
    status.finished = nil
    (status.line, status.key) = (nil, nil)
    let isKept = { (name: String) in
      status.discardsFrom == "" ? status.finishedSteps.contains(name) : name != status.discardsFrom
    }
    status.finishedSteps = Array(names.prefix(while: isKept))
    status.nextStage = job.steps.dropFirst(status.finishedSteps.count).first?.stage.stage
    try write(status, of: id, state)
    // Crash here: the job stands where it stood; whoever asked for it asks again.
    try move(id, from: state, to: .queue)
  }

  /// Removes of a job of the queue what its retry is to make again, and what says of it that it is done.
  func discardOutputs(of id: JobID) throws {
    var status = try status(of: id, .queue)
    guard let first = status.discardsFrom else { return }
    let folder = folder(of: id, .queue)
    let job = try jobFile(of: id, .queue)
    let discarded = first.isEmpty ? [] : job.steps.drop { $0.name != first }
    // What says that something is done goes first and for good. A crash or an error here, or while the rest goes: some steps
    // of the job are not done, and the rest goes the next time.
    for name in [JobFolderNames.summary, JobFolderNames.checksums] + discarded.map(\.recordFile) {
      try files.remove("\(folder)/\(name)")
    }
    try files.synchronize(folder)
    if !discarded.isEmpty {
      try discard(Set(discarded.map(\.name)), among: job.steps.map(\.name), in: folder)
      try files.synchronize(folder)
    }
    status.discardsFrom = nil
    try write(status, of: id, .queue)
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

extension JobStatus {
  /// So many requests are remembered.
  private static let mostMarks = 8

  /// Remembers that a request was carried out.
  mutating func note(_ mark: String?) {
    guard let mark, answered?.contains(mark) != true else { return }
    answered = Array(((answered ?? []) + [mark]).suffix(Self.mostMarks))
  }
}
