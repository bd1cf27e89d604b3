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
    let end = try Self.findEnd(file)
    var cursor = ByteCursor(file, ByteRange(start: end.offset, count: end.size))
    var entries: [Entry] = []
    var names: Set<ByteName> = []
    for _ in 0..<end.count {
      try Interruption.check()
      let entry = try Self.entry(&cursor, file: file, dataEnd: end.offset)
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

  /// The directory's place and number of entries, from the end record or its 64-bit twin.
  private static func findEnd(_ file: CheckpointFile) throws -> (offset: Int, size: Int, count: Int) {
    let missing = file.refuse(
      "a zip archive without its central directory", remedy: "the file is truncated; fetch it again")
    // The end record is 22 bytes and a comment of up to 65,535.
    guard file.size >= 22 else { throw missing }
    let tailStart = max(0, file.size - 22 - 0xFFFF)
    let tail = try file.bytes(ByteRange(start: tailStart, count: file.size - tailStart))
    let ends = (0...(tail.count - 22)).reversed().filter { tail[$0..<($0 + 4)].elementsEqual([0x50, 0x4B, 5, 6]) }
    func end(_ i: Int) -> Int { i + 22 + (Int(tail[i + 20]) | Int(tail[i + 21]) << 8) }
    // Bytes behind the archive are passed over, as unzip and numpy do; one that ends with the file is preferred.
    guard let place = ends.first(where: { end($0) == tail.count }) ?? ends.first(where: { end($0) < tail.count }) else {
      throw missing
    }
    let endRecord = tailStart + place
    var cursor = ByteCursor(file, ByteRange(start: endRecord + 4, count: 18))
    guard try cursor.number(UInt16.self) == 0, try cursor.number(UInt16.self) == 0 else {
      throw file.refuse("a zip archive in several parts")
    }
    var countHere = UInt64(try cursor.number(UInt16.self))
    var count = UInt64(try cursor.number(UInt16.self))
    var size = UInt64(try cursor.number(UInt32.self))
    var offset = UInt64(try cursor.number(UInt32.self))
    var limit = endRecord

    if endRecord >= 20 {
      var locator = ByteCursor(file, ByteRange(start: endRecord - 20, count: 20))
      if try locator.number(UInt32.self) == 0x0706_4B50 {
        _ = try locator.number(UInt32.self)
        let start = try locator.number(UInt64.self)
        guard endRecord - 20 >= 56, start <= UInt64(endRecord - 20 - 56) else { throw missing }
        limit = Int(start)
        var record = ByteCursor(file, ByteRange(start: limit, count: 56))
        guard try record.number(UInt32.self) == 0x0606_4B50 else { throw missing }
        _ = try record.skip(20, what: "the zip64 end record")
        countHere = try record.number(UInt64.self)
        count = try record.number(UInt64.self)
        size = try record.number(UInt64.self)
        offset = try record.number(UInt64.self)
      }
    }
    guard offset <= UInt64(limit), size <= UInt64(limit) - offset, count == countHere, count <= size / 46 else {
      throw file.refuse("the zip directory lies outside the file")
    }
    return (Int(offset), Int(size), Int(count))
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
