import Diagnostics
import Foundation

/// What stands in `incoming/` under a name, before it is accepted.
package struct Submission: Sendable, Equatable {
  /// The user it belongs to.
  package let user: UInt32
  /// Its size in bytes.
  package let bytes: Int
  /// The priority it asks for.
  package let priority: Int
}

/// Jobs by ID, by reference and by name: of several, the last.
struct JobIndex {
  private var jobs: [String: JobID] = [:]

  init(_ ids: some Sequence<JobID>) { for id in ids { insert(id) } }

  mutating func insert(_ id: JobID) {
    for key in [id.description, id.reference, id.name] where jobs[key].map({ $0 < id }) ?? true { jobs[key] = id }
  }

  func contains(_ id: JobID) -> Bool { jobs[id.description] != nil }

  subscript(_ text: String) -> JobID? { jobs[text] }
}

/// Acceptance: from `incoming/` to `queue/`, or to `failed/` with the reason.
extension JobFolders {
  /// What became of a file in `incoming/`.
  package enum Acceptance: Equatable {
    case queued(JobID)
    case refused(JobID, reason: String)
  }

  /// Batches of this size and above are flushed with everything else on the disk at once.
  private static let bulkCount = 4

  /// Takes a file out of `incoming/` and queues it as a job, or refuses it with the reason.
  package func accept(_ name: String) throws -> Acceptance {
    guard let accepted = try accept([name]).first else {
      throw Failure(.noInput, "\(incoming)/\(name)", "is gone")
    }
    return accepted.acceptance
  }

  /// Takes files out of `incoming/` and queues each as a job, or refuses it with the reason.
  ///
  /// A file moves into a folder `queue/.ID` first, by one rename: from then on the job is the daemon's, and a crash leaves
  /// either the file in `incoming/` or a folder that `recoverAcceptances` takes up. A folder is no job, and what is in it stays
  /// its owner's: it is set aside within `incoming/`.
  /// - Parameters:
  ///   - names: the files; those that are gone are passed over.
  ///   - mayFlushAll: whether a large batch may flush the whole disk at once; where others write much, that takes long.
  ///   - refusal: why a submission cannot be accepted, or nil.
  /// - Returns: what became of each, and the queue's entry of those that are queued.
  package func accept(
    _ names: [String], mayFlushAll: Bool = true, refusal: (Submission) -> String? = { _ in nil }
  ) throws -> [(acceptance: Acceptance, entry: QueueEntry?)] {
    var staged: [JobID] = []
    var failure: (any Error)?
    for name in names {
      do {
        if let id = try stage(name) { staged.append(id) }
      } catch let problem as Failure where problem.status != .ioError && problem.status != .temporaryFailure {
        // One name must not keep others waiting.
        try? setAside("\(incoming)/\(name)")
      } catch {
        failure = error
        break
      }
    }
    let settled = try settle(staged, mayFlushAll: mayFlushAll, refusal: refusal)
    if let failure, settled.isEmpty { throw failure }
    return settled
  }

  /// Moves a file of `incoming/` into a folder of its own.
  /// - Returns: the folder's ID; nil where the file is gone.
  private func stage(_ name: String) throws -> JobID? {
    let path = "\(incoming)/\(name)"
    guard let entry = try files.entry(path) else { return nil }
    let base = JobName.resembling(IncomingName.base(name))
    let id = try unusedID(stamp: JobID.stamp(now()), name: base, suffix: nil)
    if entry.kind == .folder {
      try setAside(path)
      try files.createFolder(staging(id))
      return id
    }
    try files.createFolder(staging(id))
    // Crash here: an empty folder, which `recoverAcceptances` removes.
    let submitted = "\(staging(id))/\(Name.submitted)"
    do {
      try files.rename(path, to: submitted)
      // Somebody may have put a folder there a moment ago.
      if try files.entry(submitted)?.kind == .folder { try setAside(submitted) }
    } catch {
      try files.removeFolder(staging(id))
      if let failure = error as? Failure, failure.status == .noInput { return nil }
      throw error
    }
    // Crash here: `recoverAcceptances` settles the folder.
    return id
  }

