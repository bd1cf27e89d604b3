import CArchive
import Diagnostics
import Files
import Foundation

/// WebDataset shards: tar files `NAME-000000.tar`, in which the files of an image share their number: `.png`, `.cls` with
/// its class, `.json` with its seed.
public final class WebDatasetSink: ImageSink {
  /// It holds PNG files.
  public static let takesPNG = true
  private let folder: String
  private let name: String
  private let imagesPerShard: Int
  private var archive: OpaquePointer?
  private var path = ""

  /// - Parameters:
  ///   - folder: exists; the shards go there.
  ///   - name: what their names begin with.
  ///   - imagesPerShard: images of each shard but the last.
  public init(folder: String, name: String, imagesPerShard: Int) {
    precondition(imagesPerShard > 0, "\(imagesPerShard) images per shard")
    self.folder = folder
    self.name = name
    self.imagesPerShard = imagesPerShard
  }

  deinit { if let archive { archive_write_free(archive) } }

  /// Adds an image, to a new shard where the last one is full.
  public func add(_ image: ExportedImage) throws {
    if image.index % imagesPerShard == 0 {
      try close()
      try open("\(folder)/\(name)-\(padded(image.index / imagesPerShard, 6)).tar")
    }
    let key = padded(image.index, 9)
    try put("\(key).png", image.png)
    if let label = image.label { try put("\(key).cls", Array("\(label)".utf8)) }
    try put("\(key).json", Array("{\"seed\": \(image.seed)}".utf8))
  }

  /// Closes the last shard.
  public func finish() throws { try close() }

  private func open(_ path: String) throws {
    self.path = path
    guard let archive = archive_write_new() else { throw Failure(.unavailable, "libarchive", "out of memory") }
    self.archive = archive
    guard archive_write_set_format_ustar(archive) == ARCHIVE_OK,
      archive_write_open_filename(archive, path) == ARCHIVE_OK
    else { throw failure(archive) }
  }

  private func close() throws {
    guard let archive else { return }
    guard archive_write_close(archive) == ARCHIVE_OK else { throw failure(archive) }
    archive_write_free(archive)
    self.archive = nil
  }

  private func put(_ name: String, _ content: [UInt8]) throws {
    guard let archive, let entry = archive_entry_new() else {
      throw Failure(.unavailable, "libarchive", "out of memory")
    }
    defer { archive_entry_free(entry) }
    archive_entry_set_pathname(entry, name)
    archive_entry_set_size(entry, Int64(content.count))
    archive_entry_set_filetype(entry, 0o100000)  // AE_IFREG, a regular file
    archive_entry_set_perm(entry, 0o644)
    guard archive_write_header(archive, entry) == ARCHIVE_OK,
      archive_write_data(archive, content, content.count) == content.count
    else { throw failure(archive) }
  }

  private func failure(_ archive: OpaquePointer) -> Failure {
    let code = archive_errno(archive)
    if code == ENOSPC || code == EDQUOT { return Failure.system(path, "write", code: code) }
    let reason = archive_error_string(archive).map { String(cString: $0) } ?? "unknown"
    return Failure(.ioError, path, "cannot write the tar (libarchive: \(reason))")
  }
}
