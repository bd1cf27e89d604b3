import Diagnostics
import Files

/// A data set of images in EDM's layout: a zip archive of images and a `dataset.json`.
///
/// `dataset.json` holds `labels`: a list of `[file name, integer]`, or null. It is read where labels are asked for and not
/// before. The images' order is that of their names' bytes, wherever they lie in the archive.
public struct ImageDataset {
  /// The archive.
  public let path: String
  /// Its images.
  public let images: StoredImages
  private let archive: ZipContainer

  /// The number of images.
  public var count: Int { images.count }

  /// Reads the table of contents and the first image's shape.
  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is no such data set.
  public init(contentsOf path: String) throws {
    self.path = path
    archive = try ZipContainer(path)
    images = try StoredImages(archive)
  }

  /// The class of each image, in the order of the images; nil where the data set has no classes.
  /// - Throws: a `Failure` with status `dataError` naming the entry that is no class, or the image that has none.
  public func labels() throws -> [Int]? {
    guard let place = archive.entry(named: "dataset.json") else { return nil }
    let json = try archive.content(
      of: (ByteName("dataset.json"), place), maximumBytes: LabelTable.maximumBytes(images.names))
    guard let classes = try LabelTable(json, of: path).classes else { return nil }
    return try images.names.map { name in
      guard let label = classes[name] else { throw LabelTable.missing(name, in: path) }
      return label
    }
  }
}
