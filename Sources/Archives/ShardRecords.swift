import Diagnostics
import Files
import Foundation

/// The digests of finished shards until the archive is closed, so that no shard is read again for its digest.
///
/// Each is a small file in a hidden folder, written before its shard takes its name.
struct ShardRecords: Sendable {
  private struct Record: Codable {
    let sha256: String
    let bytes: Int
    /// When the file was last changed, in nanoseconds; a rename does not count.
    let modified: Int
  }

  private let folder: String

  init(_ plan: ShardPlan) { folder = plan.recordFolder }

  func createFolder() throws {
    if mkdir(folder, 0o755) == 0 { return try AtomicFile.synchronize(AtomicFile.folder(of: folder)) }
    guard errno == EEXIST else { throw Failure.system(folder, "create") }
  }

  /// Keeps the digest of a shard that is still under its temporary name.
  func save(_ path: String, sha256: String, partial: String) throws {
    guard let stamp = Self.stamp(partial) else { throw Failure.system(partial, "read") }
    let record = Record(sha256: sha256, bytes: stamp.bytes, modified: stamp.modified)
    try createFolder()
    try AtomicFile.publish(recordPath(path), data: JSONEncoder().encode(record))
  }

  /// The digest of a shard: as it was recorded, if the file is still that one, else from its content.
  func sha256(_ path: String) throws -> String {
    if let data = try? InputFile.content(of: recordPath(path), limitBytes: 1 << 16),
      let record = try? JSONDecoder().decode(Record.self, from: data), let stamp = Self.stamp(path),
      stamp == (record.bytes, record.modified)
    {
      return record.sha256
    }
    return try SHA256.hexDigest(ofFile: path)
  }

  private func recordPath(_ path: String) -> String { folder + "/" + (path as NSString).lastPathComponent + ".json" }

  private static func stamp(_ path: String) -> (bytes: Int, modified: Int)? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return (Int(status.st_size), status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec)
  }
}
