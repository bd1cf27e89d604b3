import Diagnostics

/// Where the central directory of a zip archive lies, by the record at its end. (APPNOTE.TXT 6.3.10, 4.3.14 to 4.3.16.)
package struct ZipEnd: Sendable {
  /// The bytes of the directory.
  package let directory: Range<Int>
  /// The number of its entries; the lowest 16 bits of it where the record is not wide.
  package let count: Int
  /// Whether the record is that of large archives (zip64).
  package let isWide: Bool

  private static let recordBytes = 22
  private static let signature: [UInt8] = [0x50, 0x4B, 5, 6]

  /// Reads some bytes of the archive, which are there.
  package typealias Reading = (_ start: Int, _ count: Int) throws -> [UInt8]

  /// Of several records the last is taken whose comment ends with the file, or else the last: whatever was appended to an
  /// archive is read over, as unzip does. Where its directory is not where it says, a comment may have imitated it, and the
  /// record is tried to which that comment belongs; another archive before it is none.
  ///
  /// - Parameters:
  ///   - path: what errors name.
  ///   - size: bytes of the file.
  /// - Throws: a `Failure` with status `dataError` where there is no such directory.
  package init(_ path: String, size: Int, _ bytes: Reading) throws {
    let tail = try Self.tail(size, bytes)
    var first: Failure?
    for place in tail.places {
      do {
        let record = Array(tail.bytes[place..<place + Self.recordBytes])
        self = try Self(path, record: record, at: tail.start + place, bytes)
        return
      } catch let failure as Failure where failure.status == .dataError {
        first = first ?? failure
      }
    }
    throw first
      ?? Failure(
        .dataError, path, "not an intact zip archive: there is no central directory at its end",
        remedy: "it is truncated; fetch it again")
  }

  /// Whether a file that begins with something else ends as a zip archive: one that unpacks itself, for example.
  static func isBehindOtherBytes(_ file: InputFile) -> Bool {
    let bytes: Reading = { try file.allBytes(from: $0, count: $1) }
    guard let beginning = try? bytes(0, min(2, file.size)), beginning != [0x50, 0x4B],
      let tail = try? tail(file.size, bytes)
    else { return false }
    return tail.places.contains { place in
      let size = Int(tail.bytes.number(at: place + 12, 4))
      let start = tail.start + place - size
      return size >= 46 && start > 0 && (try? bytes(start, 4)) == [0x50, 0x4B, 1, 2]
    }
  }

  /// The last bytes of a file, and where in them records may lie, in the order in which they are to be tried.
  private static func tail(_ size: Int, _ bytes: Reading) throws -> (start: Int, bytes: [UInt8], places: [Int]) {
    guard size >= recordBytes else { return (0, [], []) }
    // A comment has up to 65,535 bytes.
    let start = max(0, size - recordBytes - 0xFFFF)
    let tail = try bytes(start, size - start)
    let places = (0...tail.count - recordBytes).reversed().filter { tail[$0..<$0 + 4].elementsEqual(signature) }
    func isExact(_ place: Int) -> Bool { place + recordBytes + Int(tail.number(at: place + 20, 2)) == tail.count }
    guard let first = places.first(where: isExact) ?? places.first else { return (start, tail, []) }
    let others = places.filter { $0 < first && $0 + recordBytes + Int(tail.number(at: $0 + 20, 2)) > first }
    return (start, tail, [first] + others)
  }

  private init(_ path: String, record: [UInt8], at end: Int, _ bytes: Reading) throws {
    func refuse(_ problem: String, _ remedy: String = "fetch the file again") -> Failure {
      Failure(.dataError, path, "not an intact zip archive: \(problem)", remedy: remedy)
    }
    let disks = record.number(at: 4, 2)
    guard disks == record.number(at: 6, 2), disks == 0 || disks == 0xFFFF,
      record.number(at: 8, 2) == record.number(at: 10, 2)
    else {
      throw Failure(
        .dataError, path, "a zip archive in several parts", remedy: "put the parts together first (zip -s 0)")
    }
    var (count, size, start) = (record.number(at: 10, 2), record.number(at: 12, 4), record.number(at: 16, 4))
    var limit = end
    var isWide = false
    if end >= 20 + 56 {
      let locator = try bytes(end - 20, 20)
      if locator.starts(with: [0x50, 0x4B, 6, 7]) {
        let place = locator.number(at: 8, 8)
        guard place <= UInt64(end - 20 - 56) else { throw refuse("its central directory is missing") }
        let wide = try bytes(Int(place), 56)
        guard wide.starts(with: [0x50, 0x4B, 6, 6]) else { throw refuse("its central directory is missing") }
        (count, size, start) = (wide.number(at: 32, 8), wide.number(at: 40, 8), wide.number(at: 48, 8))
        (limit, isWide) = (Int(place), true)
      }
    }
    // With anything between the directory and its end record, an archive was put before or behind another, whose
    // entries nobody would see.
    guard size <= UInt64(limit), start == UInt64(limit) - size, count <= size / 46,
      try count == 0 || bytes(Int(start), 4) == [0x50, 0x4B, 1, 2]
    else {
      throw refuse(
        "its central directory is not where it says", "give one archive in one file, or fetch it again")
    }
    directory = Int(start)..<limit
    (self.count, self.isWide) = (Int(count), isWide)
  }
}

extension [UInt8] {
  /// A number of so many bytes, the lowest first; the bytes are there.
  package func number(at place: Int, _ count: Int) -> UInt64 {
    self[place..<place + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
