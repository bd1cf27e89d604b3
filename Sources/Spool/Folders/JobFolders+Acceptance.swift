import Queue
import Files
import JobFolder
import Diagnostics
import Foundation
import YAML

/// Acceptance: from `incoming/` to `queue/`, or to `failed/` with the reason.
extension JobFolders {
  /// Batches of this size and above are flushed with everything else on the disk at once.
  private static let bulkCount = 4
  static let refusedPrefix = ".refused-"

  /// Takes files out of `incoming/` and queues each as a job, or refuses it with the reason.
  ///
  /// A file moves into a folder `queue/.ID` first, by one rename: from then on the job is the daemon's, and a crash leaves
  /// either the file in `incoming/` or a folder that `recoverAcceptances` takes up. Where the system refuses, whatever the
  /// reason, the file stays where its owner put it. A folder is no job, and what is in it stays its owner's: it is set aside
  /// within `incoming/`, and its record goes to `failed/`.
  /// - Parameters:
  ///   - names: the files; those that are gone are passed over.
  ///   - mayFlushAll: whether a large batch may flush the whole disk at once; where others write much, that takes long.
  ///   - isComplete: whether nothing that came before is undecided, so that a job that is not known does not exist.
  ///   - refusal: why a submission cannot be accepted, or nil.
  /// - Throws: a `Failure` where the spool's folders cannot be read; what was taken stands in `queue/.ID` then.
  package func accept(
    _ names: [String], mayFlushAll: Bool = true, isComplete: Bool = true,
    refusal: (Submission) -> String? = { _ in nil }
  ) throws -> Intake {
    var staged: [JobID] = []
    var intake = Intake()
    for name in names {
      do {
        if let id = try stage(name) { staged.append(id) }
      } catch let failure as Failure {
        // One name must not keep others waiting.
        intake.postponed.append((name, failure))
      }
    }
    return try settle(
      staged, into: intake, mayFlushAll: mayFlushAll, isComplete: isComplete && intake.isComplete, refusal: refusal)
  }

  /// Moves a file of `incoming/` into a folder of its own.
  /// - Returns: the folder's ID; nil where the file is gone.
  private func stage(_ name: String) throws -> JobID? {
    let path = "\(incoming)/\(name)"
    guard let entry = try files.entry(path) else { return nil }
    let base = JobName.resembling(IncomingName.base(name))
    let id = try unusedID(stamp: JobID.stamp(now()), name: base, suffix: nil)
    try files.createFolder(staging(id))
    // Crash here: an empty folder, which `recoverAcceptances` removes.
    do {
      if entry.kind == .folder {
        try setAside(path, id, owner: entry.owner)
      } else {
        try files.rename(path, to: "\(staging(id))/\(JobFolderNames.submitted)")
      }
    } catch {
      // What cannot be removed now `recoverAcceptances` removes.
      try? removeStaging(id)
      if try files.entry(path) == nil { return try isStaged(id) ? id : nil }
      throw error
    }
    // Crash here: `recoverAcceptances` settles the folder.
    return id
  }

  /// Gets a folder out of the way, after it was written down that it was submitted and where it is.
  /// - Parameter owner: whose it is.
  private func setAside(_ path: String, _ id: JobID, owner: UInt32) throws {
    let hidden = "\(Self.refusedPrefix)\(UInt64.random(in: 0...UInt64.max))"
    var status = freshStatus(id, .failed)
    (status.uid, status.user, status.finished) = (owner, try Users.name(owner), now())
    status.setAside = hidden
    status.reason =
      "the job file cannot be read: it is not a plain file; if anything is in it, that is in incoming/\(hidden) now"
    try files.write("\(staging(id))/\(JobFolderNames.status)", try status.json())
    try files.synchronize(staging(id))
    try files.synchronize(folder(of: .queue))
    // Crash here: the folder stands where it stood, and is refused anew.
    try files.rename(path, to: "\(incoming)/\(hidden)")
    try files.synchronize(incoming)
    // Crash here: the record is complete.
  }

