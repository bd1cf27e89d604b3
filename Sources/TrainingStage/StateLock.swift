import Diagnostics
import Files
import Foundation

/// What keeps two processes from training into one state: a lock on the hidden file `.STATE.lock` beside it, from before the
/// state is read to the end of the run.
///
/// The state itself is replaced with every save, so it cannot carry the lock. Of several ranks the first has it.
final class StateLock: Sendable {
  private let file: LockFile

  /// Takes it.
  /// - Parameter state: the path of the state.
  /// - Throws: a `Failure` with status `temporaryFailure` where another process trains into it, `cannotCreate` where its file
  ///   system has no locks.
  init(of state: String) throws {
    guard let file = try LockFile(Self.path(of: state)) else {
      throw Failure(
        .temporaryFailure, state, "another process is training into this state",
        remedy: "wait for it to end, or choose another --state")
    }
    self.file = file
  }

  /// Removes the file that a killed run has left, where nobody has its lock.
  static func removeAbandoned(of state: String) {
    guard access(path(of: state), F_OK) == 0 else { return }
    _ = try? StateLock(of: state)
  }

  private static func path(of state: String) -> String {
    "\(AtomicFile.folder(of: state))/.\((state as NSString).lastPathComponent).lock"
  }
}
