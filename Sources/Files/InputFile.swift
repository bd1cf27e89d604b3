import Diagnostics
import Foundation

/// A regular file that is open for reading: the one way in which an input is opened.
///
/// Nothing else is an input. A named pipe would be waited for, a terminal read from for ever, a device has no end, and what
/// comes through a pipe cannot be read twice, once for its digest and once for its content. Opening never waits for a writer.
public final class InputFile: Sendable {
  /// What errors name.
  public let path: String
  /// Bytes of the file when it was opened.
  public let size: Int
  /// Open for reading as long as this object exists.
  public let descriptor: Int32

  /// How long another process may take to give up a lease on the file, in seconds: the kernel's own limit is 45.
  private static let leaseSeconds = 60.0

  /// - Parameters:
  ///   - path: the file; a link is followed.
  ///   - expected: what it is to be, with its article, for messages.
  /// - Throws: a `Failure`: `noInput` where there is no such file or it may not be read, `dataError` where it is not a regular
  ///   file, `temporaryFailure` where another process keeps it from being opened; `Interrupted` where the process was asked to
  ///   stop meanwhile.
  public convenience init(_ path: String, expected: String = "a file") throws {
    try self.init(ByteName(path), expected: expected)
  }

  /// The same for a path that need not be text.
  /// - Parameter followsLinks: whether the name may be a link.
  public init(
    _ name: ByteName, shownAs shown: String? = nil, expected: String = "a file", followsLinks: Bool = true
  ) throws {
    let path = shown ?? name.description
    let descriptor = try Self.open(name, path, expected, followsLinks ? 0 : O_NOFOLLOW)
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let failure = Failure.system(path, "look at it")
      close(descriptor)
      throw failure
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw Self.refuse(path, expected, status.st_mode)
    }
    (self.path, self.descriptor, size) = (path, descriptor, Int(status.st_size))
  }

  deinit { close(descriptor) }

  private static func open(_ name: ByteName, _ path: String, _ expected: String, _ flags: Int32) throws -> Int32 {
    let limit = Date() + leaseSeconds
    while true {
      let descriptor = name.withCString {
        Foundation.open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags)
      }
      if descriptor >= 0 || errno == EINTR {
        if descriptor >= 0 { return descriptor }
        continue
      }
      switch errno {
      // A socket, or a device without its driver.
      case ENXIO, ENODEV: throw refuse(path, expected, 0)
      // A lease, as file servers hold: this call asks for it, and does not wait for it.
      case EWOULDBLOCK:
        guard Date() < limit else {
          throw Failure(
            .temporaryFailure, path, "another process has a lease on it and does not give it up",
            remedy: "end that process, and run this again")
        }
        try Interruption.check()
        usleep(20_000)
      default: throw Failure.input(path)
      }
    }
  }

  private static func refuse(_ path: String, _ expected: String, _ mode: mode_t) -> Failure {
    let (kind, remedy): (String, String?) =
      switch mode & S_IFMT {
      case S_IFDIR: ("a folder", "name a file")
      case S_IFIFO: ("a pipe", "write what comes through it to a file first, and name that")
      case S_IFCHR, S_IFBLK: ("a device", "name a file")
      default: ("a socket or a device", "name a file")
      }
    return Failure(.dataError, path, "not a regular file but \(kind); \(expected) is expected", remedy: remedy)
  }

  /// Fills a buffer from byte `start` on.
  /// - Returns: how many bytes were read: fewer than the buffer holds only at the end of the file.
  /// - Throws: a `Failure` where reading fails.
  public func read(into buffer: UnsafeMutableRawBufferPointer, from start: Int) throws -> Int {
    var done = 0
    while done < buffer.count, let base = buffer.baseAddress {
      let n = pread(descriptor, base + done, buffer.count - done, off_t(start + done))
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { throw Failure.system(path, "read") }
      if n == 0 { break }
      done += n
    }
    return done
  }

  /// Up to `count` bytes from byte `start` on: fewer only at the end of the file.
  /// - Throws: a `Failure` where reading fails.
  public func bytes(from start: Int, count: Int) throws -> [UInt8] {
    // Never more room than the file can fill, whatever is asked for.
    var bytes = [UInt8](repeating: 0, count: max(0, min(count, size - start)))
    let read = try bytes.withUnsafeMutableBytes { try self.read(into: $0, from: start) }
    return read == bytes.count ? bytes : Array(bytes.prefix(read))
  }

  /// The same, where all of them are to be there.
  /// - Throws: a `Failure` with status `ioError` where the file has become shorter than it was.
  public func allBytes(from start: Int, count: Int) throws -> [UInt8] {
    let bytes = try bytes(from: start, count: count)
    guard bytes.count == count else { throw Failure(.ioError, path, "the file shrank while it was read") }
    return bytes
  }

  /// The content of a small file.
  /// - Parameter limitBytes: a larger one is refused.
  /// - Throws: as `init`; `dataError` where it is larger.
  public static func content(of path: String, expected: String = "a file", limitBytes: Int) throws -> Data {
    let file = try InputFile(path, expected: expected)
    guard file.size <= limitBytes else {
      throw Failure(.dataError, path, "it has \(file.size) bytes; \(expected) has at most \(limitBytes)")
    }
    return Data(try file.bytes(from: 0, count: file.size))
  }

  /// The first bytes of a file: up to `count` of them.
  /// - Throws: as `init`.
  public static func beginning(of path: String, expected: String = "a file", count: Int) throws -> [UInt8] {
    try InputFile(path, expected: expected).bytes(from: 0, count: count)
  }
}