  /// Gets what was to be a request and is a folder out of the way: removed where it is empty, else hidden.
  func hide(_ path: String) throws {
    let hidden = "\(incoming)/\(Self.refusedPrefix)\(UInt64.random(in: 0...UInt64.max))"
    try files.rename(path, to: hidden)
    // Where it is not empty, what is in it stays its owner's.
    try? files.removeFolder(hidden)
  }

  /// Removes what was set aside and is empty, once all records of it are settled; what has content stays its owner's.
  private func removeEmptyFolders() throws {
    for name in try files.names(in: incoming) where name.hasPrefix(Self.refusedPrefix) {
      // Where it is not empty, or not to be removed, it is none of the daemon's business.
      try? files.removeFolder("\(incoming)/\(name)")
    }
  }

  /// Removes what asked for something and was answered; a folder in its place is removed where it is empty, else hidden.
  func removeRequest(_ name: String) throws {
    let path = "\(incoming)/\(name)"
    if try files.entry(path)?.kind == .folder { try hide(path) } else { try files.remove(path) }
    try files.synchronize(incoming)
  }

  private func staging(_ id: JobID) -> String { "\(folder(of: .queue))/.\(id)" }

  /// Whether anything of a submission stands in its folder.
  private func isStaged(_ id: JobID) throws -> Bool {
    guard try files.entry(staging(id)) != nil else { return false }
    return try !files.names(in: staging(id)).isEmpty
  }

  /// Removes a folder in which no submission stands.
  private func removeStaging(_ id: JobID) throws {
    let content = try files.names(in: staging(id))
    guard !content.contains(JobFolderNames.submitted), !content.contains(JobFolderNames.jobFile), try !isRefused(id)
    else { return }
    for name in content { try files.remove("\(staging(id))/\(name)") }
    try files.removeFolder(staging(id))
  }

  /// Whether a submission was refused and nothing of it is left but its record.
  private func isRefused(_ id: JobID) throws -> Bool {
    guard let status = try stagedStatus(id), status.state == .failed else { return false }
    // What was to be set aside and was not stands where it stood.
    return try status.setAside.map { try files.entry("\(incoming)/\($0)") != nil } ?? true
  }

  /// The status in a submission's folder; nil where it is missing, or was cut short.
  private func stagedStatus(_ id: JobID) throws -> JobStatus? {
    let path = "\(staging(id))/\(JobFolderNames.status)"
    guard try files.entry(path) != nil else { return nil }
    let bytes = try files.read(path, limitBytes: Self.largestStatusBytes)
    return try? JobStatus(json: bytes)
  }

  /// A submission that was read, with its final place.
  private struct Settlement {
    let provisional: JobID
    let id: JobID
    let status: JobStatus
    let hasSubmitted: Bool
  }

  /// Reads what stands in folders `queue/.ID` and gives each its final place, in `queue/` or in `failed/`.
  private func settle(
    _ provisional: [JobID], into intake: Intake = Intake(), mayFlushAll: Bool = true, isComplete: Bool,
    refusal: (Submission) -> String?
  ) throws -> Intake {
    var intake = intake
    if provisional.isEmpty { return intake }
    let isBulk = mayFlushAll && provisional.count >= Self.bulkCount
    var taken = try JobIndex(JobState.allCases.flatMap { try jobs($0) })
    var settlements: [Settlement] = []
    for id in provisional {
      do {
        let settlement = try prepare(
          id, isFlushed: !isBulk, taken: taken, isComplete: isComplete && intake.isComplete, refusal: refusal)
        taken.insert(settlement.id)
        settlements.append(settlement)
      } catch let failure as Failure {
        intake.failures.append(failure)
      }
    }
    do {
      if isBulk {
        try files.synchronizeAll(root)
      } else {
        for settlement in settlements { try files.synchronize(staging(settlement.provisional)) }
        try files.synchronize(folder(of: .queue))
        try files.synchronize(incoming)
      }
    } catch let failure as Failure {
      // None of them is sure to be on the disk.
      intake.failures.append(failure)
      return intake
    }
    var states: Set<JobState> = [.queue]
    for settlement in settlements {
      do {
        let staging = staging(settlement.provisional)
        if settlement.hasSubmitted {
          try dispose("\(staging)/\(JobFolderNames.submitted)", copy: "\(staging)/\(JobFolderNames.jobFile)")
        }
        // Crash here: the copy is complete, and is settled again.
        try files.rename(staging, to: folder(of: settlement.id, settlement.status.state))
        states.insert(settlement.status.state)
        // Not before: that it is there says of a record that it is complete.
        if let name = settlement.status.setAside { try? files.removeFolder("\(incoming)/\(name)") }
      } catch let failure as Failure {
        intake.failures.append(failure)
        // Those behind it may wait for this one, which stands nowhere yet.
        break
      }
      let isQueued = settlement.status.state == .queue
      intake.settled.append(
        isQueued
          ? (.queued(settlement.id), QueueEntry(settlement.id, settlement.status))
          : (.refused(settlement.id, reason: settlement.status.reason ?? ""), nil))
    }
    do {
      for state in states { try files.synchronize(folder(of: state)) }
    } catch let failure as Failure {
      intake.failures.append(failure)
    }
    return intake
  }

