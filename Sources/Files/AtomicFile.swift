import Diagnostics
import Foundation

/// A file that appears under its final name complete or not at all.
///
/// The content goes to `PATH.partial`, held under an exclusive lock, is flushed to the disk, and takes the final name
/// by one rename, which is flushed too. A `.partial` file that no process has locked is debris of a killed writer and
/// is written anew.
public enum AtomicFile {
  /// Writes a file through `body` and publishes it.
  ///
  /// - Parameters:
  ///   - path: the final name.
  ///   - body: writes the whole content to the path it is given (`PATH.partial`, which exists and is empty).
  /// - Returns: what `body` returns.
  /// - Throws: what `body` throws, after removing the partial file; a `Failure` naming the file where the system
  ///   refuses, with status `temporaryFailure` where another process is writing the same file or the disk is full.
  public static func publish<Result>(_ path: String, _ body: (_ partialPath: String) throws -> Result) throws -> Result
  {
    let partial = partial(of: path)
    let lock = try claim(partial)
    let result: Result
    do {
      result = try body(partial)
    } catch {
      unlink(partial)
      _ = consume lock
      throw error
    }
    try synchronize(partial)
    guard rename(partial, path) == 0 else {
      let failure = Failure.system(path, "rename \(partial) to it")
      unlink(partial)
      _ = consume lock
      throw failure
    }
    try synchronize(folder(of: path))
    _ = consume lock
    return result
  }

  /// Publishes `data` as the whole content of a file.
  public static func publish(_ path: String, data: Data) throws {
    try publish(path) { partial in
      let descriptor = open(partial, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw Failure.system(partial, "open for writing") }
      defer { close(descriptor) }
      try data.withUnsafeBytes { bytes in
        var written = 0
        while written < bytes.count {
          let n = write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
          if n < 0 && errno == EINTR { continue }
          guard n >= 0 else { throw Failure.system(partial, "write") }
          written += n
        }
      }
    }
  }

  /// The folder that holds `path`, in a form that can be opened.
  public static func folder(of path: String) -> String {
    let folder = path.parentFolder
    return folder.isEmpty ? "." : folder
  }

  /// The name that an output has until it is complete.
  public static func partial(of path: String) -> String { path + partialSuffix }

  /// What a small file is called that is written anew and replaces the one of this name.
  package static func temporary(of name: String) -> String { ".\(name).tmp" }

  /// What is put behind a name until the file is complete.
  static let partialSuffix = ".partial"

  /// The number of a file or folder on its disk, which it keeps when it is renamed.
  public static func inode(of path: String) throws -> UInt64 {
    var status = stat()
    guard lstat(path, &status) == 0 else { throw Failure.system(path, "look at it") }
    return UInt64(status.st_ino)
  }

  /// Refuses an output whose folder does not exist, before any work is done for it.
  public static func requireFolder(of path: String) throws {
    var status = stat()
    guard stat(folder(of: path), &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw Failure(.cannotCreate, path, "its folder does not exist", remedy: "create the folder first")
    }
  }

  /// Flushes a file, or a folder's entries, to the disk.
  public static func synchronize(_ path: String) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure.system(path, "open") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw Failure.system(path, "flush to disk") }
  }

  /// Creates the partial file, or empties it, and locks it.
  private static func claim(_ partial: String) throws -> FileLock {
    while true {
      let descriptor = open(partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
      guard descriptor >= 0 else {
        let failure = Failure.system(partial, "create")
        // A folder that is missing is a defect of the output path, not of an input.
        throw failure.status == .noInput
          ? Failure(.cannotCreate, partial, "its folder does not exist", remedy: "create the folder first") : failure
      }
      guard let lock = try FileLock(descriptor, of: partial) else {
        throw Failure(
          .temporaryFailure, partial, "another process is writing this file",
          remedy: "wait for it to end, then run this again")
      }
      // Otherwise another writer has published it meanwhile.
      if lock.isNamed(partial) {
        ftruncate(lock.descriptor, 0)
        return lock
      }
    }
  }
}
