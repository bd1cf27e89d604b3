import Foundation

/// The names of users.
package enum Users {
  /// The name of a user, or the number where there is none.
  package static func name(_ uid: UInt32) -> String {
    var record = passwd()
    var buffer = [CChar](repeating: 0, count: 4096)
    var result: UnsafeMutablePointer<passwd>?
    guard getpwuid_r(uid, &record, &buffer, buffer.count, &result) == 0, result != nil, let name = record.pw_name else {
      return String(uid)
    }
    return String(cString: name)
  }
}
