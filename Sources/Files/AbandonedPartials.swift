import Diagnostics
import Foundation

extension AtomicFile {
  /// Removes what writers that were killed have left of files and folders: `PATH.partial`, and what they put beside it under
  /// names that begin so.
  ///
  /// What another process is writing stays: it holds the lock. Call it when the files themselves are published.
  /// - Throws: a `Failure` naming what cannot be removed.
  public static func removeAbandonedPartials(of paths: some Sequence<String>) throws {
    let names = Dictionary(grouping: paths, by: { folder(of: $0) }).mapValues { paths in
      Set(paths.map { ($0 as NSString).lastPathComponent })
    }
    for (folder, names) in names {
      for entry in try ByteName.names(inFolder: folder).compactMap(\.text) {
        guard let end = entry.range(of: partialSuffix), names.contains(String(entry[..<end.lowerBound])),
          end.upperBound == entry.endIndex || entry[end.upperBound] == "."
        else { continue }
        try removeUnlessLocked(folder + "/" + entry)
      }
    }
  }

  private static func removeUnlessLocked(_ path: String) throws {
    // Neither follows a link nor waits for the other end of a pipe.
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    if descriptor < 0 && errno == ENOENT { return }
    // A link in its place is none of ours.
    if descriptor < 0 && errno == ELOOP { return }
    guard descriptor >= 0 else { throw Failure.system(path, "open") }
    // A writer that took the lock before may have published it, and another one begun anew.
    guard let lock = try FileLock(descriptor, of: path), lock.isNamed(path) else { return }
    var status = stat()
    guard fstat(lock.descriptor, &status) == 0 else { throw Failure.system(path, "look at it") }
    if status.st_mode & S_IFMT == S_IFDIR {
      try FolderTree.remove(path)
    } else if unlink(path) != 0 && errno != ENOENT {
      throw Failure.system(path, "remove")
    }
    _ = consume lock
  }

  /// Removes a file, if it is there.
  /// - Returns: whether it was.
  /// - Throws: a `Failure` naming the file.
  @discardableResult
  public static func remove(_ path: String) throws -> Bool {
    if unlink(path) == 0 { return true }
    guard errno == ENOENT else { throw Failure.system(path, "remove") }
    return false
  }
}
