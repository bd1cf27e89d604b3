import Diagnostics
import Foundation

/// A data set of images in EDM's layout: a zip archive of PNG files and a `dataset.json`.
///
/// `dataset.json` holds `labels`: a list of `[file name, integer]`, or null. The images' order is that of their names'
/// bytes, wherever they lie in the archive.
public struct ImageDataset: Sendable {
  /// The archive.
  public let path: String
  /// The images' names, sorted.
  public let names: [String]
  /// Height, width and channels of every image.
  public let shape: ImageShape
  /// The class of each image, in the order of `names`; nil where the data set has no classes.
  public let labels: [Int]?
  /// Whether the images lie in the archive in the order of their names.
  private let isStoredInOrder: Bool

  /// The number of images.
  public var count: Int { names.count }

  /// The number of classes: the largest label and one; 0 without labels.
  public var labelDimension: Int { labels.map { ($0.max() ?? -1) + 1 } ?? 0 }

  /// Reads the table of contents, the labels and the first image's shape.
  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is no such data set.
  public init(contentsOf path: String) throws {
    let archive = try ArchiveReader(path, format: .zip)
    var stored: [String] = []
    var labelFile: [UInt8]?
    var firstShape: (name: String, shape: ImageShape)?
    while let entry = try archive.next() {
      if entry.name == "dataset.json" {
        labelFile = try archive.content(of: entry, maximumBytes: 1 << 28)
        continue
      }
      guard Self.isImage(entry.name) else { continue }
      guard entry.name.lowercased().hasSuffix(".png") else {
        throw Failure(
          .dataError, path, "image \(entry.name) is no PNG file", remedy: "make the data set again with PNG images")
      }
      if firstShape == nil {
        let content = try archive.content(of: entry, maximumBytes: Self.maximumImageBytes)
        firstShape = (entry.name, try PNGDecoder.shape(of: content, subject: "\(path)/\(entry.name)"))
      }
      stored.append(entry.name)
    }
    guard let firstShape else {
      throw Failure(.dataError, path, "no PNG image in the zip archive: a data set in EDM's layout is expected")
    }
    let names = stored.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    if let twice = zip(names, names.dropFirst()).first(where: { $0 == $1 }) {
      throw Failure(.dataError, path, "two entries are named \(twice.0)")
    }
    self.path = path
    self.names = names
    shape = firstShape.shape
    isStoredInOrder = names == stored
    if let labelFile {
      // Each label names its image: a table that is much longer than the names is none.
      let limit = 4096 + names.reduce(0) { $0 + 2 * $1.utf8.count + 64 }
      guard labelFile.count <= limit else {
        throw Failure(
          .dataError, path,
          "dataset.json has \(labelFile.count) bytes, at most \(limit) are expected of \(names.count) images")
      }
    }
    labels = try labelFile.flatMap { try Self.labels($0, names: names, path: path) }
  }

  /// The images from one on, in order.
  ///
  /// An archive that stores them in order is streamed; another is held in memory, up to 1 GiB of PNG files.
  /// - Parameter first: the index of the first image to be read.
  public func images(from first: Int = 0) throws -> ImageReader {
    try ImageReader(dataset: self, first: first, isStreamed: isStoredInOrder)
  }

  static let maximumImageBytes = 1 << 26

  static func isImage(_ name: String) -> Bool {
    let suffix = name.lowercased().split(separator: ".").last.map(String.init) ?? ""
    return ["png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff", "gif"].contains(suffix)
  }

  private static func labels(_ json: [UInt8], names: [String], path: String) throws -> [Int]? {
    let expectation = "dataset.json: `labels` is expected to be null or a list of [file name, integer]"
    guard let root = try? JSONSerialization.jsonObject(with: Data(json)) as? [String: Any] else {
      throw Failure(.dataError, path, "dataset.json is not a JSON object")
    }
    guard let value = root["labels"], !(value is NSNull) else { return nil }
    guard let list = value as? [Any] else { throw Failure(.dataError, path, expectation) }
    var classes: [String: Int] = [:]
    for item in list {
      guard let pair = item as? [Any], pair.count == 2, let name = pair[0] as? String,
        let number = pair[1] as? NSNumber,
        let label = Int(exactly: number.doubleValue), (0..<maximumLabels).contains(label)
      else { throw Failure(.dataError, path, expectation) }
      classes[name.replacingOccurrences(of: "\\", with: "/")] = label
    }
    return try names.map { name in
      guard let label = classes[name] else {
        throw Failure(.dataError, path, "dataset.json has no label for image \(name)")
      }
      return label
    }
  }

  private static let maximumLabels = 1 << 20
}

/// Reads the images of a data set one after another.
public final class ImageReader {
  private let dataset: ImageDataset
  private let archive: ArchiveReader
  private var position: Int
  /// The PNG files of an archive that does not store them in order.
  private var held: [String: [UInt8]] = [:]
  private let isStreamed: Bool

  init(dataset: ImageDataset, first: Int, isStreamed: Bool) throws {
    precondition((0...dataset.count).contains(first), "image \(first) of \(dataset.count)")
    self.dataset = dataset
    self.isStreamed = isStreamed
    position = first
    archive = try ArchiveReader(dataset.path, format: .zip)
    if isStreamed {
      for _ in 0..<first { _ = try nextImageEntry() }
    } else {
      try holdAll()
    }
  }

  /// The next images.
  ///
  /// - Parameter maximumCount: how many at most.
  /// - Returns: bytes in image, row, column, channel order; fewer images than asked for at the end, and none after it.
  /// - Throws: a `Failure` with status `dataError` naming the image that is damaged or has another shape than the first.
  public func next(_ maximumCount: Int) throws -> [UInt8] {
    let count = min(maximumCount, dataset.count - position)
    var pixels: [UInt8] = []
    pixels.reserveCapacity(count * dataset.shape.count)
    for _ in 0..<count {
      let name = dataset.names[position]
      let subject = "\(dataset.path)/\(name)"
      let image = try PNGDecoder.decode(try content(name), subject: subject)
      guard image.shape == dataset.shape else {
        throw Failure(.dataError, subject, "the image has \(image.shape), the first one has \(dataset.shape)")
      }
      pixels += image.pixels
      position += 1
    }
    return pixels
  }

  private func content(_ name: String) throws -> [UInt8] {
    if !isStreamed { return held[name] ?? [] }
    let entry = try nextImageEntry()
    guard let entry, entry.name == name else {
      throw Failure(.ioError, dataset.path, "the file changed while it was read")
    }
    return try archive.content(of: entry, maximumBytes: ImageDataset.maximumImageBytes)
  }

  private func nextImageEntry() throws -> ArchiveReader.Entry? {
    while let entry = try archive.next() {
      if ImageDataset.isImage(entry.name) { return entry }
    }
    return nil
  }

  private func holdAll() throws {
    var total = 0
    while let entry = try nextImageEntry() {
      guard (0...ImageDataset.maximumImageBytes).contains(entry.sizeBytes) else {
        throw Failure(
          .dataError, dataset.path,
          "entry \(entry.name) declares \(entry.sizeBytes) bytes, at most \(ImageDataset.maximumImageBytes) are expected"
        )
      }
      total += entry.sizeBytes
      guard total <= 1 << 30 else {
        throw Failure(
          .dataError, dataset.path, "the images are not stored in the order of their names and exceed 1 GiB",
          remedy: "make the archive again with its entries sorted")
      }
      held[entry.name] = try archive.content(of: entry, maximumBytes: ImageDataset.maximumImageBytes)
    }
  }
}
