import Diagnostics
import Files
import Foundation

/// A folder, flat or nested, as a container of images.
final class FolderContainer: ImageContainer {
  let path: String
  let word = "folder"
  let isSorted = true

  private static let maximumDepth = 32

  init(_ path: String) { self.path = path }

  func forEachEntry(_ body: (StoredEntry, () throws -> [UInt8]) throws -> Void) throws {
    try list(prefix: [], depth: 0, body)
  }

  /// The path of a file inside it.
  func path(of name: ByteName) -> ByteName { ByteName(Array((path + "/").utf8) + name.bytes) }

  private func list(prefix: [UInt8], depth: Int, _ body: (StoredEntry, () throws -> [UInt8]) throws -> Void) throws {
    guard depth <= Self.maximumDepth else {
      throw Failure(.dataError, subject(ByteName(prefix)), "folders inside folders more than \(Self.maximumDepth) deep")
    }
    let folder = prefix.isEmpty ? ByteName(path) : path(of: ByteName(prefix))
    for entry in try ByteName.names(inFolder: folder).sorted() {
      let name = ByteName(prefix + entry.bytes)
      var status = stat()
      guard path(of: name).withCString({ lstat($0, &status) }) == 0 else {
        guard errno == ENOENT else { throw Failure.input(subject(name)) }
        throw Failure(.ioError, subject(name), "the folder changed while it was listed")
      }
      let stored = StoredEntry(name: name, form: .file, place: 0)
      switch status.st_mode & S_IFMT {
      case S_IFREG: try body(stored) { try self.open(name).bytes(from: 0, count: EntryKind.neededBytes) }
      // What is hidden counts as one, and is not looked into.
      case let form where Sidecar(name, isFolder: form == S_IFDIR)?.root == name: try body(stored) { [] }
      case S_IFDIR: try list(prefix: name.bytes + [UInt8(ascii: "/")], depth: depth + 1, body)
      default:
        throw Failure(
          .dataError, subject(name), "neither a file nor a folder; links are not followed", remedy: "store a copy of it"
        )
      }
    }
  }

  func content(of entry: (name: ByteName, place: Int), maximumBytes: Int) throws -> [UInt8] {
    let file = try open(entry.name)
    guard file.size <= maximumBytes else {
      throw Failure(
        .dataError, file.path, "the file has \(file.size) bytes, at most \(maximumBytes) are expected of an image")
    }
    return try file.allBytes(from: 0, count: file.size)
  }

  private func open(_ name: ByteName) throws -> InputFile {
    try InputFile(path(of: name), shownAs: subject(name), expected: "an image", followsLinks: false)
  }
}
