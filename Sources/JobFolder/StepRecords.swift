import Diagnostics
import Files
import Records

/// The records of a job's steps: what they promise, and what of it is there.
package struct StepRecords {
  private let folder: String
  /// The digests of the files that the records name, by their paths in the job's folder.
  package private(set) var sha256: [String: String] = [:]
  /// The record that names a file.
  package private(set) var recordOf: [String: String] = [:]
  /// Records that are not there, or say nothing of files, of a job whose steps are done by their records.
  package private(set) var incomplete: [String] = []

  /// Reads the records of the steps that are done.
  ///
  /// Those of a version before the records name no files, and promise nothing.
  /// - Parameters:
  ///   - status: of the job.
  ///   - folder: of the job.
  ///   - steps: the names of the steps; nil for all.
  /// - Throws: a `Failure` where a record is there and cannot be read.
  package init(of status: JobStatus, in folder: String, steps: [String]? = nil) throws {
    self.folder = folder
    let disk = DiskFileSystem()
    for name in (steps ?? status.steps).map({ JobFolderNames.record(of: $0) }) {
      let path = "\(folder)/\(name)"
      var record: StepRecord?
      if try disk.entry(path)?.kind == .file {
        record = StepRecord(json: try disk.read(path, limitBytes: StepRecord.largestBytes))
      }
      if status.records == true, record?.isComplete != true { incomplete.append(name) }
      for file in record?.files ?? [] {
        sha256[file.name] = file.sha256
        recordOf[file.name] = name
      }
    }
  }

  /// The files that are named and not there, each with the record that names it, sorted.
  package var missing: [(file: String, record: String)] {
    get throws {
      let disk = DiskFileSystem()
      return try recordOf.filter { try disk.entry("\(folder)/\($0.key)")?.kind != .file }
        .sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
  }
}
