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
    let file = try InputFile(path)
    return (Data(try file.bytes(from: 0, count: limitBytes)), file.size)
  }

  /// When a file was last written; nil where it is no plain file.
  static func modified(_ path: String) -> Date? {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Date(timeIntervalSince1970: Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9)
  }
}
