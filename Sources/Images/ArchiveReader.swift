import CArchive
import Diagnostics
import Foundation

/// Reads the entries of a zip archive, stored or deflated, or of a tar archive, in the order in which they lie in the file.
///
/// A zip archive is opened by its central directory, so that a truncated one is refused; the checksum of every entry that
/// is read is verified. A tar archive has none; it is read from front to back.
final class ArchiveReader {
  /// The kinds of archive that are read.
  enum Format: String {
    case zip, tar
  }

  /// An entry that has been reached.
  struct Entry {
    /// Its path in the archive.
    let name: String
    /// Its declared size in bytes, uncompressed.
    let sizeBytes: Int
  }

  private let path: String
  private let format: Format
  private let archive: OpaquePointer

  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is no such archive.
  init(_ path: String, format: Format) throws {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw Failure(
        .noInput, path, errno == ENOENT ? "no such file" : "cannot open: \(String(cString: strerror(errno)))")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw Failure(.dataError, path, "a \(format.rawValue) archive is expected, this is not a regular file")
    }
    guard access(path, R_OK) == 0 else {
      throw Failure(.noInput, path, "cannot open for reading: \(String(cString: strerror(errno)))")
    }
    guard let archive = archive_read_new() else { throw Failure(.unavailable, "libarchive", "out of memory") }
    (self.path, self.format, self.archive) = (path, format, archive)
    let supported =
      format == .zip ? archive_read_support_format_zip_seekable(archive) : archive_read_support_format_tar(archive)
    guard supported == ARCHIVE_OK, archive_read_open_filename(archive, path, 1 << 16) == ARCHIVE_OK else {
      throw damaged("not an intact \(format.rawValue) archive")
    }
  }

  deinit { archive_read_free(archive) }

  /// Moves to the next entry that is a file.
  /// - Returns: nil at the end.
  func next() throws -> Entry? {
    while true {
      var entry: OpaquePointer?
      let result = archive_read_next_header(archive, &entry)
      if result == ARCHIVE_EOF { return nil }
      guard result == ARCHIVE_OK || result == ARCHIVE_WARN, let entry else {
        throw damaged("not an intact \(format.rawValue) archive")
      }
      guard let text = archive_entry_pathname(entry) ?? archive_entry_pathname_utf8(entry) else {
        throw Failure(.dataError, path, "an entry of the \(format.rawValue) archive has no readable name")
      }
      let name = String(cString: text)
      if name.hasSuffix("/") { continue }
      // A link or a device has no content of its own.
      if format == .tar, archive_entry_filetype(entry) & S_IFMT != S_IFREG || archive_entry_hardlink(entry) != nil {
        continue
      }
      guard archive_entry_is_encrypted(entry) == 0 else {
        throw Failure(.dataError, path, "entry \(name) is encrypted")
      }
      return Entry(name: name, sizeBytes: Int(archive_entry_size(entry)))
    }
  }

  /// The content of the entry that `next()` has just returned.
  /// - Parameter maximumBytes: the most that it may declare.
  func content(of entry: Entry, maximumBytes: Int) throws -> [UInt8] {
    guard entry.sizeBytes >= 0, entry.sizeBytes <= maximumBytes else {
      throw Failure(
        .dataError, path, "entry \(entry.name) declares \(entry.sizeBytes) bytes, at most \(maximumBytes) are expected")
    }
    // Grows with what is really there: a declared size is a claim.
    var content: [UInt8] = []
    var block = [UInt8](repeating: 0, count: min(entry.sizeBytes + 1, 1 << 18))
    var result: Int = 0
    repeat {
      result = block.withUnsafeMutableBytes { buffer in
        buffer.baseAddress.map { archive_read_data(archive, $0, buffer.count) } ?? -1
      }
      content.append(contentsOf: block.prefix(max(result, 0)))
    } while result > 0 && content.count <= entry.sizeBytes
    guard result >= 0 else { throw damaged("entry \(entry.name) is damaged") }
    guard content.count == entry.sizeBytes else {
      throw Failure(.dataError, path, "entry \(entry.name) does not have the \(entry.sizeBytes) bytes that it declares")
    }
    return content
  }

  private func damaged(_ problem: String) -> Failure {
    let cause = archive_error_string(archive).map { " (libarchive: \(String(cString: $0)))" } ?? ""
    return Failure(.dataError, path, problem + cause)
  }
}
