import Diagnostics
import Files
import Foundation
import Synchronization

/// Bytes of a file: where they begin and how many there are.
package struct ByteRange: Sendable, Equatable {
  package let start: Int
  package let count: Int
  package var end: Int { start + count }

  package init(start: Int, count: Int) {
    self.start = start
    self.count = count
  }
}

/// An open file that is read by ranges, never as a whole.
///
/// Reads go through `pread`, so one file serves many threads, and a file that shrinks under the reader gives an error
/// where a memory map would give a signal.
package final class CheckpointFile: Sendable {
  package let path: String
  package let size: Int
  private let descriptor: Int32
  /// Holds the descriptor, unless the file is a temporary one of this object's own.
  private let input: InputFile?
  /// Starts of the zip entries whose checksum was found right.
  private let verified = Mutex<Set<Int>>([])

  /// - Throws: `noInput` where there is no such file, `dataError` where it is not a regular file.
  package init(_ path: String) throws {
    let file = try InputFile(path, expected: "a checkpoint")
    (self.path, input, descriptor, size) = (path, file, file.descriptor, file.size)
  }

  /// A new file without a name, in the folder for temporary files.
  ///
  /// - Parameters:
  ///   - path: what errors name.
  ///   - content: writes what it is to hold, block by block.
  /// - Throws: a `Failure` of what the system says, or what `content` throws.
  init(temporaryFor path: String, _ content: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.path
    var template = Array("\(folder)/sid-unpacked.XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw Failure.system(folder, "create a temporary file in it") }
    guard unlink(template) == 0 else {
      let failure = Failure.system(folder, "remove the name of a temporary file in it")
      close(descriptor)
      throw failure
    }
    var written = 0
    do {
      try content { block in
        var done = 0
        while done < block.count {
          let n = write(descriptor, block.baseAddress?.advanced(by: done), block.count - done)
          if n < 0 && errno == EINTR { continue }
          guard n > 0 else { throw Failure.system(folder, "unpack \(path) to it") }
          done += n
        }
        written += block.count
      }
    } catch {
      close(descriptor)
      throw error
    }
    (self.path, self.descriptor, input, size) = (path, descriptor, nil, written)
  }

  deinit { if input == nil { close(descriptor) } }

  /// All bytes of the file.
  package var everything: ByteRange { ByteRange(start: 0, count: size) }

  /// Fills `buffer` from byte `start` on.
  func read(into buffer: UnsafeMutableRawBufferPointer, from start: Int) throws {
    var done = 0
    while done < buffer.count {
      guard let base = buffer.baseAddress else { return }
      let n = pread(descriptor, base + done, buffer.count - done, off_t(start + done))
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { throw Failure.system(path, "read") }
      guard n > 0 else { throw Failure(.ioError, path, "the file shrank while it was read") }
      done += n
    }
  }

  /// The bytes of a range that is known to lie inside the file.
  func bytes(_ range: ByteRange) throws -> [UInt8] {
    precondition(range.start >= 0 && range.count >= 0 && range.end <= size, "\(range) of \(size) bytes")
    var result = [UInt8](repeating: 0, count: range.count)
    try result.withUnsafeMutableBytes { try read(into: $0, from: range.start) }
    return result
  }

  /// Calls `body` with the bytes of `range`, block by block.
  func forEachBlock(of range: ByteRange, blockBytes: Int = 1 << 20, _ body: (UnsafeRawBufferPointer) throws -> Void)
    throws
  {
    var buffer = [UInt8](repeating: 0, count: min(range.count, blockBytes))
    var position = range.start
    while position < range.end {
      let count = min(buffer.count, range.end - position)
      try buffer.withUnsafeMutableBytes { whole in
        let block = UnsafeMutableRawBufferPointer(rebasing: whole[..<count])
        try read(into: block, from: position)
        try body(UnsafeRawBufferPointer(block))
      }
      position += count
    }
  }

  /// Compares the content of a zip entry with its size and its CRC-32, once.
  func verify(_ entry: ZipDirectory.Entry) throws {
    if verified.withLock({ $0.contains(entry.bytes.start) }) { return }
    var crc = CRC32()
    if entry.isDeflated {
      try Inflation.forEachBlock(of: entry, in: self) { crc.update($0) }
    } else {
      try forEachBlock(of: entry.bytes) { crc.update($0) }
    }
    guard crc.value == entry.checksum else {
      throw refuse(
        "the checksum of the zip entry \(entry.name) is wrong: the content is damaged", remedy: "fetch the file again")
    }
    _ = verified.withLock { $0.insert(entry.bytes.start) }
  }

  /// The failure for content that cannot be accepted.
  func refuse(_ problem: String, remedy: String? = nil) -> Failure {
    Failure(.dataError, path, problem, remedy: remedy)
  }
}