  /// Reads a submission, and writes beside it what its job will have: the copy that is run and its status.
  ///
  /// The job is run from a copy, so that whoever still holds the submitted file open cannot change it under the daemon.
  private func prepare(
    _ provisional: JobID, isFlushed: Bool, taken: JobIndex, isComplete: Bool, refusal: (Submission) -> String?
  ) throws -> Settlement {
    let staging = self.staging(provisional)
    let submitted = "\(staging)/\(JobFolderNames.submitted)"
    let copy = "\(staging)/\(JobFolderNames.jobFile)"
    // Crash after the submitted file was removed: the copy is complete, and its status says whose it is.
    let entry = try files.entry(submitted)
    if let entry, entry.kind == .folder {
      // Somebody has put it there in the place of a file, a moment before that was taken.
      try setAside(submitted, provisional, owner: entry.owner)
      return try prepare(
        provisional, isFlushed: isFlushed, taken: taken, isComplete: isComplete, refusal: refusal)
    }
    let earlier = entry == nil ? try stagedStatus(provisional) : nil
    var status = freshStatus(provisional, .queue)
    status.uid = entry?.owner ?? earlier?.uid
    status.user = try status.uid.map { try Users.name($0) }
    var name = provisional.name
    var suffix = provisional.suffix
    if let earlier, earlier.state == .failed {
      // It was decided, and what it was decided of may be gone.
      status = earlier
      name = earlier.job
    } else {
      do {
        let bytes = try content(entry, submitted: submitted, copy: copy)
        if entry != nil {
          // What the disk says of this is no fault of the submission.
          do {
            try files.write(copy, bytes, isFlushed: isFlushed)
          } catch let failure as Failure {
            throw Refused(failure: failure)
          }
        }
        let job = try JobFile(bytes)
        // `sidctl` names its file JOB-7f3a.yaml so that whoever submits knows the job's reference at once.
        let end = provisional.name.dropFirst(job.name.utf8.count + 1)
        // A reference that another job has already is not given twice.
        if provisional.name.hasPrefix(job.name + "-"), JobID.isSuffix(end), taken[provisional.name] == nil {
          suffix = String(end)
        }
        name = job.name
        try job.checkInputs(roots, submitter: status.uid)
        try job.checkPlacement(allowing: stepKeys)
        status.steps = job.steps.map(\.name)
        status.records = true
        status.nextStage = job.steps.first?.stage.stage
        status.priority = job.priority == 0 ? nil : job.priority
        status.after =
          job.after.isEmpty
          ? nil
          : try job.after.map {
            try dependency($0.job, line: $0.line, among: taken, isComplete: isComplete).description
          }
        let submission = Submission(
          user: status.uid ?? 0, userName: status.user ?? Users.shown(0), bytes: bytes.count, priority: job.priority)
        if let reason = entry == nil ? nil : refusal(submission) { (status.state, status.reason) = (.failed, reason) }
      } catch let refused as Refused {
        throw refused.failure
      } catch let error as YAMLError {
        (status.state, status.reason) = (.failed, "job file: \(error)")
        (status.line, status.key) = (error.line, error.key)
      } catch let failure as Failure where failure.status != .ioError && failure.status != .temporaryFailure {
        (status.state, status.reason) = (.failed, "the job file cannot be read: it \(failure.problem)")
      }
    }
    let id = try unusedID(stamp: provisional.stamp, name: name, suffix: suffix, mayStage: provisional, taken: taken)
    status.job = id.name
    status.id = id.description
    if status.state == .failed {
      status.finished = status.finished ?? now()
      // What was refused has no steps and cannot be retried.
      (status.steps, status.nextStage) = ([], nil)
    }
    if entry == nil {
      // It may be all that is left of the submission's owner, or of what was set aside.
      try files.publish(JobFolderNames.status, in: staging, try status.json())
    } else {
      try files.write("\(staging)/\(JobFolderNames.status)", try status.json(), isFlushed: isFlushed)
    }
    return Settlement(provisional: provisional, id: id, status: status, hasSubmitted: entry != nil)
  }

