import Diagnostics
import Files
import Foundation

/// `SHA256SUMS` of a job's folder: the SHA-256 of every output, as `sha256sum` writes and checks them.
package enum Checksums {
  /// Its name.
  package static let name = JobFolders.Name.checksums
  /// What goes on changing after the outputs are complete.
  private static let passedOver: Set<String> = [name, JobFolders.Name.status, JobFolders.Name.summary]
  private static let largestBytes = 16 << 20

  /// A file with what became of it.
  package enum Finding: Equatable {
    case intact
    case missing
    case changed
  }

  /// Computes and publishes the checksums of a folder.
  /// - Parameters:
  ///   - progressed: is told how many bytes of how many are done, after each file.
  /// - Throws: a `Failure`; `Interrupted` where the process was asked to stop.
  package static func publish(
    in folder: String, progressed: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws {
    let files = DiskFileSystem()
    let paths = outputs(folder)
    let sizes = try paths.map { try files.entry($0)?.size ?? 0 }
    let total = sizes.reduce(0, +)
    var done = 0
    var lines = ""
    for (path, size) in zip(paths, sizes) {
      let relative = String(path.dropFirst(folder.count + 1))
      // sha256sum has another form for such names, and no stage makes them.
      guard !relative.contains("\n"), !relative.contains("\\") else { continue }
      lines += "\(try SHA256.hexDigest(ofFile: path))  \(relative)\n"
      done += size
      progressed(done, total)
    }
    try files.publish(name, in: folder, Array(lines.utf8))
  }

  /// Compares every file with its checksum.
  /// - Parameter each: is told of each file in turn.
  /// - Returns: how many are not what they were.
  /// - Throws: a `Failure` where there are no checksums, or they are malformed.
  package static func verify(_ folder: String, each: (String, Finding) -> Void) throws -> Int {
    let path = "\(folder)/\(name)"
    let text = String(decoding: try DiskFileSystem().read(path, limitBytes: largestBytes), as: UTF8.self)
    var problems = 0
    for (index, line) in text.split(separator: "\n").enumerated() {
      let file = String(line.dropFirst(66))
      let digest = String(line.prefix(64))
      guard line.count > 66, line.dropFirst(64).hasPrefix("  "), digest.allSatisfy(\.isHexDigit), !file.hasPrefix("/"),
        !file.split(separator: "/").contains("..")
      else {
        throw Failure(.dataError, "\(path):\(index + 1)", "is no line of sha256sum")
      }
      let finding: Finding
      if try DiskFileSystem().entry("\(folder)/\(file)") == nil {
        finding = .missing
      } else {
        finding = try SHA256.hexDigest(ofFile: "\(folder)/\(file)") == digest ? .intact : .changed
      }
      if finding != .intact { problems += 1 }
      each(file, finding)
    }
    return problems
  }

  /// The outputs of a job's folder, sorted: neither logs nor what is hidden or on its way.
  private static func outputs(_ folder: String) -> [String] {
    FolderSize.files(folder).filter { path in
      let parts = path.dropFirst(folder.count + 1).split(separator: "/")
      return parts.first.map(String.init) != JobFolders.Name.log && !passedOver.contains(parts.joined(separator: "/"))
        && parts.allSatisfy { part in
          !part.hasPrefix(".") && !["~", ".partial", ".tmp"].contains { part.hasSuffix($0) }
        }
    }.sorted()
  }
}
