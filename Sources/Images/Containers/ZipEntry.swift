import Diagnostics
import Files
import Foundation

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
    let directory = try ZipDirectoryPlace(file)
    var entries: [ZipEntry] = []
    var place = directory.range.lowerBound
    while place < directory.range.upperBound {
      try Interruption.check()
      // What follows the entries, a signature for example, is none.
      guard directory.range.upperBound - place >= 46 else { break }
      let fixed = try file.bytes(at: place, count: 46)
      guard fixed.starts(with: [0x50, 0x4B, 1, 2]) else { break }
      let counts = [28, 30, 32].map { Int(fixed.number(at: $0, 2)) }
      guard counts.reduce(46, +) <= directory.range.upperBound - place else { throw damaged(file) }
      let name = ByteName(try file.bytes(at: place + 46, count: counts[0]))
      let extra = try file.bytes(at: place + 46 + counts[0], count: counts[1])
      entries.append(try entry(name, fixed, extra, file))
      place += counts.reduce(46, +)
    }
    // The number has 16 bits, or 64 where it does not fit.
    guard entries.count == directory.count || !directory.isWide && entries.count & 0xFFFF == directory.count else {
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

/// Where the central directory of a zip archive lies.
struct ZipDirectoryPlace {
  /// Its bytes.
  let range: Range<Int>
  /// The number of entries; its lowest 16 bits where it is not wide.
  let count: Int
  let isWide: Bool

  /// - Throws: a `Failure` with status `dataError` where there is none.
  init(_ file: ByteWindow) throws {
    guard try file.bytes(at: 0, count: min(2, file.size)) == [0x50, 0x4B] else {
      throw file.refuseKind()
    }
    let missing = file.refuse(
      "not an intact zip archive: there is no central directory at its end", remedy: "it is truncated; fetch it again")
    guard file.size >= 22 else { throw missing }
    // 22 bytes and a comment of up to 65,535; whatever was appended to the archive may stand behind it.
    let tailStart = max(0, file.size - 22 - 0xFFFF)
    let tail = try file.bytes(at: tailStart, count: file.size - tailStart)
    let places = (0...tail.count - 22).filter { tail[$0..<$0 + 4].elementsEqual([0x50, 0x4B, 5, 6]) }
    let exact = places.last { $0 + 22 + Int(tail.number(at: $0 + 20, 2)) == tail.count }
    guard let place = exact ?? places.last else { throw missing }
    let end = tailStart + place
    let record = Array(tail[place..<place + 22])
    guard record.number(at: 4, 2) == 0 || record.number(at: 4, 2) == 0xFFFF else {
      throw file.refuse("a zip archive in several parts", remedy: "put the parts together first (zip -s 0)")
    }
    var (count, size, start) = (record.number(at: 10, 2), record.number(at: 12, 4), record.number(at: 16, 4))
    var limit = end
    var isWide = false
    if end >= 20 + 56 {
      let locator = try file.bytes(at: end - 20, count: 20)
      if locator.starts(with: [0x50, 0x4B, 6, 7]) {
        let place = locator.number(at: 8, 8)
        guard place <= UInt64(end - 20 - 56) else { throw missing }
        let wide = try file.bytes(at: Int(place), count: 56)
        guard wide.starts(with: [0x50, 0x4B, 6, 6]) else { throw missing }
        (count, size, start) = (wide.number(at: 32, 8), wide.number(at: 40, 8), wide.number(at: 48, 8))
        (limit, isWide) = (Int(place), true)
      }
    }
    // With anything between the directory and its end record, an archive was put before or behind another, whose
    // entries nobody would see.
    guard size <= UInt64(limit), start == UInt64(limit) - size, count <= size / 46 else {
      throw file.refuse(
        "not an intact zip archive: its central directory is not where it says",
        remedy: "give one archive in one file, or fetch it again")
    }
    range = Int(start)..<limit
    (self.count, self.isWide) = (Int(count), isWide)
  }
}

extension [UInt8] {
  /// A number of so many bytes, the lowest first; the bytes are there.
  fileprivate func number(at place: Int, _ count: Int) -> UInt64 {
    self[place..<place + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