  /// Gets what is no file out of the way: removed where it is an empty folder, else hidden in `incoming/`.
  package func setAside(_ path: String) throws {
    if (try? files.removeFolder(path)) != nil { return }
    try files.rename(path, to: "\(incoming)/.refused-\(UInt64.random(in: 0...UInt64.max))")
  }

  private func staging(_ id: JobID) -> String { "\(folder(of: .queue))/.\(id)" }

  /// A submission that was read, with its final place.
  private struct Settlement {
    let provisional: JobID
    let id: JobID
    let status: JobStatus
    let hasSubmitted: Bool
  }

  /// Reads what stands in folders `queue/.ID` and gives each its final place, in `queue/` or in `failed/`.
  private func settle(
    _ provisional: [JobID], mayFlushAll: Bool = true, refusal: (Submission) -> String?
  ) throws -> [(acceptance: Acceptance, entry: QueueEntry?)] {
    if provisional.isEmpty { return [] }
    let isBulk = mayFlushAll && provisional.count >= Self.bulkCount
    var taken = try JobIndex(JobState.allCases.flatMap { try jobs($0) })
    var settlements: [Settlement] = []
    for id in provisional {
      let settlement = try prepare(id, isFlushed: !isBulk, taken: taken, refusal: refusal)
      taken.insert(settlement.id)
      settlements.append(settlement)
    }
    if isBulk {
      try files.synchronizeAll(root)
    } else {
      for id in provisional { try files.synchronize(staging(id)) }
      try files.synchronize(folder(of: .queue))
      try files.synchronize(incoming)
    }
    for settlement in settlements {
      let staging = staging(settlement.provisional)
      if settlement.hasSubmitted {
        try dispose("\(staging)/\(Name.submitted)", copy: "\(staging)/\(Name.jobFile)")
      }
      // Crash here: the copy is complete, and is settled again.
      try files.rename(staging, to: folder(of: settlement.id, settlement.status.state))
    }
    for state in Set(settlements.map(\.status.state)).union([.queue]) { try files.synchronize(folder(of: state)) }
    return settlements.map { settlement in
      guard settlement.status.state == .queue else {
        return (.refused(settlement.id, reason: settlement.status.reason ?? ""), nil)
      }
      return (.queued(settlement.id), QueueEntry(settlement.id, settlement.status))
    }
  }

