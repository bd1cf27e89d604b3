import Diagnostics
import Files
import Foundation
import JobFolder

/// The lock on a job's folder, which a stage's processes hold through a descriptor they inherit.
///
/// The kernel lets go of it when the last of them has ended, however that came about, so whoever gets the lock knows that
/// nobody writes in the folder any more.
enum JobLock {
  private static let name = JobFolderNames.lock

  /// Takes the lock of a job's folder; nil where others hold it.
  static func take(folder: String) throws -> FileLock? { try FileLock("\(folder)/\(name)", forWriting: true) }

  /// The processes that hold the lock of a job's folder.
  ///
  /// `/proc/locks` names the process that took the lock, a daemon that is gone by then; those that inherited it are found
  /// by their descriptors: the same file, and a lock on it.
  /// - Throws: a `Failure` where the processes cannot be listed now.
  static func holders(folder: String) throws -> [pid_t] {
    var lock = stat()
    guard stat("\(folder)/\(name)", &lock) == 0 else {
      if errno == ENOENT { return [] }
      throw Failure.system("\(folder)/\(name)", "look at it")
    }
    let files = DiskFileSystem()
    // Processes of others, and those that end meanwhile, cannot be looked at; they do not hold it.
    return try files.names(in: "/proc").compactMap { pid_t($0) }.filter { process in
      guard process != getpid(), let descriptors = try? files.names(in: "/proc/\(process)/fd") else { return false }
      return descriptors.contains { number in
        var entry = stat()
        guard stat("/proc/\(process)/fd/\(number)", &entry) == 0 else { return false }
        guard entry.st_ino == lock.st_ino, entry.st_dev == lock.st_dev else { return false }
        let details = try? String(contentsOfFile: "/proc/\(process)/fdinfo/\(number)", encoding: .utf8)
        return details?.contains("FLOCK") == true
      }
    }
  }

  /// Tells the processes that hold the lock of a job's folder to end.
  /// - Parameter hard: by SIGKILL.
  static func stopHolders(folder: String, hard: Bool) throws -> [pid_t] {
    let processes = try holders(folder: folder)
    for process in processes { kill(process, hard ? SIGKILL : SIGTERM) }
    return processes
  }
}
