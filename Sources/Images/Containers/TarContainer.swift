import Diagnostics
import Files
import Foundation

/// A tar archive, or several that were put one behind the other (as `cat` does), as a container of images.
final class TarContainer: ImageContainer {
  let path: String
  let word = "tar archive"
  let isSorted = false
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
      let next = try headerBehind(reader.position)
      // A header that belongs to no entry is where the reader began: it would be found again for ever.
      if let next, next <= from {
        throw Failure(.dataError, path, "not an intact tar archive: the header at byte \(next) belongs to no entry")
      }
      start = next
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

  /// Where another archive begins behind the end of one: empty blocks and then a header. Anything else is no archive.
  private func headerBehind(_ end: Int) throws -> Int? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw Failure.input(path) }
    defer { close(descriptor) }
    var place = end
    var blocks = [UInt8](repeating: 0, count: 512 * 128)
    while true {
      let count = pread(descriptor, &blocks, blocks.count, off_t(place))
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw Failure.system(path, "read") }
      guard count >= 512 else { return nil }
      for start in stride(from: 0, through: count - 512, by: 512) {
        let block = Array(blocks[start..<start + 512])
        if block.contains(where: { $0 != 0 }) { return TarReader.matches(block) ? place + start : nil }
      }
      place += count / 512 * 512
    }
  }
}
