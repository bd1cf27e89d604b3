import Diagnostics
import Files
import Foundation

/// The lock of the one daemon of a spool; no child inherits it.
enum SpoolLock {
  /// Takes it.
  /// - Throws: a `Failure` with status `temporaryFailure` where another daemon works on the spool.
  static func take(root: String) throws -> FileLock {
    let path = "\(root)/.lock"
    // For reading: a file that is open for writing keeps a disk from being made read-only.
    guard let lock = try FileLock(path, forWriting: false) else {
      let other = (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n").first
      throw Failure(
        .temporaryFailure, root, "another sid-spoold\(other.map { " (process \($0))" } ?? "") works on this spool",
        remedy: "stop it first, or give another --spool")
    }
    // For people; the lock is what counts.
    let writer = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW)
    guard writer >= 0 else { return lock }
    let line = Array("\(getpid())\n".utf8)
    _ = write(writer, line, line.count)
    close(writer)
    return lock
  }
}
