import Diagnostics
import Files

/// The table of contents of a zip archive: torch.save's, or numpy's.
///
/// Stricter than zip: entries are stored or deflated, no encryption, no overlaps, no name twice, both headers of an entry
/// equal, every size compared with the real file or with what deflate can reach.
struct ZipDirectory: Sendable {
  struct Entry: Sendable {
    /// The name as it is stored, which need not be text.
    let storedName: ByteName
    /// The name as text, other bytes escaped.
    let name: String
    /// Where its bytes stand, as they are in the file.
    let bytes: ByteRange
    /// CRC-32 of the content.
    let checksum: UInt32
    /// Bytes of the content, as declared.
    let size: Int
    let isDeflated: Bool
  }

  let entries: [Entry]

  static let signature: [UInt8] = [0x50, 0x4B, 3, 4]

  init(_ file: CheckpointFile) throws {
    let end = try ZipEnd(file.path, size: file.size) { try file.bytes(ByteRange(start: $0, count: $1)) }
    var cursor = ByteCursor(file, ByteRange(start: end.directory.lowerBound, count: end.directory.count))
    var entries: [Entry] = []
    var names: Set<ByteName> = []
    for _ in 0..<end.count {
      try Interruption.check()
      let entry = try Self.entry(&cursor, file: file, dataEnd: end.directory.lowerBound)
      guard names.insert(entry.storedName).inserted else {
        throw file.refuse("the zip archive has two entries named \(entry.name)")
      }
      entries.append(entry)
    }
    guard cursor.remaining == 0 else { throw file.refuse("the zip directory is longer than its entries") }
    let sorted = entries.sorted { $0.bytes.start < $1.bytes.start }
    for (a, b) in zip(sorted, sorted.dropFirst()) where a.bytes.end > b.bytes.start {
      throw file.refuse("the zip entries \(a.name) and \(b.name) overlap")
    }
    self.entries = entries
  }

  /// One entry of the directory, compared with the entry's own header.
  private static func entry(_ cursor: inout ByteCursor, file: CheckpointFile, dataEnd: Int) throws -> Entry {
    guard try cursor.number(UInt32.self) == 0x0201_4B50 else { throw file.refuse("the zip directory is damaged") }
    _ = try cursor.skip(4, what: "a zip entry")
    let flags = try cursor.number(UInt16.self)
    let method = try cursor.number(UInt16.self)
    _ = try cursor.skip(4, what: "a zip entry")
    let checksum = try cursor.number(UInt32.self)
    var stored = UInt64(try cursor.number(UInt32.self))
    var size = UInt64(try cursor.number(UInt32.self))
    let nameCount = try cursor.number(UInt16.self)
    let extraCount = try cursor.number(UInt16.self)
    let commentCount = try cursor.number(UInt16.self)
    _ = try cursor.skip(8, what: "a zip entry")
    var offset = UInt64(try cursor.number(UInt32.self))
    let storedName = ByteName(try cursor.bytes(nameCount, limit: 1 << 16, what: "a name"))
    let name = storedName.text ?? storedName.description
    var extra = ByteCursor(file, try cursor.skip(extraCount, what: "a zip entry's extra field"))
    while extra.remaining >= 4 {
      let kind = try extra.number(UInt16.self)
      let range = try extra.skip(try extra.number(UInt16.self), what: "a zip entry's extra field")
      guard kind == 1 else { continue }
      var wide = ByteCursor(file, range)
      if size == 0xFFFF_FFFF { size = try wide.number(UInt64.self) }
      if stored == 0xFFFF_FFFF { stored = try wide.number(UInt64.self) }
      if offset == 0xFFFF_FFFF { offset = try wide.number(UInt64.self) }
    }
    _ = try cursor.skip(commentCount, what: "a zip entry's comment")

    guard flags & 0x2041 == 0 else { throw file.refuse("the zip entry \(name) is encrypted") }
    guard method == 0 || method == 8 else {
      throw file.refuse("the zip entry \(name) is compressed by method \(method); stored and deflated ones are read")
    }
    let isDeflated = method == 8
    guard isDeflated || stored == size, size <= UInt64(Int.max / 2) else {
      throw file.refuse("the zip entry \(name) declares \(size) bytes and stores \(stored)")
    }
    guard dataEnd >= 30, offset <= UInt64(dataEnd - 30) else {
      throw file.refuse("the zip entry \(name) lies outside the file")
    }
    var local = ByteCursor(file, ByteRange(start: Int(offset), count: dataEnd - Int(offset)))
    guard try local.number(UInt32.self) == 0x0403_4B50 else { throw file.refuse("the zip entry \(name) has no header") }
    _ = try local.skip(4, what: "a zip header")
    guard try local.number(UInt16.self) == method else { throw file.refuse("the zip entry \(name) has two methods") }
    _ = try local.skip(16, what: "a zip header")
    let localNameCount = try local.number(UInt16.self)
    let localExtraCount = try local.number(UInt16.self)
    guard try local.bytes(localNameCount, limit: 1 << 16, what: "a name") == storedName.bytes else {
      throw file.refuse("the zip entry \(name) has two names")
    }
    _ = try local.skip(localExtraCount, what: "a zip header's extra field")
    return Entry(
      storedName: storedName, name: name, bytes: try local.skip(stored, what: "the zip entry \(name)"),
      checksum: checksum, size: Int(size),
      isDeflated: isDeflated)
  }
}
