import Diagnostics
import Foundation

/// The lock of a file or a folder, held for as long as this lives, by whoever has inherited its descriptor for longer.
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
    try self.init(descriptor, of: path)
  }

  /// Takes the lock of what is open, without waiting.
  /// - Parameters:
  ///   - descriptor: open; closed when the lock ends, and where it is not got.
  ///   - path: names it in errors.
  /// - Returns: nil where others hold it.
  /// - Throws: a `Failure` where it cannot be locked, with status `cannotCreate` where its file system has no locks.
  package init?(_ descriptor: Int32, of path: String) throws {
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(descriptor)
      switch code {
      case EWOULDBLOCK: return nil
      case ENOLCK, EOPNOTSUPP, ENOSYS, EINVAL:
        throw Failure(
          .cannotCreate, path, "its file system has no locks, so two processes could write it at once",
          remedy: "use one that has: a local disk, or NFS 4 with its lock service")
      default: throw Failure.system(path, "lock", code: code)
      }
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Whether what is locked is what stands under a name now: between opening and locking a file, who held the lock before may
  /// have renamed or removed it.
  package func isNamed(_ path: String) -> Bool {
    var (held, named) = (stat(), stat())
    return fstat(descriptor, &held) == 0 && lstat(path, &named) == 0 && held.st_ino == named.st_ino
      && held.st_dev == named.st_dev
  }

  /// Lets go of the lock at once, whoever has inherited its descriptor: closing alone would leave it to a child that is being
  /// started at this moment, until that has become its program.
  package func release() { flock(descriptor, LOCK_UN) }
}
