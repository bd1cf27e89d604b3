import Diagnostics

/// Reads a range of a file from front to back through a small window; whatever it skips it never loads.
struct ByteCursor {
  let file: CheckpointFile
  /// The next byte, counted from the beginning of the file.
  private(set) var position: Int
  /// The first byte that does not belong to the range.
  let end: Int
  private var window: [UInt8] = []
  private var windowStart = 0

  init(_ file: CheckpointFile, _ range: ByteRange) {
    self.file = file
    position = range.start
    end = range.end
  }

  var remaining: Int { end - position }

  /// The next byte.
  mutating func byte() throws -> UInt8 {
    let offset = position - windowStart
    if offset < 0 || offset >= window.count { try refill() }
    let value = window[position - windowStart]
    position += 1
    return value
  }

  /// A little-endian number.
  mutating func number<T: FixedWidthInteger & UnsignedInteger>(_: T.Type) throws -> T {
    var value: T = 0
    for i in 0..<(T.bitWidth / 8) { value |= T(try byte()) << (8 * i) }
    return value
  }

  /// Passes over `count` bytes, which must be there.
  mutating func skip(_ count: some BinaryInteger, what: String) throws -> ByteRange {
    guard count >= 0, count <= remaining else { throw short(what, count) }
    let range = ByteRange(start: position, count: Int(count))
    position += range.count
    return range
  }

  /// The next `count` bytes, at most `limit`.
  mutating func bytes(_ count: some BinaryInteger, limit: Int, what: String) throws -> [UInt8] {
    guard count <= limit else { throw refuse("\(what) of \(count) bytes; the limit is \(limit)") }
    let range = try skip(count, what: what)
    let offset = range.start - windowStart
    if offset >= 0, offset + range.count <= window.count { return Array(window[offset..<(offset + range.count)]) }
    return try file.bytes(range)
  }

  /// The next `count` bytes as UTF-8.
  mutating func text(_ count: some BinaryInteger, limit: Int = 1 << 24) throws -> String {
    guard let text = String(validating: try bytes(count, limit: limit, what: "a text"), as: UTF8.self) else {
      throw refuse("a text is not UTF-8")
    }
    return text
  }

  /// The bytes to the next line feed as UTF-8, which is passed over.
  mutating func line(limit: Int = 256) throws -> String {
    var bytes: [UInt8] = []
    while true {
      let next = try byte()
      if next == 0x0A { break }
      guard bytes.count < limit else { throw refuse("a name of more than \(limit) bytes") }
      bytes.append(next)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw refuse("a name is not UTF-8") }
    return text
  }

  /// The failure for content that cannot be accepted, with the place where it stands.
  func refuse(_ problem: String, remedy: String? = nil) -> Failure {
    file.refuse("byte \(position): \(problem)", remedy: remedy)
  }

  private func short(_ what: String, _ count: some BinaryInteger) -> Failure {
    refuse(
      "\(what) of \(count) bytes where only \(remaining) are left",
      remedy: "the file is truncated or damaged; fetch it again")
  }

  private mutating func refill() throws {
    guard remaining > 0 else {
      throw refuse(
        "the data ends in the middle of a pickle", remedy: "the file is truncated or damaged; fetch it again")
    }
    window = try file.bytes(ByteRange(start: position, count: min(remaining, 1 << 16)))
    windowStart = position
  }
}
