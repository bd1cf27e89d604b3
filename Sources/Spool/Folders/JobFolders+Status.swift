import JobFolder
import Diagnostics

/// What is written down of a job, read with care: what *cannot be read now* is not what *is not there*, and neither is what
/// is there and damaged.
///
/// The first is an error of the disk or of the machine (EIO, EMFILE, EACCES ...): nothing is concluded from it, the job is
/// left alone and looked at again. The others mean that somebody or a damaged disk has changed the job: nobody knows any
/// more what it waits for or how often it was tried, so it is put aside for people to look at.
extension JobFolders {
  /// How large a `status.json` may be.
  static let largestStatusBytes = 1 << 20

  /// What a job's `status.json` says.
  /// - Throws: a `Failure`: `dataError` where it is missing or damaged, others where it cannot be read now.
  package func status(of id: JobID, _ state: JobState) throws -> JobStatus {
    let path = "\(folder(of: id, state))/\(JobFolderNames.status)"
    guard try files.entry(path) != nil else { throw Failure(.dataError, path, "is missing") }
    let bytes = try files.read(path, limitBytes: Self.largestStatusBytes)
    do {
      return try JobStatus(json: bytes)
    } catch {
      throw Failure(.dataError, path, "is damaged: no status of a job")
    }
  }

  /// The same, nil where it is missing or damaged.
  func knownStatus(of id: JobID, _ state: JobState) throws -> JobStatus? {
    do {
      return try status(of: id, state)
    } catch let failure as Failure where failure.status == .dataError {
      return nil
    }
  }

  /// What a job whose status is missing or damaged has for one: what its job file says.
  func restoredStatus(_ id: JobID, _ state: JobState) throws -> JobStatus {
    var status = freshStatus(id, state)
    do {
      let job = try jobFile(of: id, state)
      status.priority = job.priority == 0 ? nil : job.priority
      status.steps = job.steps.map(\.name)
    } catch let failure as Failure where failure.status == .dataError {
      // Then the job cannot be run either, and says why when it is tried.
    }
    return status
  }

  /// Puts a job aside whose status is missing or damaged: whoever looks at it may release or cancel it.
  ///
  /// What stands there instead of a status is kept beside it.
  /// - Returns: why, for the log.
  package func holdDamaged(_ id: JobID, from state: JobState, _ failure: Failure) throws -> String {
    let folder = folder(of: id, state)
    var status = try restoredStatus(id, state)
    status.state = .held
    status.reason =
      "its status.json \(failure.problem): what it waits for and how often it was tried is not known any more"
    if try files.entry("\(folder)/\(JobFolderNames.status)")?.kind == .file {
      try files.rename("\(folder)/\(JobFolderNames.status)", to: "\(folder)/\(JobFolderNames.damagedStatus)")
    }
    // Crash here: the status is missing, and the job is put aside for that.
    try write(status, of: id, state)
    try move(id, from: state, to: .held)
    return status.reason ?? ""
  }
}
