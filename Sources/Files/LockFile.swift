import Diagnostics
import Foundation

/// A lock on a hidden file that stands there for the lock alone, of work whose own files are replaced as it goes on.
///
/// Whoever has it removes the file at the end. A killed process leaves the file, without a lock on it.
package final class LockFile: Sendable {
  private let path: String
  private let lock: FileLock

  /// Takes the lock, without waiting.
  /// - Parameter path: the file, which is created where it is missing.
  /// - Returns: nil where another process has it.
  /// - Throws: a `Failure` with status `cannotCreate` where its file system has no locks.
  package init?(_ path: String) throws {
    while true {
      guard let lock = try FileLock(path, forWriting: true) else { return nil }
      // Otherwise whoever had the lock before has removed the file.
      if lock.isNamed(path) {
        self.path = path
        self.lock = lock
        return
      }
    }
  }

  /// Removed while it is locked, so that nobody's lock goes with it.
  deinit { unlink(path) }
}
