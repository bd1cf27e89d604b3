import Diagnostics
import Files

/// A file of which pieces are read, most of them near each other: a piece of it is kept.
final class ByteWindow {
  private let file: InputFile
  private var start = 0
  private var kept: [UInt8] = []
  private let expected: String

  private static let windowBytes = 1 << 14

  /// - Parameter expected: what the file is to be, with its article, for messages.
  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is none that can be read anywhere.
  init(_ path: String, expected: String) throws {
    file = try InputFile(path, expected: expected)
    self.expected = expected
  }

  var path: String { file.path }
  /// Bytes of the file when it was opened.
  var size: Int { file.size }

  /// Bytes of the file.
  /// - Throws: a `Failure`: `dataError` where the range does not lie inside the file, `ioError` where it cannot be read.
  func bytes(at place: Int, count: Int) throws -> [UInt8] {
    guard place >= 0, count >= 0, place <= size, count <= size - place else {
      throw refuse("the file ends before its content does", remedy: "fetch the file again")
    }
    if count > Self.windowBytes { return try file.allBytes(from: place, count: count) }
    if place < start || place + count > start + kept.count {
      kept = try file.allBytes(from: place, count: min(Self.windowBytes, size - place))
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
}
