import Queue
import JobFolder
import Diagnostics
import Files
import Foundation
import YAML

/// A spool as its users see it: to submit jobs and to look at them.
public struct SpoolClient {
  /// A job and where it stands.
  public struct Job: Sendable {
    /// Its name in the spool.
    public let id: JobID
    /// The folder it stands in.
    public let state: JobState
    /// The path of its folder.
    public let folder: String
    /// What its `status.json` says; nil where that cannot be read.
    public let status: JobStatus?
  }

  /// The spool's root.
  public let root: String
  let files = DiskFileSystem()

  /// - Parameter root: the spool's root.
  /// - Throws: a `Failure` with status `noInput` where there is no spool.
  public init(_ root: String) throws {
    self.root = root
    guard try Self.entry(root + "/incoming")?.kind == .folder else {
      throw Failure(
        .noInput, root, "is no spool: it has no folder incoming/",
        remedy: "start sid-spoold --spool \(root), or name another with --spool or SID_SPOOL")
    }
  }

  private static func entry(_ path: String) throws -> FileEntry? {
    do {
      return try DiskFileSystem().entry(path)
    } catch let failure as Failure where failure.status == .cannotCreate {
      throw Failure(
        .noInput, path, "you may not look there",
        remedy: "ask the administrator to make you a member of the spool's group, and log in again")
    }
  }

  // MARK: Submitting

  /// The content of a job file as it would be submitted.
  /// - Throws: a `Failure` naming file, line and key where the job file is wrong, or the override that is.
  public static func jobFile(_ path: String, overrides: [JobOverride]) throws -> [UInt8] {
    try JobOverride.apply(
      overrides, to: try DiskFileSystem().read(path, limitBytes: JobFile.largestBytes), path: path)
  }

  /// Checks a job file and drops it into `incoming/`.
  ///
  /// Whether its input files exist is for the daemon to say, which knows the input roots.
  /// - Parameters:
  ///   - path: the job file.
  ///   - overrides: written into what is submitted; the file itself stays as it is.
  /// - Returns: the job's reference, `NAME-7f3a`, by which it can be found from now on.
  /// - Throws: a `Failure` naming file, line and key where the job file is wrong, or the override that is.
  public func submit(_ path: String, overrides: [JobOverride] = []) throws -> String {
    let bytes = try Self.jobFile(path, overrides: overrides)
    let job: JobFile
    do {
      job = try JobFile(bytes)
    } catch let error as YAMLError {
      throw error.failure(in: path)
    }
    let taken = try Set(places().map(\.id.reference))
    while true {
      let digits = String(UInt16.random(in: 0...UInt16.max), radix: 16)
      let reference = "\(job.name)-\(String(repeating: "0", count: 4 - digits.count))\(digits)"
      guard !taken.contains(reference), try files.entry(incoming(reference)) == nil else { continue }
      let temporary = "\(root)/incoming/.\(reference).\(getpid()).tmp"
      try drop(bytes, temporary: temporary, as: incoming(reference))
      return reference
    }
  }

  /// Puts a file into `incoming/`, complete from the first moment, and readable for the daemon whatever the umask is.
  func drop(_ bytes: [UInt8], temporary: String, as path: String) throws {
    do {
      try files.write(temporary, bytes)
      chmod(temporary, 0o644)
      try files.rename(temporary, to: path)
    } catch let failure as Failure where failure.status == .cannotCreate {
      try? files.remove(temporary)
      throw Failure(
        .cannotCreate, "\(root)/incoming", "you may not write there",
        remedy: "ask the administrator to make you a member of the spool's group, and log in again")
    } catch {
      try? files.remove(temporary)
      throw error
    }
    try files.synchronize("\(root)/incoming")
  }

  private func incoming(_ reference: String) -> String { "\(root)/incoming/\(reference).yaml" }

  // MARK: Looking

  /// Every job of the spool, the oldest first.
  public func jobs() throws -> [Job] { try places().map { job($0.id, $0.state) } }

  /// Where every job stands, the oldest first.
  private func places() throws -> [(id: JobID, state: JobState)] {
    try JobState.allCases.flatMap { state -> [(id: JobID, state: JobState)] in
      let folder = "\(root)/\(state.rawValue)"
      guard try files.entry(folder) != nil else { return [] }
      return try files.names(in: folder).compactMap { name in JobID(name).map { ($0, state) } }
    }.sorted { $0.id < $1.id }
  }

  private func job(_ id: JobID, _ state: JobState) -> Job {
    let folder = "\(root)/\(state.rawValue)/\(id)"
    let bytes = try? files.read("\(folder)/\(JobFolderNames.status)", limitBytes: 1 << 20)
    return Job(id: id, state: state, folder: folder, status: bytes.flatMap { try? JobStatus(json: $0) })
  }

  /// The files of `incoming/` that wait to be accepted.
  public func waiting() throws -> [String] {
    try files.names(in: root + "/incoming").filter { IncomingName($0) == .taken }
  }

  /// Whether a job of this reference waits to be accepted.
  func isWaiting(_ reference: String) throws -> Bool { try files.entry(incoming(reference)) != nil }

  /// The job of this ID, this reference (`NAME-7f3a`) or, among the jobs of this name, the one that was accepted last.
  /// - Returns: nil where there is none, or where it waits to be accepted.
  public func find(_ text: String) throws -> Job? {
    let places = try places()
    let place =
      places.last { $0.id.description == text } ?? places.last { $0.id.reference == text }
      ?? places.last { $0.id.name == text }
    return place.map { job($0.id, $0.state) }
  }

  /// The job of this ID, reference or name.
  /// - Throws: a `Failure` with status `noInput` where there is none.
  public func job(_ text: String) throws -> Job {
    if let job = try find(text) { return job }
    if try files.entry(incoming(text)) != nil {
      throw Failure(.temporaryFailure, text, "waits in incoming/ to be accepted", remedy: "is sid-spoold running?")
    }
    throw Failure(.noInput, text, "no such job in \(root)", remedy: "sidctl status lists them")
  }
}
