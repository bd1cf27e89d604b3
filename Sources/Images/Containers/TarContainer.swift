import Diagnostics
import Files
import Foundation

/// A tar archive, or several that were put one behind the other (as `cat` does), as a container of images.
final class TarContainer: ImageContainer {
  let path: String
  let word = "tar archive"
  let isSorted = false
  private(set) var remarks: Set<String> = []
  /// Read forward; a new one begins where this one cannot go.
  private var reader: TarReader?

  /// Bytes that are read on rather than skipped by a new reader.
  private static let nearBytes = 1 << 20

  /// - Throws: a `Failure`: `noInput` where there is no such file.
  init(_ path: String) throws {
    self.path = path
    reader = try TarReader(path)
  }

  func forEachEntry(_ body: (StoredEntry, () throws -> [UInt8]) throws -> Void) throws {
    var start: Int? = 0
    while let from = start {
      let reader = try TarReader(path, from: from)
      while let entry = try reader.next() {
        try body(entry.stored) { try reader.beginning(entry, count: EntryKind.neededBytes) }
      }
      let end = try TarEnd(of: path, at: reader.position)
      if end.isMissing { remarks.insert("tar archive without an end, which may be cut off") }
      // A header that belongs to no entry is where the reader began: it would be found again for ever.
      if let next = end.nextArchive, next <= from {
        throw Failure(.dataError, path, "not an intact tar archive: the header at byte \(next) belongs to no entry")
      }
      start = end.nextArchive
    }
  }

  func content(of entry: (name: ByteName, place: Int), maximumBytes: Int) throws -> [UInt8] {
    let (current, near) = (reader, entry.place - Self.nearBytes...entry.place)
    reader = nil
    // The reader at hand may stand in an archive that ends before the one of the entry.
    if let current, near.contains(current.position), let content = try Self.content(of: entry, current, maximumBytes) {
      reader = current
      return content
    }
    let forward = try TarReader(path, from: entry.place)
    guard let content = try Self.content(of: entry, forward, maximumBytes) else {
      throw Failure(.ioError, path, "the file changed while it was read")
    }
    reader = forward
    return content
  }

  /// The content of an entry; nil where a reader does not come to it.
  private static func content(of entry: (name: ByteName, place: Int), _ reader: TarReader, _ maximumBytes: Int) throws
    -> [UInt8]?
  {
    while let found = try reader.next(), found.stored.place <= entry.place {
      guard found.stored.place == entry.place else { continue }
      return found.stored.name == entry.name ? try reader.content(of: found, maximumBytes: maximumBytes) : nil
    }
    return nil
  }
}
