import Diagnostics
import Foundation

/// Where a program will write, looked at before it reads or computes anything.
///
/// What would stop the output at the very end is found out at the beginning: a name that is empty, a folder that is missing or
/// may not be written to, a folder or a dangling link that stands at the name.
public struct OutputPlace: Sendable {
  /// What will stand there.
  public enum Kind: Sendable {
    case file
    /// A folder, which replaces one that is there.
    case folder
  }

  private let path: String
  private let option: String
  private let kind: Kind

  /// - Parameters:
  ///   - path: the file or folder to be written.
  ///   - option: how the user named it, for messages: `--output`, or the name of an argument.
  ///   - kind: what will stand there.
  public init(_ path: String, option: String = "--output", kind: Kind = .file) {
    (self.path, self.option, self.kind) = (path, option, kind)
  }

  /// Refuses a name that cannot be one, without a look at the disk.
  /// - Throws: a `Failure` with status `usage`.
  public func requireName() throws {
    guard !path.isEmpty else {
      throw Failure(.usage, option, "is empty, the name of a \(kind) is expected", remedy: "name the \(kind) to write")
    }
    guard kind == .folder || path.utf8.last != UInt8(ascii: "/") else {
      throw Failure(.usage, option, "\(path) names a folder, a file is expected", remedy: "name a file in it")
    }
  }

  /// Refuses a place where the output could not be published.
  /// - Throws: a `Failure`: `usage` for a name that cannot be one, `cannotCreate` naming what is in the way.
  public func require() throws {
    try requireName()
    let name = path.utf8.count > 1 ? path.trimmingTrailingSlashes : path
    try AtomicFile.requireFolder(of: name)
    let folder = AtomicFile.folder(of: name)
    guard access(folder, W_OK | X_OK) == 0 else {
      throw Failure(
        .cannotCreate, name, "nothing can be written to its folder: \(String(cString: strerror(errno)))",
        remedy: "choose another folder, or make it writable")
    }
    for part in [name, AtomicFile.partial(of: name)] {
      var status = stat()
      guard lstat(part, &status) == 0 else {
        guard errno == ENOENT else {
          throw Failure(.cannotCreate, part, "cannot be its name: \(String(cString: strerror(errno)))")
        }
        continue
      }
      try requireRoom(part, isPartial: part != name, status)
    }
  }

  private func requireRoom(_ part: String, isPartial: Bool, _ found: stat) throws {
    func isInTheWay(_ what: String) -> Failure {
      Failure(.cannotCreate, part, "\(what) is in the way", remedy: "remove it, or choose another name")
    }
    var target = found
    if found.st_mode & S_IFMT == S_IFLNK {
      if isPartial { throw isInTheWay("a symbolic link") }
      guard stat(part, &target) == 0 else { throw isInTheWay("a symbolic link to what does not exist") }
    }
    // A finished folder takes the place of what is there.
    if kind == .folder, !isPartial { return }
    let type = target.st_mode & S_IFMT
    guard type == (kind == .folder ? S_IFDIR : S_IFREG) else {
      throw isInTheWay(type == S_IFDIR ? "a folder" : type == S_IFREG ? "a file" : "what is neither file nor folder")
    }
  }
}

extension String {
  /// The path of a folder without slashes at its end.
  public var trimmingTrailingSlashes: String {
    var path = self
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }
}
