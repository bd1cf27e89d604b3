import Diagnostics
import Foundation

/// Folders with everything in them, by names that need not be text.
public enum FolderTree {
  /// Removes what a folder holds; links are removed, not followed, and no component of a path is looked up twice.
  /// - Parameter keeping: a name in the folder itself that stays.
  /// - Throws: a `Failure` naming what cannot be removed.
  public static func removeContents(of folder: String, keeping kept: ByteName? = nil) throws {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure.system(folder, "read the folder") }
    defer { close(descriptor) }
    try removeContents(descriptor, folder, keeping: kept)
  }

  /// Removes a folder with everything in it; one that is not there is as good as removed.
  /// - Throws: a `Failure` naming what cannot be removed.
  public static func remove(_ folder: String) throws {
    do {
      try removeContents(of: folder)
    } catch let failure as Failure where failure.status == .noInput && access(folder, F_OK) != 0 {
      return
    }
    guard rmdir(folder) == 0 || errno == ENOENT else { throw Failure.system(folder, "remove the folder") }
  }

  private static func removeContents(_ folder: Int32, _ path: String, keeping kept: ByteName? = nil) throws {
    // The name by which this very folder can be listed, whatever stands under its path by now.
    for name in try ByteName.names(inFolder: "/proc/self/fd/\(folder)") where name != kept {
      let shown = "\(path)/\(name)"
      if name.withCString({ unlinkat(folder, $0, 0) }) == 0 || errno == ENOENT { continue }
      guard errno == EISDIR || errno == EPERM else { throw Failure.system(shown, "remove") }
      let code = errno
      let inner = name.withCString { openat(folder, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
      guard inner >= 0 else {
        if errno == ENOENT { continue }
        throw Failure.system(shown, "remove", code: errno == ENOTDIR || errno == ELOOP ? code : errno)
      }
      defer { close(inner) }
      try removeContents(inner, shown)
      guard name.withCString({ unlinkat(folder, $0, AT_REMOVEDIR) }) == 0 || errno == ENOENT else {
        throw Failure.system(shown, "remove the folder")
      }
    }
  }
}
