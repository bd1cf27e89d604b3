import Diagnostics
import Foundation

/// A file that is written from its beginning to its end, through a buffer of 1 MiB.
public final class OutputFile {
  /// Bytes written so far.
  public private(set) var position = 0
  private let path: String
  private let descriptor: Int32
  private var buffer: [UInt8] = []

  /// Opens a file that exists and is empty, such as `AtomicFile` hands out, or a new temporary one.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - isTemporary: creates the file and takes its name away at once, so that it goes with the process.
  /// - Throws: a `Failure` naming the file.
  public init(_ path: String, isTemporary: Bool = false) throws {
    self.path = path
    let creation = isTemporary ? O_CREAT | O_TRUNC | O_NOFOLLOW : 0
    let descriptor = open(path, O_RDWR | O_CLOEXEC | creation, 0o644)
    guard descriptor >= 0 else { throw Failure.system(path, "open for writing") }
    if isTemporary && unlink(path) != 0 {
      // Under its name it would outlive the process, and in a folder be published with the rest.
      let failure = Failure.system(path, "remove its name")
      close(descriptor)
      throw failure
    }
    self.descriptor = descriptor
    buffer.reserveCapacity(Self.bufferBytes)
  }

  deinit { close(descriptor) }

  /// Appends bytes.
  public func write(_ bytes: some Collection<UInt8>) throws {
    buffer.append(contentsOf: bytes)
    position += bytes.count
    if buffer.count >= Self.bufferBytes { try flush() }
  }

  /// Replaces bytes that were written before.
  public func replace(at place: Int, with bytes: [UInt8]) throws {
    precondition(place >= 0 && place + bytes.count <= position, "bytes \(place) on of \(position)")
    let buffered = position - buffer.count
    if place >= buffered {
      buffer.replaceSubrange(place - buffered..<place - buffered + bytes.count, with: bytes)
    } else {
      try flush()
      try put(bytes, at: place)
    }
  }

  /// Hands all that is buffered to the system.
  public func flush() throws {
    if buffer.isEmpty { return }
    try put(buffer, at: position - buffer.count)
    buffer.removeAll(keepingCapacity: true)
  }

  /// Appends everything that another file holds.
  public func append(contentsOf other: OutputFile) throws { try other.forEachBlock { try write($0) } }

  /// Reads back everything that was written.
  public func forEachBlock(_ body: ([UInt8]) throws -> Void) throws {
    try flush()
    var place = 0
    var block = [UInt8](repeating: 0, count: Self.bufferBytes)
    while place < position {
      let n = pread(descriptor, &block, min(block.count, position - place), off_t(place))
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else { throw Failure.system(path, "read") }
      try body(Array(block.prefix(n)))
      place += n
    }
  }

  private static let bufferBytes = 1 << 20

  private func put(_ bytes: [UInt8], at place: Int) throws {
    try bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let n = pwrite(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done, off_t(place + done))
        if n < 0 && errno == EINTR { continue }
        guard n >= 0 else { throw Failure.system(path, "write") }
        done += n
      }
    }
  }
}
