import JobFolder
import Diagnostics
import Files
import Foundation

extension SpoolClient {
  /// Compares every file of a finished job with its checksum: those that its steps have promised in their records, and those
  /// that `SHA256SUMS` names besides.
  /// - Parameter each: is told of each file in turn.
  /// - Returns: how many are not what they were, or not there.
  /// - Throws: a `Failure` where the job has no checksums, or they are malformed.
  public func verify(_ job: Job, each: (String) -> Void) throws -> Int {
    guard try files.entry("\(job.folder)/\(Checksums.name)") != nil else {
      throw Failure(
        .noInput, job.id.description, "has no checksums: it stands in \(job.state.rawValue)/",
        remedy: "a job gets them when its last step is finished")
    }
    let records = try job.status.map { try StepRecords(of: $0, in: job.folder) }
    // What a record says counts more than a list that was made of it.
    var wanted = try Checksums.read(job.folder)
    let listed = Set(wanted.map(\.file))
    wanted = wanted.map { ($0.file, records?.sha256[$0.file] ?? $0.sha256) }
    wanted += (records?.sha256 ?? [:]).filter { !listed.contains($0.key) }.sorted { $0.key < $1.key }
      .map { (file: $0.key, sha256: $0.value) }
    var problems = 0
    for (file, digest) in wanted {
      let path = "\(job.folder)/\(file)"
      if try files.entry(path) == nil {
        problems += 1
        each("\(file): MISSING\(records?.recordOf[file].map { ", named by \($0)" } ?? "")")
      } else if try SHA256.hexDigest(ofFile: path) != digest {
        problems += 1
        each("\(file): CHANGED")
      } else {
        each("\(file): OK")
      }
    }
    // A record that is gone or damaged says nothing of what it promised.
    for record in records?.incomplete ?? [] {
      let isThere = try files.entry("\(job.folder)/\(record)") != nil
      // As a file of the list it was counted above.
      if !listed.contains(record) || isThere { problems += 1 }
      if isThere { each("\(record): IS NO RECORD") } else if !listed.contains(record) { each("\(record): MISSING") }
    }
    return problems
  }
}
