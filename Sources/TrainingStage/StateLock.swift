import Diagnostics
import Files
import Foundation

/// What keeps two processes from training into one state: a lock on the hidden file `.STATE.lock` beside it, from before the
/// state is read to the end of the run.
///
/// The state itself is replaced with every save, so it cannot carry the lock. A killed run leaves the file, without a lock on
/// it. Of several ranks the first has it.
final class StateLock: Sendable {
  private let path: String
  private let lock: FileLock

  /// Takes it.
  /// - Parameter state: the path of the state.
  /// - Throws: a `Failure` with status `temporaryFailure` where another process trains into it, `cannotCreate` where its file
  ///   system has no locks.
  init(of state: String) throws {
    path = Self.path(of: state)
    while true {
      guard let lock = try FileLock(path, forWriting: true) else {
        throw Failure(
          .temporaryFailure, state, "another process is training into this state",
          remedy: "wait for it to end, or choose another --state")
      }
      // Otherwise the run that held the lock before has removed the file.
      if lock.isNamed(path) {
        self.lock = lock
        return
      }
    }
  }

  /// Removed while it is locked, so that nobody's lock goes with it.
  deinit { unlink(path) }

  /// Removes the file that a killed run has left, where nobody has its lock.
  static func removeAbandoned(of state: String) {
    guard access(path(of: state), F_OK) == 0 else { return }
    _ = try? StateLock(of: state)
  }

  private static func path(of state: String) -> String {
    "\(AtomicFile.folder(of: state))/.\((state as NSString).lastPathComponent).lock"
  }
}
