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
      let isRemoved = try answer(request, path, entry, user: user)
      if isRemoved { try remove(path) }
    } catch let failure as Failure where failure.status != .ioError && failure.status != .temporaryFailure {
      log("\(request.verb.rawValue) refused: \(failure.description)", .notice, of: request.id)
      try? remove(path)
    } catch {
      log("\(request.verb.rawValue): \(error); trying again in \(Int(Self.scanSeconds)) s", .error, of: request.id)
    }
  }

  private func remove(_ path: String) throws {
    if try folders.files.entry(path)?.kind == .folder {
      try folders.files.removeFolder(path)
    } else {
      try folders.files.remove(path)
    }
    try folders.files.synchronize(folders.incoming)
  }

  /// - Returns: whether it is done; a step at work has to stop first.
  private func answer(_ request: JobRequest, _ path: String, _ entry: FileEntry, user: String) throws -> Bool {
    let id = request.id
    guard let state = JobState.allCases.first(where: { folders.isThere(id, $0) }) else {
      throw Failure(.noInput, path, "no such job")
    }
    let owner = folders.status(of: id, state)?.uid
    guard entry.kind == .file, entry.links == 1, entry.owner == 0 || entry.owner == geteuid() || entry.owner == owner
    else {
      throw Failure(
        .usage, path, "the job belongs to \(owner.map { Users.name($0) } ?? "nobody"), the request to \(user)")
    }
    switch (request.verb, state) {
    case (.hold, .active): return try stopJob(id, .hold(user: user), path)
    case (.cancel, .active): return try stopJob(id, .cancel(user: user), path)
    case (.prune, _) where state.isFinal && isInUse(id, state):
      throw Failure(.usage, id.description, "somebody has a file of it open")
    case (.retry, _):
      let bytes = try folders.files.read(path, limitBytes: JobRequest.largestBytes)
      let step = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      try folders.answer(request, in: state, user: user, step: step.isEmpty ? nil : step)
    default:
      try folders.answer(request, in: state, user: user)
    }
    queue[id] = folders.isThere(id, .queue) ? folders.entry(id) : nil
    if request.verb == .cancel { counters.failed += 1 }
    log("\(request.verb.rawValue) by \(user)", .notice, of: id)
    return true
  }

  private func stopJob(_ id: JobID, _ reason: JobFolders.StopReason, _ path: String) throws -> Bool {
    guard let active = active[id] else {
      // It was left by another daemon; when it is back in the queue, the request is answered.
      return false
    }
    active.request = path
    guard active.stage != nil else {
      if active.status == nil { return false }
      // It waits for a lock and has not started.
      try conclude(active, .notStarted(""), lastLine: nil, stop: reason)
      return true
    }
    stop(active, reason)
    return false
  }
}
