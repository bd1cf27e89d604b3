import Diagnostics
import Files
import Foundation

/// Writes a new file from front to back, in large blocks.
final class ByteSink {
  /// Bytes written so far.
  private(set) var position = 0
  private let path: String
  private let descriptor: Int32
  private var pending: [UInt8] = []

  private init(_ partial: String, finalPath: String) throws {
    path = finalPath
    descriptor = open(partial, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure.system(partial, "open for writing") }
  }

  deinit { close(descriptor) }

  /// Publishes a file: it appears under `path` complete, or not at all.
  static func publish(_ path: String, _ body: (ByteSink) throws -> Void) throws {
    try AtomicFile.publish(path) { partial in
      let sink = try ByteSink(partial, finalPath: path)
      try body(sink)
      try sink.flush()
    }
  }

  func write(_ bytes: some Sequence<UInt8>) throws {
    let before = pending.count
    pending.append(contentsOf: bytes)
    position += pending.count - before
    if pending.count >= 1 << 16 { try flush() }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    try flush()
    try drain(bytes)
    position += bytes.count
  }

  private func flush() throws {
    try pending.withUnsafeBytes { try drain($0) }
    pending.removeAll(keepingCapacity: true)
  }

  private func drain(_ bytes: UnsafeRawBufferPointer) throws {
    var done = 0
    while done < bytes.count {
      let n = Foundation.write(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { throw Failure.system(path, "write") }
      done += n
    }
  }
}

extension FixedWidthInteger {
  /// The bytes of the number, lowest first.
  var littleEndianBytes: [UInt8] { withUnsafeBytes(of: littleEndian) { Array($0) } }
}
