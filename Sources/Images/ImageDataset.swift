import Diagnostics
import Files
import Foundation

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
    // Each label names its image: a table that is much longer than the names is none.
    let limit = 4096 + images.names.reduce(0) { $0 + 2 * $1.bytes.count + 64 }
    let json = try archive.content(of: (ByteName("dataset.json"), place), maximumBytes: limit)
    guard let root = try? JSONSerialization.jsonObject(with: Data(Self.withoutMark(json))) as? [String: Any] else {
      throw Failure(.dataError, path, "dataset.json is not a JSON object")
    }
    guard let value = root["labels"], !(value is NSNull) else { return nil }
    let expectation = "`labels` is expected to be null or a list of [file name, integer]"
    guard let list = value as? [Any] else { throw Failure(.dataError, path, "dataset.json: \(expectation)") }
    var classes: [ByteName: Int] = [:]
    for (index, item) in list.enumerated() {
      guard let pair = item as? [Any], pair.count == 2, let text = pair[0] as? String else {
        throw Failure(.dataError, path, "dataset.json: label \(index + 1) is no pair; \(expectation)")
      }
      // As the official reader, which takes names that Windows wrote.
      let name = ByteName(text.utf8.map { $0 == UInt8(ascii: "\\") ? UInt8(ascii: "/") : $0 })
      guard let label = Self.label(pair[1]) else {
        throw Failure(
          .dataError, path,
          "dataset.json: the label of \(name) is \(Self.shown(pair[1])); a class from 0 to \(Self.maximumLabels - 1) is "
            + "expected", remedy: "give a data set whose labels are class numbers")
      }
      classes[name] = label
    }
    return try images.names.map { name in
      guard let label = classes[name] else {
        throw Failure(
          .dataError, path, "dataset.json has no label for image \(name)", remedy: "give every image a label, or none")
      }
      return label
    }
  }

  private static let maximumLabels = 1 << 20

  private static func label(_ value: Any) -> Int? {
    guard let number = value as? NSNumber, let label = Int(exactly: number.doubleValue) else { return nil }
    return (0..<maximumLabels).contains(label) ? label : nil
  }

  private static func shown(_ value: Any) -> String {
    if let list = value as? [Any] { return "a list of \(list.count)" }
    return String("\(value)".prefix(40))
  }

  /// The same without the mark that some editors put before UTF-8.
  private static func withoutMark(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
    bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
  }
}
