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

  /// Size and time of a plain file; nil where there is none.
  /// - Throws: a `Failure` where it cannot be looked at now.
  static func facts(_ path: String) throws -> (sizeBytes: Int, modified: Date)? {
    var status = stat()
    guard stat(path, &status) == 0 else {
      if [ENOENT, ENOTDIR, ELOOP].contains(errno) { return nil }
      throw Failure.system(path, "look at it")
    }
    guard status.st_mode & S_IFMT == S_IFREG else { return nil }
    let seconds = Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9
    return (Int(status.st_size), Date(timeIntervalSince1970: seconds))
  }

  /// Whether an error tells what the file is, or that it is not there: the page says so. Anything else may pass, and the page
  /// would lack what the same command finds later.
  static func isFinding(_ failure: Failure, about path: String) -> Bool {
    switch failure.status {
    case .dataError: return true
    case .noInput: return access(path, F_OK) != 0 && [ENOENT, ENOTDIR, ELOOP].contains(errno)
    default: return false
    }
  }
}
