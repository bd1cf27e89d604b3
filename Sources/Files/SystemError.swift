import Diagnostics
import Foundation

extension Failure {
  /// The failure behind the current `errno`, for the system call that has just failed on `path`.
  ///
  /// A full disk or quota counts as temporary, a missing file as missing input.
  /// - Parameters:
  ///   - path: the file the call was about.
  ///   - action: what was attempted, as an infinitive ("write", "rename to x.h5").
  ///   - code: the error number; the current `errno` unless given.
  public static func system(_ path: String, _ action: String, code: Int32 = errno) -> Failure {
    let reason = String(cString: strerror(code))
    switch code {
    case ENOENT, ENOTDIR:
      return Failure(.noInput, path, "cannot \(action): \(reason)")
    case ENOSPC, EDQUOT:
      return Failure(.temporaryFailure, path, "cannot \(action): \(reason)", remedy: "free some space and run it again")
    case EACCES, EPERM, EROFS:
      return Failure(.cannotCreate, path, "cannot \(action): \(reason)")
    default:
      return Failure(.ioError, path, "cannot \(action): \(reason)")
    }
  }

  /// The same for a call that was to open an input, of which one that may not be read counts as missing.
  public static func input(_ path: String, code: Int32 = errno) -> Failure {
    let failure = system(path, "open", code: code)
    guard failure.status == .cannotCreate else { return failure }
    return Failure(.noInput, path, failure.problem, remedy: "make it readable")
  }
}
