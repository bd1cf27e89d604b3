import CLinux
import Diagnostics
import Files
import Foundation

/// Files beneath a folder, found in a way that nobody who renames folders or makes links meanwhile can lead out of it.
///
/// Every component is opened by itself, beneath the descriptor of the folder before it and without following links; links
/// are read and their components taken in turn, and ".." goes back to the descriptor that the walk came from. The kernel's
/// openat2 with RESOLVE_BENEATH means the same, but a service under RestrictSUIDSGID= does not get it.
enum BeneathFolder {
  private static let mostLinks = 40
  private static let mostFolders = 200

  /// A descriptor that stands for a file and cannot read it (O_PATH), for the caller to close.
  /// - Parameters:
  ///   - path: relative.
  ///   - root: a descriptor of the folder.
  ///   - rootName: what errors call the folder.
  /// - Returns: nil where there is no such file.
  /// - Throws: a `Failure` with status `dataError` where the way leads out of the folder, or through one that may not be
  ///   searched; others where the system is short of something.
  static func find(_ path: String, root: Int32, rootName: String) throws -> Int32? {
    var folders: [Int32] = []
    defer { for folder in folders { close(folder) } }
    var rest = components(Array(path.utf8))
    var links = 0
    while let component = rest.popLast() {
      if component == Array("..".utf8) {
        guard let folder = folders.popLast() else { throw leaves(path, rootName) }
        close(folder)
        continue
      }
      let found = openat(folders.last ?? root, component.map { CChar(bitPattern: $0) } + [0], flags)
      guard found >= 0 else {
        if errno == ENOENT || errno == ENOTDIR { return nil }
        if errno == ENAMETOOLONG { throw Failure(.dataError, path, "has a name that is too long") }
        if errno == EACCES {
          throw Failure(
            .dataError, path,
            "lies in a folder that \(Users.shown(geteuid())), for whom the stages run, may not search",
            remedy: "make it searchable for the group: chmod g+x")
        }
        throw Failure.system(path, "look for it")
      }
      switch try kind(of: found, path) {
      case S_IFLNK:
        defer { close(found) }
        links += 1
        guard links <= mostLinks else { throw Failure(.dataError, path, "passes too many symbolic links") }
        guard let target = target(of: found) else { return nil }
        guard target.first != UInt8(ascii: "/") else { throw leaves(path, rootName) }
        rest += components(target)
      case S_IFDIR where folders.count < mostFolders:
        folders.append(found)
      default:
        if rest.isEmpty { return found }
        close(found)
        return nil
      }
    }
    // A folder: what it is, is for the caller to see.
    return fcntl(folders.last ?? root, F_DUPFD_CLOEXEC, 0)
  }

  private static var flags: Int32 { sid_path_only() | O_NOFOLLOW | O_CLOEXEC }

  private static func leaves(_ path: String, _ rootName: String) -> Failure {
    Failure(
      .dataError, path, "is or passes a symbolic link that is absolute or leaves the input root \(rootName)",
      remedy: "make it a relative link within the root, or copy the file there")
  }

  /// The last component first.
  private static func components(_ path: [UInt8]) -> [[UInt8]] {
    path.split(separator: UInt8(ascii: "/")).map(Array.init).filter { $0 != Array(".".utf8) }.reversed()
  }

  private static func kind(of descriptor: Int32, _ path: String) throws -> mode_t {
    var entry = stat()
    guard fstat(descriptor, &entry) == 0 else {
      let failure = Failure.system(path, "look at it")
      close(descriptor)
      throw failure
    }
    return entry.st_mode & S_IFMT
  }

  private static func target(of link: Int32) -> [UInt8]? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlinkat(link, "", &buffer, buffer.count)
    guard count > 0, count < buffer.count else { return nil }
    return buffer[..<count].map { UInt8(bitPattern: $0) }
  }
}
