import Archives
import Checkpoints
import Diagnostics
import Files
import Foundation
import HDF5
import Images

/// Images to be scored, read in order.
///
/// A samples file (`sid-samples`), also one that names its shards; a data set zip in EDM's layout; an npz with `arr_0`; a
/// tar of images; a folder of images, flat or nested; or a folder of such files, which are shards in the order of their
/// names. What stands beside the images is left out and counted, or refused where it may be images too.
public final class ImageCollection {
  /// The file or folder.
  public let path: String
  private let source: any ImageSource
  private let parts: Parts

  /// The number of images.
  public var count: Int { source.count }
  /// Height, width and channels of each image.
  public var shape: ImageShape { source.shape }
  /// What stood beside the images and was left out.
  public var leftOut: LeftOut { source.leftOut }

  /// What was left out, as a line for the user; nil where nothing was.
  public var note: String? { leftOut.note(path, count: count) }

  /// What holds the bytes that are read.
  private enum Parts {
    /// Files, by their names inside the folder.
    case files([(name: String, path: String)])
    /// A folder with a file for each image.
    case folder(StoredImages)
  }

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
      let opened = try Self.open(path)
      (source, parts) = (opened.source, .files(opened.files))
      return
    }
    switch try FolderOfImages(path) {
    case .images(let images): (source, parts) = (images, .folder(images))
    case .shards(let paths, let leftOut):
      let opened = try paths.map { path in
        try Interruption.check()
        return (path: path, content: try Self.open(path))
      }
      if let master = opened.first(where: { $0.content.files.count > 1 }) {
        throw Failure(
          .dataError, path, "\(master.path) in it names its shards itself",
          remedy: "give that file instead of the folder")
      }
      source = try ShardedImages(opened.map { ($0.path, $0.content.source) }, beside: leftOut)
      parts = .files(opened.flatMap(\.content.files))
    }
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
    let files: [(name: ByteName, path: ByteName)]
    switch parts {
    case .files(let named): files = named.map { (ByteName($0.name), ByteName($0.path)) }
    case .folder(let images): files = images.names.map { ($0, ByteName(Array((path + "/").utf8) + $0.bytes)) }
    }
    if files.count == 1 { return try SHA256.hexDigest(ofFile: files[0].path) }
    var lines = Data()
    for file in files {
      lines.append(contentsOf: file.name.bytes)
      lines.append(contentsOf: "\n\(try SHA256.hexDigest(ofFile: file.path))\n".utf8)
    }
    return try SHA256.hexDigest(of: lines)
  }

  private static func open(_ path: String) throws -> (source: any ImageSource, files: [(name: String, path: String)]) {
    func named(_ paths: [String]) -> [(name: String, path: String)] {
      paths.map { (($0 as NSString).lastPathComponent, $0) }
    }
    switch try kind(path) {
    case .dataset: return (try StoredImages(zip: path), named([path]))
    case .numpy: return (try NumpyImages(path), named([path]))
    case .tar: return (try StoredImages(tar: path), named([path]))
    case .samples:
      let samples = try SampleImages(path)
      return (samples, named([path] + samples.shardPaths))
    }
  }

  private static func kind(_ path: String) throws -> Kind {
    let expected = "a file of images (samples in HDF5, zip, npz, tar) or a folder"
    let beginning = try InputFile.beginning(of: path, expected: expected, count: FileGuess.neededBytes)
    if beginning.starts(with: [0x50, 0x4B]) { return (try? NumpyFile.isArchive(path)) == true ? .numpy : .dataset }
    if StoredImages.isTar(beginning) { return .tar }
    guard FileGuess(beginning)?.kind != "an HDF5 file", let guess = FileGuess(ofFile: path) else { return .samples }
    let isPicture = StoredImages.isPicture(beginning)
    throw Failure(
      .dataError, path, "\(expected) is expected; this is \(guess.kind)",
      remedy: isPicture ? "give the folder that holds the images" : guess.remedy)
  }
}
