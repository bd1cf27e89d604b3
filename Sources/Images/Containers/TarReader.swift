import CArchive
import Diagnostics
import Files
import Foundation

/// Reads the entries of a tar archive from one on, in the order in which they lie in the file.
///
/// A tar archive has no checksum of its content; the headers have. Names are the bytes that are stored: in the locale "C",
/// which every program of this package keeps, libarchive converts none that is not ASCII.
final class TarReader {
  /// An entry that has been reached.
  struct Entry {
    let stored: StoredEntry
    /// Its declared size in bytes.
    let sizeBytes: Int
    /// Whether it is stored without its holes, of which the last is not read.
    let isSparse: Bool
  }

  private var path: String { file.path }
  private let archive: OpaquePointer
  private let file: InputFile
  private let start: Int
  /// Where the next entry that `next()` gives lies at the earliest.
  private(set) var position: Int

  /// - Parameters:
  ///   - path: the archive.
  ///   - start: where an entry's header begins.
  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is no such archive.
  init(_ path: String, from start: Int = 0) throws {
    let file = try InputFile(path, expected: "a tar archive")
    guard lseek(file.descriptor, off_t(start), SEEK_SET) == off_t(start), let archive = archive_read_new() else {
      throw Failure(.unavailable, "libarchive", "out of memory")
    }
    (self.archive, self.file, self.start, position) = (archive, file, start, start)
    guard archive_read_support_format_tar(archive) == ARCHIVE_OK,
      archive_read_open_fd(archive, file.descriptor, 1 << 16) == ARCHIVE_OK
    else { throw damaged("not an intact tar archive") }
  }

  deinit { archive_read_free(archive) }

  /// Whether a file begins like a tar archive: with a header of the format `ustar`, or one of the older format, which has
  /// nothing but its sum to know it by.
  /// - Parameter beginning: its first bytes, 512 of them where it has so many.
  static func matches(_ beginning: [UInt8]) -> Bool {
    guard beginning.count >= 512 else { return false }
    if beginning[257..<262].elementsEqual("ustar".utf8) { return true }
    let sum = beginning.prefix(512).enumerated().reduce(0) {
      $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element))
    }
    let digits = beginning[148..<156].drop { $0 == 0x20 }.prefix { (0x30...0x37).contains($0) }
    return beginning[0] != 0 && digits.count >= 3 && digits.reduce(0) { $0 * 8 + Int($1 - 0x30) } == sum
  }

  /// Moves to the next entry that is no folder.
  /// - Returns: nil at the end; `position` is then where the end begins.
  /// - Throws: a `Failure` where the archive is damaged, or the entry is neither a file nor a link.
  func next() throws -> Entry? {
    while true {
      try Interruption.check()
      var found: OpaquePointer?
      let result = archive_read_next_header(archive, &found)
      position = start + Int(archive_read_header_position(archive))
      if result == ARCHIVE_EOF { return nil }
      guard result == ARCHIVE_OK || result == ARCHIVE_WARN, let entry = found else {
        throw damaged("not an intact tar archive")
      }
      guard let text = archive_entry_pathname(entry) else {
        throw Failure(.dataError, path, "the entry at byte \(position) of the tar archive has no name")
      }
      let name = Self.bytes(text)
      let sizeBytes = Int(archive_entry_size(entry))
      if name.bytes.last == UInt8(ascii: "/") {
        guard sizeBytes == 0 || archive_entry_filetype(entry) & S_IFMT != S_IFREG else {
          throw ContainerFailure.folderWithContent(name, sizeBytes, in: path)
        }
        continue
      }
      let form: StoredEntry.Form
      if let target = archive_entry_hardlink(entry) {
        form = .hardLink(Self.bytes(target))
      } else {
        switch archive_entry_filetype(entry) & S_IFMT {
        case S_IFREG: form = .file
        case S_IFLNK: form = .symbolicLink(archive_entry_symlink(entry).map { Self.bytes($0) } ?? ByteName(""))
        case S_IFDIR: continue
        default:
          throw Failure(
            .dataError, path + "/" + name.description, "neither a file nor a folder nor a link", remedy: "take it out")
        }
      }
      defer { position += 1 }
      return Entry(
        stored: StoredEntry(name: name, form: form, place: position), sizeBytes: sizeBytes,
        isSparse: archive_entry_sparse_count(entry) > 0)
    }
  }

  /// The first bytes of the entry that `next()` has just returned, at most `count`.
  func beginning(_ entry: Entry, count: Int) throws -> [UInt8] {
    var content: [UInt8] = []
    _ = try read(entry, into: &content, count: count)
    return content
  }

  /// The content of the entry that `next()` has just returned.
  /// - Parameter maximumBytes: the most that it may declare.
  func content(of entry: Entry, maximumBytes: Int) throws -> [UInt8] {
    guard entry.sizeBytes >= 0, entry.sizeBytes <= maximumBytes else {
      throw Failure(
        .dataError, path,
        "entry \(entry.stored.name) declares \(entry.sizeBytes) bytes, at most \(maximumBytes) are expected")
    }
    var content: [UInt8] = []
    let isWhole = try read(entry, into: &content, count: entry.sizeBytes + 1)
    guard isWhole, content.count == entry.sizeBytes else {
      throw Failure(
        .dataError, path, "entry \(entry.stored.name) does not have the \(entry.sizeBytes) bytes that it declares")
    }
    return content
  }

  /// Reads up to `count` bytes; grows with what is really there, for a declared size is a claim.
  /// - Returns: whether the content ended before that.
  private func read(_ entry: Entry, into content: inout [UInt8], count: Int) throws -> Bool {
    var block = [UInt8](repeating: 0, count: min(count, 1 << 18))
    while content.count < count {
      let result = block.withUnsafeMutableBytes { buffer in
        buffer.baseAddress.map { archive_read_data(archive, $0, min(buffer.count, count - content.count)) } ?? -1
      }
      guard result >= 0 else { throw damaged("entry \(entry.stored.name) is damaged") }
      if result == 0 {
        guard entry.isSparse, content.count < entry.sizeBytes else { return true }
        let hole = min(count, entry.sizeBytes) - content.count
        content += [UInt8](repeating: 0, count: hole)
        return content.count < count
      }
      content.append(contentsOf: block.prefix(result))
    }
    return false
  }

  private static func bytes(_ text: UnsafePointer<CChar>) -> ByteName {
    ByteName(UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) })
  }

  private func damaged(_ problem: String) -> Failure {
    let cause = archive_error_string(archive).map { " (libarchive: \(String(cString: $0)))" } ?? ""
    return Failure(.dataError, path, problem + cause)
  }
}
