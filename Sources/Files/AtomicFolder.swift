import CLinux
import Diagnostics
import Foundation

/// A folder that appears under its final name with everything in it, or not at all.
///
/// The content goes to `PATH.partial`, held under an exclusive lock; what an earlier writer has left there is removed.
public enum AtomicFolder {
  /// Fills a folder through `body` and publishes it.
  ///
  /// - Parameters:
  ///   - path: the final name.
  ///   - replacing: puts it in the place of a folder that is there.
  ///   - body: writes the whole content to the folder it is given, which exists and is empty.
  /// - Returns: what `body` returns.
  /// - Throws: what `body` throws, after removing the partial folder; a `Failure` naming the folder where the system
  ///   refuses, with status `temporaryFailure` where another process is writing it.
  public static func publish<Result>(
    _ path: String, replacing: Bool = false, _ body: (_ partialPath: String) throws -> Result
  ) throws -> Result {
    try AtomicFile.requireFolder(of: path)
    let partial = path + ".partial"
    guard mkdir(partial, 0o755) == 0 || errno == EEXIST else { throw Failure.system(partial, "create") }
    let lock = open(partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
    guard lock >= 0 else { throw Failure.system(partial, "open") }
    defer { close(lock) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      throw busy(partial)
    }
    // Between opening and locking another writer may have published or removed the folder.
    var (held, named) = (stat(), stat())
    guard fstat(lock, &held) == 0, lstat(partial, &named) == 0, held.st_ino == named.st_ino, held.st_dev == named.st_dev
    else { throw busy(partial) }
    let files = FileManager.default
    var old: Int32 = -1
    defer { if old >= 0 { close(old) } }
    do {
      for name in try files.contentsOfDirectory(atPath: partial) { try files.removeItem(atPath: partial + "/" + name) }
      let result = try body(partial)
      // Thousands of small files: one flush of their file system instead of one for each.
      guard sid_syncfs(lock) == 0 else { throw Failure.system(partial, "flush") }
      if replacing, access(path, F_OK) == 0 {
        // The old folder takes the partial one's name, and must be as locked until it is removed.
        old = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        // A link in its place is replaced, not followed.
        guard old >= 0 || errno == ELOOP else { throw Failure.system(path, "open") }
        guard old < 0 || flock(old, LOCK_EX | LOCK_NB) == 0 else { throw busy(path) }
        try exchange(partial, path)
      } else {
        guard rename(partial, path) == 0 else { throw Failure.system(path, "rename \(partial) to it") }
      }
      try AtomicFile.synchronize(AtomicFile.folder(of: path))
      // Killed here: the old content is a partial folder, which the next writer removes.
      if replacing { try? files.removeItem(atPath: partial) }
      return result
    } catch {
      try? files.removeItem(atPath: partial)
      throw error
    }
  }

  private static func busy(_ path: String) -> Failure {
    Failure(
      .temporaryFailure, path, "another process is writing this folder",
      remedy: "wait for it to end, then run this again")
  }

  /// Makes the new folder and the old one change places, in one step where the file system can.
  private static func exchange(_ new: String, _ old: String) throws {
    if sid_exchange(new, old) == 0 { return }
    guard [EINVAL, ENOSYS, ENOTSUP, EPERM].contains(errno) else { throw Failure.system(old, "replace") }
    let aside = old + ".old"
    try? FileManager.default.removeItem(atPath: aside)
    guard rename(old, aside) == 0 else { throw Failure.system(old, "rename") }
    guard rename(new, old) == 0 else {
      let failure = Failure.system(old, "rename \(new) to it")
      rename(aside, old)
      throw failure
    }
    try? FileManager.default.removeItem(atPath: aside)
  }
}
