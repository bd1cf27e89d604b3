import Diagnostics
import Files
import JobFolder
import Queue

/// What is written down of a job, read with care: what *cannot be read now* is not what *is not there*, and neither is what
/// is there and damaged.
///
/// The first is an error of the disk or of the machine (EIO, EMFILE, EACCES ...) and is thrown: nothing is concluded from it.
/// The others mean that somebody or a damaged disk has changed the job; they are found (`FoundStatus`).
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

  /// What stands in its place.
  /// - Throws: a `Failure` where that cannot be read now.
  package func found(_ id: JobID, _ state: JobState) throws -> FoundStatus {
    do {
      return .known(try status(of: id, state))
    } catch let failure as Failure where failure.status == .dataError {
      return .damaged(failure, restored: try restoredStatus(id, state))
    }
  }

  /// What a job whose status is missing or damaged has for one: what its job file says.
  private func restoredStatus(_ id: JobID, _ state: JobState) throws -> JobStatus {
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

  /// What a job of the queue waits with: its status, and the stage of its next step where an earlier version did not write it.
  package func entryStatus(_ id: JobID) throws -> FoundStatus {
    let found = try found(id, .queue)
    guard case .known(var status) = found, status.nextStage == nil else { return found }
    do {
      let job = try jobFile(of: id, .queue)
      let look = try look(at: job, id, .queue, after: nil, status)
      status.nextStage = look.next.map { look.steps[$0].stage }
    } catch let failure as Failure where failure.status == .dataError {
      // A job file that is none: the job fails with the reason when its turn comes, for which it needs no slot.
    }
    return .known(status)
  }

  /// Keeps what stands in the place of a status and is none beside it.
  func setDamagedStatusAside(_ id: JobID, _ state: JobState) throws {
    let folder = folder(of: id, state)
    guard try files.entry("\(folder)/\(JobFolderNames.status)")?.kind == .file else { return }
    try files.rename("\(folder)/\(JobFolderNames.status)", to: "\(folder)/\(JobFolderNames.damagedStatus)")
  }
}
