import Diagnostics
import Files
import Foundation

/// The lock of the one daemon of a spool; no child inherits it.
struct SpoolLock: ~Copyable {
  private let descriptor: Int32

  /// - Throws: a `Failure` with status `temporaryFailure` where another daemon works on the spool.
  init(root: String) throws {
    let path = "\(root)/.lock"
    // For reading: a file that is open for writing keeps a disk from being made read-only.
    let descriptor = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw Failure.system(path, "open") }
    // Whoever may read the file may lock it; one of an earlier version is readable by all.
    fchmod(descriptor, 0o600)
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(descriptor)
      guard code == EWOULDBLOCK else { throw Failure.system(path, "lock", code: code) }
      let other = (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n").first
      throw Failure(
        .temporaryFailure, root, "another sid-spoold\(other.map { " (process \($0))" } ?? "") works on this spool",
        remedy: "stop it first, or give another --spool")
    }
    self.descriptor = descriptor
    // For people; the lock is what counts.
    let writer = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW)
    guard writer >= 0 else { return }
    let line = Array("\(getpid())\n".utf8)
    _ = write(writer, line, line.count)
    close(writer)
  }

  deinit { close(descriptor) }
}
