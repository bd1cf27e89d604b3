import Diagnostics
import Foundation

/// The names of users.
package enum Users {
  /// The name of a user, or the number where there is none.
  /// - Throws: a `Failure` (temporary) where the system cannot look it up now.
  package static func name(_ uid: UInt32) throws -> String {
    var record = passwd()
    var buffer = [CChar](repeating: 0, count: 4096)
    var result: UnsafeMutablePointer<passwd>?
    let problem = getpwuid_r(uid, &record, &buffer, buffer.count, &result)
    if [EIO, EMFILE, ENFILE, ENOMEM, EINTR, EAGAIN].contains(problem) {
      throw Failure(
        .temporaryFailure, "user \(uid)", "its name cannot be looked up now: \(String(cString: strerror(problem)))")
    }
    guard problem == 0, result != nil, let name = record.pw_name else { return String(uid) }
    return String(cString: name)
  }

  /// The same for messages: the number also where the name cannot be looked up.
  package static func shown(_ uid: UInt32) -> String { (try? name(uid)) ?? String(uid) }
}