  /// What the system has refused of a submission that has nothing to do with it.
  private struct Refused: Error {
    let failure: Failure
  }

  /// What a submission says.
  private func content(_ entry: FileEntry?, submitted: String, copy: String) throws -> [UInt8] {
    if let entry, entry.kind == .file, entry.links > 1 {
      throw Failure(.dataError, submitted, "has other names (hard links); copy it")
    }
    do {
      guard try entry != nil || files.entry(copy) != nil else {
        throw Failure(.dataError, submitted, "is not a plain file")
      }
      return try files.read(entry != nil ? submitted : copy, limitBytes: JobFile.largestBytes)
    } catch let failure as Failure where entry == nil && failure.status != .dataError {
      // The copy is the daemon's own.
      throw Refused(failure: failure)
    } catch let failure as Failure where failure.status == .cannotCreate && files.isReadable(submitted) {
      // The permissions are no reason: this passes.
      throw Refused(failure: failure)
    }
  }

  /// The job that another one waits for.
  private func dependency(_ text: String, line: Int, among jobs: JobIndex, isComplete: Bool) throws -> JobID {
    if let id = jobs[text] { return id }
    guard isComplete else {
      throw Refused(
        failure: Failure(
          .temporaryFailure, text, "is waited for and not known yet: what came before could not all be read"))
    }
    throw YAMLError(
      line: line, key: "after", "\"\(text)\" is no job of this spool",
      remedy: "submit that one first; sidctl status lists them")
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

  /// Finishes what a crash or the disk has cut short: files between `incoming/` and `queue/`.
  /// - Parameters:
  ///   - isComplete: whether nothing that came before waits in `incoming/` because it could not be taken.
  ///   - refusal: why a submission cannot be accepted, or nil.
  /// - Throws: a `Failure` where the spool's folders cannot be read.
  package func recoverAcceptances(
    isComplete: Bool = true, refusal: (Submission) -> String? = { _ in nil }
  ) throws -> Intake {
    var intake = Intake()
    for id in try halfAccepted() {
      do {
        let content = try files.names(in: staging(id))
        if try content.contains(JobFolderNames.submitted) || content.contains(JobFolderNames.jobFile) || isRefused(id) {
          intake = try settle([id], into: intake, isComplete: isComplete && intake.isComplete, refusal: refusal)
        } else {
          try removeStaging(id)
        }
      } catch let failure as Failure {
        intake.failures.append(failure)
      }
    }
    if intake.isComplete { try removeEmptyFolders() }
    return intake
  }

  /// Submissions that stand between `incoming/` and `queue/`.
  package func halfAccepted() throws -> [JobID] {
    try files.names(in: folder(of: .queue)).compactMap { $0.hasPrefix(".") ? JobID($0.dropFirst()) : nil }
  }
}
