import Diagnostics
import Foundation

/// A folder of PNG images, flat or nested, in the order of their paths' bytes.
///
/// Names that begin with a dot and `dataset.json` do not count; an image in another format, a link or anything else that
/// is no file is refused, so that no image is left out silently.
public final class ImageFolder: ImageSource {
  /// The folder.
  public let path: String
  /// The images' paths inside the folder, sorted.
  public let names: [String]
  /// Height, width and channels of every image.
  public let shape: ImageShape

  /// The number of images.
  public var count: Int { names.count }

  private static let maximumDepth = 32

  /// Lists the folder and reads the first image's shape.
  /// - Throws: a `Failure`: `noInput` where there is no such folder, `dataError` where it holds no PNG images, or others.
  public init(_ path: String) throws {
    self.path = path
    var names: [String] = []
    try Self.list(path, prefix: "", depth: 0, into: &names)
    names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    guard let first = names.first else { throw Failure(.dataError, path, "no PNG image in the folder") }
    self.names = names
    shape = try PNGDecoder.shape(of: try Self.content(path + "/" + first), subject: path + "/" + first)
  }

  /// Reads images.
  /// - Throws: a `Failure` naming the image that is damaged or has another shape than the first.
  public func images(_ range: Range<Int>) throws -> [UInt8] {
    var pixels: [UInt8] = []
    pixels.reserveCapacity(range.count * shape.count)
    for name in names[range] {
      let subject = path + "/" + name
      let image = try PNGDecoder.decode(try Self.content(subject), subject: subject)
      guard image.shape == shape else {
        throw Failure(.dataError, subject, "the image has \(image.shape), the first one has \(shape)")
      }
      pixels += image.pixels
    }
    return pixels
  }

  private static func list(_ folder: String, prefix: String, depth: Int, into names: inout [String]) throws {
    guard depth <= maximumDepth else {
      throw Failure(.dataError, folder, "folders inside folders more than \(maximumDepth) deep")
    }
    guard let entries = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
      throw Failure(.noInput, folder, "cannot list the folder")
    }
    for entry in entries where !entry.hasPrefix(".") && !(depth == 0 && entry == "dataset.json") {
      let full = folder + "/" + entry
      var status = stat()
      guard lstat(full, &status) == 0 else { throw Failure(.ioError, full, "the folder changed while it was listed") }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: try list(full, prefix: prefix + entry + "/", depth: depth + 1, into: &names)
      case S_IFREG where entry.lowercased().hasSuffix(".png"): names.append(prefix + entry)
      case S_IFREG where !ImageDataset.isImage(entry): continue
      case S_IFREG:
        throw Failure(.dataError, full, "the image is no PNG file", remedy: "make the folder again with PNG images")
      default:
        throw Failure(
          .dataError, full, "neither a file nor a folder; links are not followed", remedy: "store a copy of it")
      }
    }
  }

  /// The bytes of a file, as far as an image may go.
  private static func content(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard descriptor >= 0 else {
      throw Failure(.noInput, path, "cannot open: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_size <= ImageDataset.maximumImageBytes
    else {
      throw Failure(
        .dataError, path, "a PNG file of at most \(ImageDataset.maximumImageBytes) bytes is expected")
    }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var done = 0
    while done < bytes.count {
      let n = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress.map { $0 + done }, $0.count - done) }
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else { throw Failure(.ioError, path, n < 0 ? "cannot read" : "the file shrank while it was read") }
      done += n
    }
    return bytes
  }
}
