import Diagnostics
import Files
import Foundation

/// Files of a job's folder, read only as far as they can be what they should be.
enum BoundedFile {
  /// The content of a plain file.
  /// - Parameters:
  ///   - path: the file; a pipe, a device or a folder is refused without waiting for it.
  ///   - limitBytes: a larger file is refused.
  /// - Throws: a `Failure` naming the file: `noInput` where there is none, `dataError` where it is not read.
  static func read(_ path: String, limitBytes: Int) throws -> Data {
    let (data, size) = try head(path, limitBytes: limitBytes)
    guard size <= limitBytes else {
      throw Failure(.dataError, path, "it has \(size) bytes; at most \(limitBytes) are read")
    }
    return data
  }

  /// The beginning of a plain file, and its size.
  static func head(_ path: String, limitBytes: Int) throws -> (data: Data, sizeBytes: Int) {
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure.input(path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw Failure(.dataError, path, "it is not a plain file")
    }
    let size = Int(status.st_size)
    var bytes = [UInt8](repeating: 0, count: min(size, limitBytes))
    var done = 0
    while done < bytes.count {
      let room = bytes.count - done
      let n = bytes.withUnsafeMutableBytes { Foundation.read(descriptor, $0.baseAddress?.advanced(by: done), room) }
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { throw Failure.system(path, "read") }
      if n == 0 { break }
      done += n
    }
    return (Data(bytes.prefix(done)), size)
  }

  /// When a file was last written; nil where it is no plain file.
  static func modified(_ path: String) -> Date? {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Date(timeIntervalSince1970: Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9)
  }
}
