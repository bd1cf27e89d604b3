import Checkpoints
import Diagnostics
import Files
import Foundation
import HDF5
import Images

/// Images to be scored, read in order.
///
/// A samples file (`sid-samples`), also one that names its shards; a data set zip in EDM's layout; an npz with `arr_0`; a
/// tar of PNG images; a folder of PNG images, flat or nested; or a folder of such files, which are shards in the order of
/// their names.
public final class ImageCollection {
  /// The file or folder.
  public let path: String
  private let source: any ImageSource
  /// Every file that holds images, by its name inside the folder.
  private let files: [(name: String, path: String)]

  /// The number of images.
  public var count: Int { source.count }
  /// Height, width and channels of each image.
  public var shape: ImageShape { source.shape }

  /// What a file is, by its content.
  private enum Kind {
    case samples, dataset, numpy, tar
  }

  /// Opens a file or folder; its content says which it is.
  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it holds no images.
  public init(_ path: String) throws {
    self.path = path
    var status = stat()
    guard stat(path, &status) == 0 else { throw Failure.input(path) }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      (source, files) = try Self.open(path)
      return
    }
    let shards = try Self.shards(path)
    guard shards.isEmpty else {
      let opened = try shards.map { (path: $0, content: try Self.open($0)) }
      if let master = opened.first(where: { $0.content.files.count > 1 }) {
        throw Failure(
          .dataError, path, "\(master.path) in it names its shards itself",
          remedy: "give that file instead of the folder")
      }
      source = try ShardedImages(opened.map { ($0.path, $0.content.source) })
      files = opened.flatMap(\.content.files)
      return
    }
    let folder = try ImageFolder(path)
    source = folder
    files = folder.names.map { ($0, path + "/" + $0) }
  }

  /// Reads images; fastest where ranges follow each other.
  /// - Returns: bytes in image, row, column, channel order.
  public func images(_ range: Range<Int>) throws -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "images \(range) of \(count)")
    let pixels = try source.images(range)
    guard pixels.count == range.count * shape.count else {
      throw Failure(.software, path, "\(pixels.count) bytes for \(range.count) images")
    }
    return pixels
  }

  /// A digest of everything that is read: of the one file, or of the names and digests of all.
  public func sha256() throws -> String {
    if files.count == 1 { return try SHA256.hexDigest(ofFile: files[0].path) }
    let lines = try files.map { "\($0.name)\n\(try SHA256.hexDigest(ofFile: $0.path))\n" }
    return try SHA256.hexDigest(of: Data(lines.joined().utf8))
  }

  private static func open(_ path: String) throws -> (source: any ImageSource, files: [(name: String, path: String)]) {
    func named(_ paths: [String]) -> [(name: String, path: String)] {
      paths.map { (($0 as NSString).lastPathComponent, $0) }
    }
    switch kind(path) {
    case .dataset: return (try DatasetImages(path), named([path]))
    case .numpy: return (try NumpyImages(path), named([path]))
    case .tar: return (try TarImages(path), named([path]))
    case .samples:
      let samples = try SampleImages(path)
      return (samples, named([path] + samples.shardPaths))
    }
  }

  private static func kind(_ path: String) -> Kind {
    guard let file = FileHandle(forReadingAtPath: path) else { return .samples }
    defer { try? file.close() }
    let beginning = [UInt8]((try? file.read(upToCount: 512)) ?? Data())
    if beginning.starts(with: [0x50, 0x4B]) { return (try? NumpyFile.isArchive(path)) == true ? .numpy : .dataset }
    return TarImages.matches(beginning) ? .tar : .samples
  }

  /// The shards that a folder holds: its files of one suffix that holds images, in the order of their names.
  private static func shards(_ folder: String) throws -> [String] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
      throw Failure(.noInput, folder, "cannot list the folder")
    }
    let shards = names.filter { name in
      !name.hasPrefix(".") && ["tar", "h5", "zip", "npz"].contains((name.lowercased() as NSString).pathExtension)
    }
    let kinds = Set(shards.map { ($0.lowercased() as NSString).pathExtension }).sorted()
    guard kinds.count <= 1 else {
      throw Failure(
        .dataError, folder,
        "the folder holds files of the kinds \(kinds.joined(separator: " and ")); shards of one kind "
          + "are expected")
    }
    return shards.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { folder + "/" + $0 }
  }
}
