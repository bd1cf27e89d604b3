import CLinux
import Diagnostics
import Foundation

/// The file system of the machine.
package struct DiskFileSystem: FileSystem, Sendable {
  package init() {}

  /// The names in a folder, sorted. Those that are not UTF-8 have no place in a string and are left out.
  package func names(in folder: String) throws -> [String] { try rawNames(in: folder).compactMap(\.text).sorted() }

  /// The names in a folder, unsorted, also those that are not UTF-8.
  package func rawNames(in folder: String) throws -> [ByteName] { try rawNames(in: ByteName(folder)) }

  /// The same of a folder whose own path need not be text.
  package func rawNames(in folder: ByteName) throws -> [ByteName] {
    // A link in its place is not followed: what stands beneath is removed, counted and moved by these names.
    let descriptor = folder.withCString { open($0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
    guard descriptor >= 0 else { throw Failure.system(folder.description, "read the folder") }
    return try ByteName.names(inFolderAt: descriptor, folder: folder.description)
  }

  package func entry(_ path: String) throws -> FileEntry? { try entry(ByteName(path)) }

  /// The same of what need not have a text for its path.
  package func entry(_ path: ByteName) throws -> FileEntry? {
    var status = stat()
    guard path.withCString({ lstat($0, &status) }) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw Failure.system(path.description, "look at it")
    }
    let kind: FileEntry.Kind =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .file
      case S_IFDIR: .folder
      default: .other
      }
    let modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    return FileEntry(
      kind: kind, size: Int(status.st_size), modified: modified, owner: status.st_uid, links: Int(status.st_nlink),
      inode: UInt64(status.st_ino))
  }

  package func createFolder(_ path: String) throws {
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw Failure.system(path, "create the folder") }
  }

  package func read(_ path: String, limitBytes: Int) throws -> [UInt8] {
    // Without O_NONBLOCK a pipe that nobody writes to would hold the daemon for ever.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
    if descriptor < 0 && errno == ELOOP { throw Failure(.dataError, path, "is a symbolic link; expected a plain file") }
    guard descriptor >= 0 else { throw Failure.system(path, "open") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Failure.system(path, "look at it") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw Failure(.dataError, path, "is not a plain file") }
    guard status.st_size <= limitBytes else {
      throw Failure(.dataError, path, "is \(status.st_size) bytes; the limit is \(limitBytes)")
    }
    // One byte more than it had a moment ago, so that its end is seen.
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size) + 1)
    var filled = 0
    while true {
      if filled == bytes.count {
        guard filled <= limitBytes else { break }
        bytes += [UInt8](repeating: 0, count: min(bytes.count, limitBytes + 1 - filled))
      }
      let count = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress?.advanced(by: filled), $0.count - filled)
      }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw Failure.system(path, "read") }
      if count == 0 { break }
      filled += count
    }
    guard filled <= limitBytes else { throw Failure(.dataError, path, "is larger than \(limitBytes) bytes, the limit") }
    return Array(bytes.prefix(filled))
  }

  package func isReadable(_ path: String) -> Bool {
    faccessat(AT_FDCWD, path, R_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0
  }

  package func write(_ path: String, _ bytes: [UInt8], isFlushed: Bool) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { throw Failure.system(path, "create") }
    defer { close(descriptor) }
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written)
      }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw Failure.system(path, "write") }
      written += count
    }
    guard !isFlushed || fsync(descriptor) == 0 else { throw Failure.system(path, "flush to disk") }
  }

  package func rename(_ path: String, to newPath: String) throws {
    guard Glibc.rename(path, newPath) == 0 else { throw Failure.system(path, "rename to \(newPath)") }
  }

  package func remove(_ path: String) throws {
    guard unlink(path) == 0 || errno == ENOENT else { throw Failure.system(path, "remove") }
  }

  package func removeFolder(_ path: String) throws {
    guard rmdir(path) == 0 || errno == ENOENT else { throw Failure.system(path, "remove the folder") }
  }

  package func removeTree(_ folder: String) throws { try FolderTree.remove(folder) }

  package func synchronize(_ folder: String) throws { try AtomicFile.synchronize(folder) }

  package func synchronizeAll(_ folder: String) throws {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure.system(folder, "open") }
    defer { close(descriptor) }
    guard sid_syncfs(descriptor) == 0 else { throw Failure.system(folder, "flush to disk") }
  }
}
