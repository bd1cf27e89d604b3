import Diagnostics
import Files
import Foundation

/// The lock of a job's folder on a disk that several machines share.
enum SharedLock {
  /// Takes it; nil where others hold it, on whichever machine.
  /// - Throws: a `Failure` with status `configuration` where its mount options say that other machines do not see its locks,
  ///   `cannotCreate` where it has none.
  static func take(folder: String) throws -> FileLock? {
    if let problem = problem(folder) { throw problem }
    return try JobLock.take(folder: folder)
  }

  private static let remedy =
    "put the spool on one whose locks every node sees: NFS 4 without local_lock, or Lustre with the mount option flock"

  /// What is wrong with a disk as far as its mount options say it: locks that every machine keeps for itself.
  static func problem(_ folder: String) -> Failure? {
    guard let mounts = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) else { return nil }
    guard let mount = mount(of: folder, in: mounts) else { return nil }
    let local = ["local_lock=all", "local_lock=flock", "nolock", "localflock"].first { mount.options.contains($0) }
    return local.map {
      Failure(
        .configuration, folder, "lies on \(mount.kind) mounted with \($0): its locks do not reach other machines",
        remedy: remedy)
    }
  }

  /// The file system that a path lies on, by `/proc/self/mountinfo`.
  static func mount(of path: String, in text: String) -> (kind: String, options: Set<String>)? {
    var best: (length: Int, kind: String, options: Set<String>)?
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count >= 6, let dash = fields.firstIndex(of: "-"), fields.count > dash + 3 else { continue }
      let point = fields[4].replacing("\\040", with: " ")
      guard path == point || path.hasPrefix(point == "/" ? "/" : point + "/"), point.utf8.count >= best?.length ?? 0
      else {
        continue
      }
      let options = Set((fields[5].split(separator: ",") + fields[dash + 3].split(separator: ",")).map(String.init))
      best = (point.utf8.count, String(fields[dash + 1]), options)
    }
    return best.map { ($0.kind, $0.options) }
  }
}
