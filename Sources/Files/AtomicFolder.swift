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
    let partial = AtomicFile.partial(of: path)
    let lock = try claim(partial)
    // The old folder takes the partial one's name, and must be as locked until it is removed.
    var oldLock: FileLock?
    // Whether the partial name is this writer's; without it, it may be the next one's already.
    var hasPartial = true
    do {
      try FolderTree.removeContents(of: partial)
      let result = try body(partial)
      // Thousands of small files: one flush of their file system instead of one for each.
      guard sid_syncfs(lock.descriptor) == 0 else { throw Failure.system(partial, "flush") }
      // A link in the old one's place is replaced, not followed.
      let old = replacing ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1
      let isLink = replacing && old < 0 && errno == ELOOP
      if old >= 0 {
        oldLock = try FileLock(old, of: path)
        if oldLock == nil { throw busy(path) }
      }
      if old >= 0 || isLink {
        hasPartial = try exchange(partial, path)
      } else {
        try move(partial, path)
        hasPartial = false
      }
      try AtomicFile.synchronize(AtomicFile.folder(of: path))
      // Killed here: the old content is a partial folder, which the next writer removes.
      if hasPartial { try? FolderTree.remove(partial) }
      _ = consume oldLock
      _ = consume lock
      return result
    } catch {
      if hasPartial { try? FolderTree.remove(partial) }
      _ = consume oldLock
      _ = consume lock
      throw error
    }
  }

  /// Creates the partial folder, or takes up what an earlier writer left, and locks it.
  private static func claim(_ partial: String) throws -> FileLock {
    while true {
      guard mkdir(partial, 0o755) == 0 || errno == EEXIST else { throw Failure.system(partial, "create") }
      let descriptor = open(partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
      if descriptor < 0 && errno == ENOENT { continue }
      guard descriptor >= 0 else {
        throw Failure(.cannotCreate, partial, "is in the way and no folder", remedy: "remove it")
      }
      guard let lock = try FileLock(descriptor, of: partial) else { throw busy(partial) }
      // Otherwise another writer has published or removed the folder meanwhile.
      if lock.isNamed(partial) { return lock }
    }
  }

  private static func busy(_ path: String) -> Failure {
    Failure(
      .temporaryFailure, path, "another process is writing this folder",
      remedy: "wait for it to end, then run this again")
  }

  private static func move(_ partial: String, _ path: String) throws {
    guard rename(partial, path) == 0 else { throw Failure.system(path, "rename \(partial) to it") }
  }

  /// Puts the new folder in the place of the old one, in one step where the file system can.
  /// - Returns: whether the old one has the new one's name now; it is removed otherwise.
  private static func exchange(_ new: String, _ old: String) throws -> Bool {
    if sid_exchange(new, old) == 0 { return true }
    if errno == ENOENT {
      // It has gone meanwhile.
      try move(new, old)
      return false
    }
    guard [EINVAL, ENOSYS, ENOTSUP, EPERM].contains(errno) else { throw Failure.system(old, "replace") }
    let aside = "\(new).\(UInt64.random(in: 0...UInt64.max))"
    guard rename(old, aside) == 0 else { throw Failure.system(old, "rename") }
    guard rename(new, old) == 0 else {
      let failure = Failure.system(old, "rename \(new) to it")
      rename(aside, old)
      throw failure
    }
    try? FolderTree.remove(aside)
    return false
  }
}
