import Diagnostics
import Files

/// The bytes of a file, read by ranges that are checked against its size.
final class FileBytes {
  private let file: InputFile
  var path: String { file.path }
  /// Bytes of the file; once the superblock is read, those that it counts.
  private(set) var size: Int

  init(_ path: String) throws {
    file = try InputFile(path, expected: "an HDF5 file")
    size = file.size
  }

  /// Takes the bytes from `end` on as outside the file, as libhdf5 does.
  func end(at end: UInt64) { size = min(size, Int(clamping: end)) }

  /// `count` bytes from `start` on, all of them inside the file.
  func fields(_ start: UInt64, _ count: Int, _ what: String) throws -> FieldReader {
    guard count >= 0, let first = Int(exactly: start), first <= size, count <= size - first else {
      throw refuse("\(what) of \(count) bytes at byte \(start) lies outside the file")
    }
    let bytes = try file.allBytes(from: first, count: count)
    return FieldReader(bytes[...], file: self, what: "\(what) at byte \(start)")
  }

  /// Compares the `count` bytes from `start` on with the checksum behind them.
  ///
  /// libhdf5 does too, but a block that fails it in the middle of a list makes it crash.
  func verifyChecksum(_ start: UInt64, _ count: Int, _ what: String) throws {
    var fields = try fields(start, count + 4, what)
    let bytes = try fields.take(count)
    try fields.require(try UInt32(fields.number(4)) == Checksum.of(bytes), "has a wrong checksum")
  }

  func refuse(_ problem: String) -> Failure {
    Failure(.dataError, path, "damaged HDF5 structure: \(problem)", remedy: "make the file again")
  }
}

/// Little-endian fields, one after another, none beyond the end of their block.
struct FieldReader {
  private(set) var rest: ArraySlice<UInt8>
  let file: FileBytes
  let what: String

  init(_ bytes: ArraySlice<UInt8>, file: FileBytes, what: String) {
    (rest, self.file, self.what) = (bytes, file, what)
  }

  var remaining: Int { rest.count }

  mutating func number(_ width: Int) throws -> UInt64 {
    let bytes = try take(width)
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  mutating func byte() throws -> UInt8 { UInt8(try number(1)) }

  mutating func small(_ width: Int) throws -> Int { Int(clamping: try number(width)) }

  mutating func address() throws -> UInt64 { try number(8) }

  mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
    guard count >= 0, count <= rest.count else { throw refuse("ends early") }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  /// A part of the block as a block of its own.
  mutating func part(_ count: Int, _ what: String) throws -> FieldReader {
    FieldReader(try take(count), file: file, what: "\(what) in \(self.what)")
  }

  mutating func expect(_ signature: String) throws {
    guard try take(signature.utf8.count).elementsEqual(signature.utf8) else { throw refuse("is none") }
  }

  /// Refuses the block unless a condition holds.
  func require(_ condition: Bool, _ problem: String) throws {
    if !condition { throw refuse(problem) }
  }

  func refuse(_ problem: String) -> Failure { file.refuse("\(what) \(problem)") }
}

/// An address that points nowhere.
let undefinedAddress = UInt64.max
