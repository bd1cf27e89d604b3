import Queue
import Files
import JobFolder
import Diagnostics
import Foundation

/// What users ask of jobs.
extension Daemon {
  /// Does what a request asks, if whoever asks may; its file is removed when that is done.
  func answer(_ request: JobRequest, _ name: String) {
    let path = "\(folders.incoming)/\(name)"
    do {
      guard let entry = try folders.files.entry(path) else { return }
      let user = Users.name(entry.owner)
      var isRemoved = false
      do {
        isRemoved = try answer(request, path, entry, user: user)
      } catch let failure as Failure where failure.status == .usage || failure.status == .dataError {
        log("\(request.verb.rawValue) refused: \(failure.description)", .notice, of: request.id)
        isRemoved = true
      }
      // Crash here, or an error: by its mark it is known that it was carried out.
      if isRemoved { try remove(path) }
      troubles.isOver("\(folders.incoming)/\(name)")
    } catch {
      doubtQueue()
      postpone(name, error, "cannot be carried out now")
    }
  }

  private func remove(_ path: String) throws {
    if try folders.files.entry(path)?.kind == .folder {
      try folders.hide(path)
    } else {
      try folders.files.remove(path)
    }
    try folders.files.synchronize(folders.incoming)
  }

  /// - Returns: whether it is done; a step at work has to stop first.
  private func answer(_ request: JobRequest, _ path: String, _ entry: FileEntry, user: String) throws -> Bool {
    let id = request.id
    guard let state = try JobState.allCases.first(where: { try folders.isThere(id, $0) }) else {
      throw Failure(.usage, path, "no such job")
    }
    let mark = request.mark(entry)
    if try folders.isAnswered(mark, of: id, in: state) { return true }
    let owner = try folders.knownStatus(of: id, state)?.uid
    guard entry.kind == .file, entry.links == 1, entry.owner == 0 || entry.owner == geteuid() || entry.owner == owner
    else {
      throw Failure(
        .usage, path, "the job belongs to \(owner.map { Users.name($0) } ?? "nobody"), the request to \(user)")
    }
    if let owner, request.verb == .retry || request.verb == .release {
      try admit(id, state, owner)
    }
    switch (request.verb, state) {
    case (.hold, .active): return try stopJob(id, .hold(user: user), path, mark)
    case (.cancel, .active): return try stopJob(id, .cancel(user: user), path, mark)
    case (.prune, _) where try state.isFinal && isInUse(id, state):
      throw Failure(.usage, id.description, "somebody has a file of it open")
    case (.retry, _):
      let bytes = try folders.files.read(path, limitBytes: JobRequest.largestBytes)
      let step = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      try folders.answer(request, in: state, user: user, mark: mark, step: step.isEmpty ? nil : step)
    default:
      try folders.answer(request, in: state, user: user, mark: mark)
    }
    queue[id] = nil
    attempt(id) { if try folders.isThere(id, .queue) { try enqueue(id) } }
    if request.verb == .cancel { counters.failed += 1 }
    log("\(request.verb.rawValue) by \(user)", .notice, of: id)
    return true
  }

  /// Checks the limits for a job that would wait again.
  private func admit(_ id: JobID, _ state: JobState, _ owner: UInt32) throws {
    var admission = try admission()
    if state == .held {
      // It is counted already.
      admission.total -= 1
      admission.jobs[owner, default: 1] -= 1
    }
    if let reason = admission.refusal(
      Submission(user: owner, userName: Users.name(owner), bytes: 0, priority: JobFile.priorities.lowerBound))
    {
      throw Failure(.usage, id.description, reason)
    }
  }

  private func stopJob(
    _ id: JobID, _ reason: JobFolders.StopReason, _ path: String, _ mark: String
  ) throws -> Bool {
    guard let active = active[id] else {
      // It was left by another daemon; when it is back in the queue, the request is answered.
      return false
    }
    active.requests[path] = mark
    guard active.stage != nil else {
      if active.status == nil { return false }
      // It waits for a lock and has not started.
      attempt(id) { try conclude(active, .notStarted(""), lastLine: nil, stop: reason) }
      return false
    }
    stop(active, reason)
    return false
  }
}
