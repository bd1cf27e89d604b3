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
      case S_IFREG: try body(stored) { try self.read(name, atMost: EntryKind.neededBytes).bytes }
      // What is hidden counts as one, and is not looked into.
      case _ where Sidecar.reason(name) != nil: try body(stored) { [] }
      case S_IFDIR: try list(prefix: name.bytes + [UInt8(ascii: "/")], depth: depth + 1, body)
      default:
        throw Failure(
          .dataError, subject(name), "neither a file nor a folder; links are not followed", remedy: "store a copy of it"
        )
      }
    }
  }

  func content(of entry: (name: ByteName, place: Int), maximumBytes: Int) throws -> [UInt8] {
    let (bytes, size) = try read(entry.name, atMost: maximumBytes)
    guard size <= maximumBytes else {
      throw Failure(
        .dataError, subject(entry.name), "the file has \(size) bytes, at most \(maximumBytes) are expected of an image")
    }
    return bytes
  }

  /// The first bytes of a file, and how many it has.
  private func read(_ name: ByteName, atMost limit: Int) throws -> (bytes: [UInt8], size: Int) {
    let shown = subject(name)
    let descriptor = path(of: name).withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW) }
    guard descriptor >= 0 else { throw Failure.input(shown) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw Failure(.dataError, shown, "it was a file and is none any more")
    }
    var bytes = [UInt8](repeating: 0, count: min(limit, Int(status.st_size)))
    var done = 0
    while done < bytes.count {
      let n = bytes.withUnsafeMutableBytes {
        Foundation.read(descriptor, $0.baseAddress.map { $0 + done }, $0.count - done)
      }
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else {
        throw n < 0 ? Failure.system(shown, "read") : Failure(.ioError, shown, "the file shrank while it was read")
      }
      done += n
    }
    return (bytes, Int(status.st_size))
  }
}
