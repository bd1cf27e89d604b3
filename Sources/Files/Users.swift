import Diagnostics
import Glibc

/// The names of users.
package enum Users {
  /// The name of a user, or the number where there is none.
  /// - Throws: a `Failure` (temporary) where the system cannot look it up now.
  package static func name(_ uid: UInt32) throws -> String { try name(uid, asking: lookedUp, readingFile: openedFile) }

  /// The same for messages: the number also where the name cannot be looked up.
  package static func shown(_ uid: UInt32) -> String { (try? name(uid)) ?? String(uid) }

  /// The same, given how the system is asked.
  ///
  /// - Parameters:
  ///   - lookup: the name, or nil, and the number of the error, 0 where the user is not known.
  ///   - read: the number of the error that opening the file of users ends with, or 0.
  package static func name(
    _ uid: UInt32, asking lookup: (UInt32) -> (name: String?, error: Int32), readingFile read: () -> Int32
  ) throws -> String {
    func check(_ error: Int32) throws {
      guard [EIO, EMFILE, ENFILE, ENOMEM, EINTR, EAGAIN].contains(error) else { return }
      throw Failure(
        .temporaryFailure, "user \(uid)", "its name cannot be looked up now: \(String(cString: strerror(error)))")
    }
    // The C library asks one service after the other, and keeps the error of the last alone: where the file of users could
    // not be read, the next service says that there is no such user. So nobody is nameless before the file was opened and
    // the system asked again.
    for attempt in 0..<2 {
      let (name, error) = lookup(uid)
      if let name { return name }
      try check(error)
      if attempt == 0 { try check(read()) }
    }
    return String(uid)
  }

  private static func lookedUp(_ uid: UInt32) -> (name: String?, error: Int32) {
    var record = passwd()
    var buffer = [CChar](repeating: 0, count: 4096)
    var result: UnsafeMutablePointer<passwd>?
    let error = getpwuid_r(uid, &record, &buffer, buffer.count, &result)
    guard error == 0, result != nil, let name = record.pw_name else { return (nil, error) }
    return (String(cString: name), 0)
  }

  private static func openedFile() -> Int32 {
    let descriptor = open("/etc/passwd", O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { return errno }
    close(descriptor)
    return 0
  }
}
