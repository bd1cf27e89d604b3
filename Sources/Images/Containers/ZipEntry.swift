import Diagnostics
import Files

/// An entry of a zip archive as the central directory has it. (APPNOTE.TXT 6.3.10.)
struct ZipEntry {
  let name: ByteName
  /// How it is compressed: 0 stored, 8 deflated.
  let method: Int
  let isEncrypted: Bool
  /// Whether it is a symbolic link whose content is the target.
  let isLink: Bool
  /// CRC-32 of the content.
  let checksum: UInt32
  /// Bytes in the file.
  let storedSize: Int
  /// Bytes of the content, as declared.
  let size: Int
  /// Where its own header begins.
  let headerStart: Int

  /// Where its bytes begin, which its own header says.
  func dataStart(in file: ByteWindow) throws -> Int {
    let header = try file.bytes(at: headerStart, count: 30)
    guard header.starts(with: [0x50, 0x4B, 3, 4]) else {
      throw file.refuse("entry \(name) has no header where the directory says", remedy: "fetch the file again")
    }
    return headerStart + 30 + Int(header.number(at: 26, 2)) + Int(header.number(at: 28, 2))
  }

  /// All entries in the order of the central directory.
  /// - Throws: a `Failure` with status `dataError` where the file is no intact zip archive.
  static func all(in file: ByteWindow) throws -> [ZipEntry] {
    guard try file.bytes(at: 0, count: min(2, file.size)) == [0x50, 0x4B] else { throw file.refuseKind() }
    let end = try ZipEnd(file.path, size: file.size) { try file.bytes(at: $0, count: $1) }
    let directory = end.directory
    var entries: [ZipEntry] = []
    var place = directory.lowerBound
    while place < directory.upperBound {
      try Interruption.check()
      // What follows the entries, a signature for example, is none.
      guard directory.upperBound - place >= 46 else { break }
      let fixed = try file.bytes(at: place, count: 46)
      guard fixed.starts(with: [0x50, 0x4B, 1, 2]) else { break }
      let counts = [28, 30, 32].map { Int(fixed.number(at: $0, 2)) }
      guard counts.reduce(46, +) <= directory.upperBound - place else { throw damaged(file) }
      let name = ByteName(try file.bytes(at: place + 46, count: counts[0]))
      let extra = try file.bytes(at: place + 46 + counts[0], count: counts[1])
      entries.append(try entry(name, fixed, extra, file))
      place += counts.reduce(46, +)
    }
    // The number has 16 bits, or 64 where it does not fit.
    guard entries.count == end.count || !end.isWide && entries.count & 0xFFFF == end.count else {
      throw damaged(file)
    }
    return entries
  }

  private static func entry(
    _ name: ByteName, _ fixed: [UInt8], _ extra: [UInt8], _ file: ByteWindow
  ) throws -> ZipEntry {
    var (stored, size, start) = (fixed.number(at: 20, 4), fixed.number(at: 24, 4), fixed.number(at: 42, 4))
    var place = 0
    while place + 4 <= extra.count {
      let (kind, length) = (extra.number(at: place, 2), Int(extra.number(at: place + 2, 2)))
      let field = Array(extra.dropFirst(place + 4).prefix(length))
      place += 4 + length
      guard kind == 1 else { continue }
      // The fields that do not fit into 32 bits, in this order.
      var taken = 0
      func wide(_ value: UInt64) throws -> UInt64 {
        guard value == 0xFFFF_FFFF else { return value }
        guard field.count >= taken + 8 else { throw damaged(file) }
        taken += 8
        return field.number(at: taken - 8, 8)
      }
      size = try wide(size)
      stored = try wide(stored)
      start = try wide(start)
    }
    let limit = UInt64(Int.max / 4096)
    guard stored <= limit, size <= limit, start <= limit else { throw damaged(file) }
    let flags = fixed.number(at: 8, 2)
    // The system that made it says what the attributes mean: Unix, or macOS.
    let isUnix = [3, 19].contains(fixed[5])
    let mode = fixed.number(at: 38, 4) >> 16
    return ZipEntry(
      name: name, method: Int(fixed.number(at: 10, 2)), isEncrypted: flags & 0x2041 != 0,
      isLink: isUnix && mode & 0xF000 == 0xA000, checksum: UInt32(fixed.number(at: 16, 4)), storedSize: Int(stored),
      size: Int(size), headerStart: Int(start))
  }

  private static func damaged(_ file: ByteWindow) -> Failure {
    file.refuse("not an intact zip archive: its central directory is damaged", remedy: "fetch the file again")
  }
}
