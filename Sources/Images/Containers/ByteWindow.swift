import Diagnostics
import Files
import Foundation

/// A file of which pieces are read, most of them near each other: a piece of it is kept.
final class ByteWindow {
  let path: String
  /// Bytes of the file when it was opened.
  let size: Int
  private let descriptor: Int32
  private var start = 0
  private var kept: [UInt8] = []
  private let expected: String

  private static let windowBytes = 1 << 14

  /// - Parameter expected: what the file is to be, with its article, for messages.
  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is none that can be read anywhere.
  init(_ path: String, expected: String) throws {
    // Non-blocking, or opening a pipe would wait for its writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw Failure.input(path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw Failure(.dataError, path, "\(expected) is expected, this is not a regular file")
    }
    (self.path, self.descriptor, self.expected, size) = (path, descriptor, expected, Int(status.st_size))
  }

  deinit { close(descriptor) }

  /// Bytes of the file.
  /// - Throws: a `Failure`: `dataError` where the range does not lie inside the file, `ioError` where it cannot be read.
  func bytes(at place: Int, count: Int) throws -> [UInt8] {
    guard place >= 0, count >= 0, place <= size, count <= size - place else {
      throw refuse("the file ends before its content does", remedy: "fetch the file again")
    }
    if count > Self.windowBytes { return try read(place, count) }
    if place < start || place + count > start + kept.count {
      kept = try read(place, min(Self.windowBytes, size - place))
      start = place
    }
    return Array(kept[place - start..<place - start + count])
  }

  /// The failure of content that cannot be accepted.
  func refuse(_ problem: String, remedy: String? = nil) -> Failure {
    Failure(.dataError, path, problem, remedy: remedy)
  }

  /// The failure of a file that is something else.
  func refuseKind() -> Failure { FileGuess.refuse(path, expected: expected) }

  private func read(_ place: Int, _ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let n = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress.map { $0 + done }, count - done, off_t(place + done))
      }
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { throw Failure.system(path, "read") }
      guard n > 0 else { throw Failure(.ioError, path, "the file shrank while it was read") }
      done += n
    }
    return bytes
  }
}
