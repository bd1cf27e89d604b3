import Compute
import Diagnostics
import Files
import Foundation

/// Rows of numbers in a file of their own that grows while images are read: features beyond what memory should hold.
///
/// The file is scratch: 64 bytes that say whose it is, then the rows as they lie in memory.
final class RowFile<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  /// The length of a row.
  let width: Int
  /// The number of rows. Written by the one thread that appends, before any other reads.
  private(set) var count: Int
  private let path: String
  private let descriptor: Int32

  private var rowBytes: Int { width * MemoryLayout<Element>.stride }
  private static var headerBytes: Int { 64 }

  /// - Parameters:
  ///   - path: the file; nil for one without a name that ends with this object.
  ///   - identity: says whose rows these are.
  ///   - keeping: rows that stay; the file is refused where it does not have them.
  /// - Throws: a `Failure` where the file cannot be opened, or is not what was left.
  init(_ path: String?, width: Int, identity: String, keeping: Int) throws {
    let name = path ?? NSTemporaryDirectory() + "sid-rows-" + UUID().uuidString
    let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (keeping == 0 ? O_TRUNC : 0)
    descriptor = open(name, flags, 0o600)
    guard descriptor >= 0 else { throw Failure.system(name, "create") }
    if path == nil && unlink(name) != 0 {
      let failure = Failure.system(name, "remove its name")
      close(descriptor)
      throw failure
    }
    (self.path, self.width, count) = (name, width, keeping)
    let header = Array(try SHA256.hexDigest(of: Data(identity.utf8)).utf8)
    if keeping > 0 {
      var status = stat()
      let end = Self.headerBytes + keeping * rowBytes
      let found = [UInt8](unsafeUninitializedCapacity: header.count) { buffer, count in
        count = max(0, pread(descriptor, buffer.baseAddress, buffer.count, 0))
      }
      guard fstat(descriptor, &status) == 0, status.st_size >= end, found == header,
        ftruncate(descriptor, off_t(end)) == 0
      else { throw Failure(.dataError, name, "the rows of other work") }
    } else {
      try header.withUnsafeBytes { try write($0, at: 0) }
    }
  }

  deinit { close(descriptor) }

  /// Adds rows.
  /// - Parameter values: [rows, width].
  func append(_ values: UnsafeBufferPointer<Element>) throws {
    precondition(values.count % width == 0, "\(values.count) numbers for rows of \(width)")
    try write(UnsafeRawBufferPointer(values), at: Self.headerBytes + count * rowBytes)
    count += values.count / width
  }

  /// Puts on the disk what was added.
  func synchronize() throws {
    guard fsync(descriptor) == 0 else { throw Failure.system(path, "flush to disk") }
  }

  /// Reads rows; from any thread.
  func read(_ range: Range<Int>, into target: UnsafeMutablePointer<Element>) throws {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "rows \(range) of \(count)")
    let bytes = UnsafeMutableRawPointer(target)
    let (start, total) = (Self.headerBytes + range.lowerBound * rowBytes, range.count * rowBytes)
    var done = 0
    while done < total {
      let n = pread(descriptor, bytes + done, total - done, off_t(start + done))
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { throw Failure.system(path, "read") }
      guard n > 0 else { throw Failure(.ioError, path, "the file shrank while it was read") }
      done += n
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, at start: Int) throws {
    var done = 0
    while done < bytes.count {
      let n = pwrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(start + done))
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { throw Failure.system(path, "write") }
      done += n
    }
  }
}

extension RowFile: FeatureRows where Element == Float {
  func rows(_ range: Range<Int>) throws -> Tensor {
    try Tensor(shape: [range.count, width]) { try read(range, into: $0) }
  }
}