  /// Reads a submission, and writes beside it what its job will have: the copy that is run and its status.
  ///
  /// The job is run from a copy, so that whoever still holds the submitted file open cannot change it under the daemon.
  private func prepare(
    _ provisional: JobID, isFlushed: Bool, taken: JobIndex, refusal: (Submission) -> String?
  ) throws -> Settlement {
    let staging = self.staging(provisional)
    let submitted = "\(staging)/\(Name.submitted)"
    let copy = "\(staging)/\(Name.jobFile)"
    // Crash after the submitted file was removed: the copy is complete, and its status says whose it is.
    let entry = try files.entry(submitted)
    let earlier =
      entry == nil ? try? JobStatus(json: files.read("\(staging)/\(Name.status)", limitBytes: 1 << 20)) : nil
    var status = freshStatus(provisional, .queue)
    status.uid = entry?.owner ?? earlier?.uid
    status.user = status.uid.map { Users.name($0) }
    var name = provisional.name
    var suffix = provisional.suffix
    do {
      if let entry, entry.kind == .file, entry.links > 1 {
        throw Failure(.dataError, submitted, "has other names (hard links); copy it")
      }
      guard try entry != nil || files.entry(copy) != nil else {
        throw Failure(.dataError, submitted, "is not a plain file")
      }
      let bytes = try files.read(entry != nil ? submitted : copy, limitBytes: JobFile.largestBytes)
      if entry != nil { try files.write(copy, bytes, isFlushed: isFlushed) }
      let job = try JobFile(bytes)
      // `sidctl` names its file JOB-7f3a.yaml so that whoever submits knows the job's reference at once.
      let end = provisional.name.dropFirst(job.name.utf8.count + 1)
      // A reference that another job has already is not given twice.
      if provisional.name.hasPrefix(job.name + "-"), JobID.isSuffix(end), taken[provisional.name] == nil {
        suffix = String(end)
      }
      name = job.name
      try job.checkInputs(roots, submitter: status.uid)
      status.steps = job.steps.map(\.name)
      status.records = true
      status.nextStage = job.steps.first?.stage.stage
      status.priority = job.priority == 0 ? nil : job.priority
      status.after =
        job.after.isEmpty ? nil : try job.after.map { try dependency($0.job, line: $0.line, among: taken).description }
      let known = entry == nil && earlier?.state == .failed ? earlier?.reason : nil
      let submission = Submission(user: status.uid ?? 0, bytes: bytes.count, priority: job.priority)
      if let reason = known ?? (entry == nil ? nil : refusal(submission)) {
        (status.state, status.reason) = (.failed, reason)
      }
    } catch let error as JobFileError {
      (status.state, status.reason) = (.failed, "job file: \(error)")
      (status.line, status.key) = (error.line, error.key)
    } catch let failure as Failure where failure.status != .ioError && failure.status != .temporaryFailure {
      (status.state, status.reason) = (.failed, "the job file cannot be read: it \(failure.problem)")
    }
    let id = try unusedID(stamp: provisional.stamp, name: name, suffix: suffix, mayStage: provisional, taken: taken)
    status.job = id.name
    status.id = id.description
    if status.state == .failed {
      status.finished = now()
      // What was refused has no steps and cannot be retried.
      (status.steps, status.nextStage) = ([], nil)
    }
    try files.write("\(staging)/\(Name.status)", try status.json(), isFlushed: isFlushed)
    return Settlement(provisional: provisional, id: id, status: status, hasSubmitted: entry != nil)
  }

  /// The job that another one waits for.
  private func dependency(_ text: String, line: Int, among jobs: JobIndex) throws -> JobID {
    guard let id = jobs[text] else {
      throw JobFileError(
        line: line, key: "after", "\"\(text)\" is no job of this spool",
        remedy: "submit that one first; sidctl status lists them")
    }
    return id
  }

  /// Removes the submitted file once it was copied; one that could not be is kept for a look, unless it is a link or
  /// a pipe, which nobody should stumble over.
  private func dispose(_ submitted: String, copy: String) throws {
    let isCopied = try files.entry(copy) != nil
    if let entry = try files.entry(submitted), entry.kind == .other || (entry.kind == .file && isCopied) {
      try files.remove(submitted)
    }
  }

  private func unusedID(
    stamp: String, name: String, suffix: String?, mayStage: JobID? = nil, taken: JobIndex = JobIndex([])
  ) throws -> JobID {
    var suffix = suffix
    while true {
      let digits = suffix ?? String(UInt16.random(in: 0...UInt16.max), radix: 16)
      let id = JobID(stamp: stamp, name: name, suffix: String(repeating: "0", count: 4 - digits.count) + digits)
      let isTaken = try taken.contains(id) || JobState.allCases.contains { try files.entry(folder(of: id, $0)) != nil }
      let isStaged = try id != mayStage && files.entry(staging(id)) != nil
      if !isTaken && !isStaged { return id }
      suffix = nil
    }
  }

  /// Finishes what a crash cut short: files between `incoming/` and `queue/`.
  package func recoverAcceptances(refusal: (Submission) -> String? = { _ in nil }) throws -> [Acceptance] {
    var settled: [Acceptance] = []
    for name in try files.names(in: folder(of: .queue)) where name.hasPrefix(".") {
      guard let id = JobID(name.dropFirst()) else { continue }
      let content = try files.names(in: staging(id))
      if content.contains(Name.submitted) || content.contains(Name.jobFile) {
        settled += try settle([id], refusal: refusal).map(\.acceptance)
      } else {
        for debris in content { try files.remove("\(staging(id))/\(debris)") }
        try files.removeFolder(staging(id))
      }
    }
    return settled
  }
}
