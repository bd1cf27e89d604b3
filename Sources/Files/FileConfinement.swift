import CLinux
import Diagnostics
import Foundation

/// The only files that a process will be able to open, whatever names and links lead to others.
///
/// Landlock of the kernel enforces it, in the process and in all it starts, and nothing takes it back. Files that are open
/// already stay open; nothing can be executed, and no symbolic link, pipe, socket or device be made. Modes, owners, times and
/// extended attributes of what can be named are not among what Landlock knows. As far as the kernel's version
/// has it, files elsewhere cannot be truncated (Linux 6.2), TCP ports not be used (6.7) and processes outside not be
/// signalled (6.12). Landlock's rules are described in landlock(7).
public struct FileConfinement: Sendable {
  /// Files and folders that may be read, with all that lies beneath them. What does not exist is passed over.
  public var readable: [String]
  /// Folders beneath which files may be read, made, changed, renamed and removed.
  public var changeable: [String]
  /// Whether TCP ports may be used.
  public var allowsNetwork: Bool

  /// - Parameters:
  ///   - readable: files and folders that may be read.
  ///   - changeable: folders in which files may be changed as well.
  ///   - allowsNetwork: whether TCP ports may be used.
  public init(readable: [String], changeable: [String], allowsNetwork: Bool = false) {
    (self.readable, self.changeable, self.allowsNetwork) = (readable, changeable, allowsNetwork)
  }

  /// Whether the kernel can enforce it: Linux 5.19 or later with Landlock among its security modules, and no filter of system
  /// calls that keeps it from this process.
  ///
  /// The first version of Landlock, of 5.13, forbids every renaming into another folder.
  public static var isSupported: Bool { version >= 2 }

  /// The version of the kernel's Landlock; 0 where there is none.
  public static var version: Int { max(0, Int(sid_landlock_version())) }

  /// Whether the calling thread is the only one of the process; others would not be bound.
  public static var isOnlyThread: Bool {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) == 1
  }

  /// Enforces it for the calling thread and for the threads and processes which it starts from now on.
  /// - Throws: a `Failure` with status `unavailable` where the kernel refuses, or other threads would stay free.
  public func enforce() throws {
    guard Self.isOnlyThread else {
      throw Failure(.unavailable, "Landlock", "other threads of this process run already, which it would not bind")
    }
    let version = sid_landlock_version()
    let rules = sid_landlock_create(version, allowsNetwork ? 1 : 0)
    guard rules >= 0 else { throw Self.refusal("make rules") }
    defer { close(rules) }
    for path in readable { try allow(path, sid_landlock_rights(version, 0), in: rules) }
    for path in changeable { try allow(path, sid_landlock_rights(version, 1), in: rules) }
    guard sid_landlock_enforce(rules) == 0 else { throw Self.refusal("enforce its rules") }
  }

  private func allow(_ path: String, _ rights: UInt64, in rules: Int32) throws {
    let descriptor = open(path, sid_path_only() | O_CLOEXEC)
    if descriptor < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES) { return }
    guard descriptor >= 0 else { throw Failure.system(path, "look at it") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Failure.system(path, "look at it") }
    let isFolder = status.st_mode & S_IFMT == S_IFDIR
    guard sid_landlock_allow(rules, descriptor, isFolder ? rights : rights & sid_landlock_file_rights()) == 0 else {
      throw Self.refusal("allow \(path)")
    }
  }

  private static func refusal(_ action: String) -> Failure {
    Failure(.unavailable, "Landlock", "the kernel does not \(action): \(String(cString: strerror(errno)))")
  }
}
