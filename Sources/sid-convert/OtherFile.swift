import Diagnostics
import Foundation

/// Outputs that are inputs at the same time.
enum OtherFile {
  /// Refuses to write over an input, which `--overwrite` would otherwise allow.
  /// - Throws: a `Failure` with status `usage`.
  static func require(_ input: String, _ output: String) throws {
    var wanted = stat()
    var existing = stat()
    guard stat(input, &wanted) == 0, stat(output, &existing) == 0 else { return }
    guard wanted.st_ino != existing.st_ino || wanted.st_dev != existing.st_dev else {
      throw Failure(.usage, "--output", "is the same file as the input \(input)", remedy: "name another file")
    }
  }

  /// Refuses to write into a folder that is read: the output would be taken for a part of it.
  /// - Throws: a `Failure` with status `usage`.
  static func requireOutside(_ folder: String, _ output: String) throws {
    guard let inner = realPath((output as NSString).deletingLastPathComponent), let outer = realPath(folder) else {
      return
    }
    guard (inner + "/").hasPrefix(outer == "/" ? outer : outer + "/") else { return }
    var status = stat()
    guard stat(outer, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return }
    throw Failure(
      .usage, "--output", "\(output) lies in the folder \(folder), which is read", remedy: "name a file elsewhere")
  }

  private static func realPath(_ path: String) -> String? {
    guard let found = realpath(path.isEmpty ? "." : path, nil) else { return nil }
    defer { free(found) }
    return String(cString: found)
  }
}
