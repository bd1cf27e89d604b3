import Diagnostics
import Foundation

/// The lock of a file, held for as long as this lives, by whoever has inherited its descriptor for longer.
///
/// The kernel lets go of it when the last holder has ended, however that came about: whoever gets it knows that nobody holds
/// it any more. All locks of this package are of this kind (flock(2)).
package struct FileLock: ~Copyable {
  /// Open and locked.
  package let descriptor: Int32

  /// Takes the lock of a file that is created where it is missing, for its owner alone.
  /// - Parameters:
  ///   - path: the file; a link is not followed.
  ///   - forWriting: whether it is opened for writing, which keeps a disk from being made read-only.
  /// - Returns: nil where others hold it.
  /// - Throws: a `Failure` where it cannot be opened or locked.
  package init?(_ path: String, forWriting: Bool) throws {
    let descriptor = open(path, (forWriting ? O_RDWR : O_RDONLY) | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw Failure.system(path, "open") }
    // Whoever may read the file may lock it; one of an earlier version is readable by all.
    fchmod(descriptor, 0o600)
    guard Self.take(descriptor) else {
      let code = errno
      close(descriptor)
      if code == EWOULDBLOCK { return nil }
      throw Failure.system(path, "lock", code: code)
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Takes the lock of what is open, without waiting.
  /// - Returns: whether it is this process's now; `errno` says why not.
  package static func take(_ descriptor: Int32) -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }
}
