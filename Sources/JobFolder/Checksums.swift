import Diagnostics
import Files
import Foundation
import Records

/// `SHA256SUMS` of a job's folder: the SHA-256 of every output, as `sha256sum` writes and checks them.
package enum Checksums {
  /// Its name.
  package static let name = JobFolderNames.checksums
  /// What goes on changing after the outputs are complete.
  private static let passedOver: Set<String> = [name, JobFolderNames.status, JobFolderNames.summary]
  private static let largestBytes = StepRecord.largestBytes

  /// Publishes the checksums of a folder: of files that the steps' records name as they are recorded there, of all others
  /// by their content.
  /// - Parameters:
  ///   - progressed: is told how many bytes of how many are done, after each file.
  /// - Throws: a `Failure`, `dataError` where a file that a record names is gone; `Interrupted` where the process was asked to
  ///   stop.
  package static func publish(
    in folder: String, progressed: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws {
    let files = DiskFileSystem()
    let statusPath = "\(folder)/\(JobFolderNames.status)"
    // A folder that is no job's has no steps that promise anything.
    let records = try files.entry(statusPath).map { _ in
      try StepRecords(of: JobStatus(json: files.read(statusPath, limitBytes: 1 << 20)), in: folder)
    }
    if let (file, record) = try records?.missing.first {
      throw Failure(
        .dataError, file, "is missing, and \(record) names it",
        remedy: "sidctl retry --from \(record.dropLast(".json".count)) makes it again")
    }
    let paths = try outputs(folder)
    let sizes = try paths.map { try files.entry($0)?.size ?? 0 }
    let total = sizes.reduce(0, +)
    var done = 0
    var lines = ""
    for (path, size) in zip(paths, sizes) {
      let relative = String(path.dropFirst(folder.count + 1))
      // sha256sum has another form for such names, and no stage makes them.
      guard !relative.contains("\n"), !relative.contains("\\") else { continue }
      let digest = try records?.sha256[relative] ?? SHA256.hexDigest(ofFile: path)
      lines += "\(digest)  \(relative)\n"
      done += size
      progressed(done, total)
    }
    try files.publish(name, in: folder, Array(lines.utf8))
  }

  /// The lines of a folder's checksums.
  /// - Throws: a `Failure` where there are none, or they are malformed.
  package static func read(_ folder: String) throws -> [(file: String, sha256: String)] {
    let path = "\(folder)/\(name)"
    let text = String(decoding: try DiskFileSystem().read(path, limitBytes: largestBytes), as: UTF8.self)
    return try text.split(separator: "\n").enumerated().map { index, line in
      let file = String(line.dropFirst(66))
      let digest = String(line.prefix(64))
      guard line.count > 66, line.dropFirst(64).hasPrefix("  "), digest.allSatisfy(\.isHexDigit), !file.hasPrefix("/"),
        !file.split(separator: "/").contains("..")
      else {
        throw Failure(.dataError, "\(path):\(index + 1)", "is no line of sha256sum")
      }
      return (file, digest)
    }
  }

  /// The outputs of a job's folder, sorted: neither logs nor what is hidden or on its way.
  private static func outputs(_ folder: String) throws -> [String] {
    try FolderSize.files(folder).filter { path in
      let parts = path.dropFirst(folder.count + 1).split(separator: "/")
      return parts.first.map(String.init) != JobFolderNames.log && !passedOver.contains(parts.joined(separator: "/"))
        && !parts.contains { isUnfinished($0) }
    }.sorted()
  }

  /// Whether a name is that of something hidden or on its way, and none of an output.
  package static func isUnfinished(_ name: some StringProtocol) -> Bool {
    name.hasPrefix(".") || name.contains(".partial.") || unfinishedSuffixes.contains { name.hasSuffix($0) }
  }

  private static let unfinishedSuffixes = ["~", ".partial", ".tmp", ".export.json.next"]
}
