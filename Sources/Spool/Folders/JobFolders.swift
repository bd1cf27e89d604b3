import Queue
import Files
import JobFolder
import Diagnostics
import Foundation
import YAML

/// The spool's folders: what of them the queue's actions are made of.
///
/// The state of a job is the folder it stands in and a rename is the transition. Everything here is durable when it returns,
/// but for what says otherwise; which of it is done in which order, and what a crash between two means, the queue knows
/// (`Action`). What a crash within one of them leaves is named where it happens.
package struct JobFolders {
  /// The spool's root.
  package let root: String
  package let files: any FileSystem
  let roots: InputRoots
  let now: () -> Date
  /// The keys of `slurm:` that steps may have.
  let stepKeys: Set<String>

  /// - Parameters:
  ///   - root: the spool's root.
  ///   - files: where it stands.
  ///   - roots: beneath what job files may name inputs.
  ///   - stepKeys: the keys of `slurm:` that steps may have.
  ///   - now: the clock.
  package init(
    root: String, files: any FileSystem, roots: InputRoots, stepKeys: Set<String> = [],
    now: @escaping () -> Date = Date.init
  ) {
    self.root = root
    self.files = files
    self.roots = roots
    self.now = now
    self.stepKeys = stepKeys
  }

  var incoming: String { root + "/incoming" }

  /// The folder of all jobs of a state.
  package func folder(of state: JobState) -> String { "\(root)/\(state.rawValue)" }

  /// The folder of a job.
  package func folder(of id: JobID, _ state: JobState) -> String { "\(folder(of: state))/\(id)" }

  /// Creates the folders that are missing.
  /// - Returns: what could not be cleared away.
  @discardableResult
  package func prepare() throws -> [String] {
    var problems: [String] = []
    try createFolders()
    let temporary = "\(root)/\(AtomicFile.temporary(of: JobQueue.usageName))"
    if try files.entry(temporary) != nil { try files.remove(temporary) }
    try files.synchronize(root)
    // What a crash left of jobs that were being pruned.
    for state in JobState.allCases where state.isFinal {
      for name in try files.names(in: folder(of: state)) where name.hasPrefix(Self.pruningPrefix) {
        do {
          try files.removeTree("\(folder(of: state))/\(name)")
        } catch let failure as Failure {
          problems.append(failure.description)
        }
      }
    }
    return problems
  }

  /// Creates those of the spool's folders that are missing.
  package func createFolders() throws {
    for name in ["incoming", "inputs"] + JobState.allCases.map(\.rawValue) { try files.createFolder("\(root)/\(name)") }
  }

  /// The jobs of a state, oldest first.
  package func jobs(_ state: JobState) throws -> [JobID] {
    try files.names(in: folder(of: state)).compactMap { JobID($0) }
  }

  /// A job's file as it was accepted.
  package func jobFile(of id: JobID, _ state: JobState) throws -> JobFile {
    let path = "\(folder(of: id, state))/\(JobFolderNames.jobFile)"
    guard try files.entry(path) != nil else { throw Failure(.dataError, JobFolderNames.jobFile, "is missing") }
    do {
      return try JobFile(try files.read(path, limitBytes: JobFile.largestBytes))
    } catch let error as YAMLError {
      throw error.failure(in: JobFolderNames.jobFile)
    }
  }

  /// Replaces a job's status.
  package func write(_ status: JobStatus, of id: JobID, _ state: JobState) throws {
    let bytes: [UInt8]
    do {
      bytes = try status.json()
    } catch {
      throw Failure(.software, id.description, "its status has no JSON: \(error)")
    }
    try files.publish(JobFolderNames.status, in: folder(of: id, state), bytes)
  }

  /// Moves a job to another state. A crash within it leaves it in one of both.
  package func move(_ id: JobID, from state: JobState, to newState: JobState) throws {
    try files.rename(folder(of: id, state), to: folder(of: id, newState))
    try files.synchronize(folder(of: newState))
    try files.synchronize(folder(of: state))
  }

  func freshStatus(_ id: JobID, _ state: JobState) -> JobStatus {
    JobStatus(job: id.name, id: id.description, state: state, accepted: now())
  }
}
