import Diagnostics
import Foundation
import HDF5
import Images

/// Images to be scored, read in order: a samples file (`sid-samples`) or a data set in EDM's layout.
public final class ImageCollection {
  /// The file.
  public let path: String
  /// The number of images.
  public let count: Int
  /// Height, width and channels of each image.
  public let shape: ImageShape
  private let content: Content
  /// The next image of a zip archive, which is read forward only.
  private var reader: (position: Int, images: ImageReader)?

  private enum Content {
    case samples(HDF5Dataset)
    case archive(ImageDataset)
  }

  /// Opens a file; its content says which of the two it is.
  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is neither.
  public init(_ path: String) throws {
    self.path = path
    if Self.isZip(path) {
      let dataset = try ImageDataset(contentsOf: path)
      content = .archive(dataset)
      (count, shape) = (dataset.count, dataset.shape)
    } else {
      let file = try HDF5File.open(path)
      try file.requireFormat("sid-samples")
      let images = try file.root.dataset("images")
      guard images.shape.count == 4, images.elementType == .unsignedInteger(bytes: 1),
        !images.shape.dropFirst().contains(0)
      else {
        throw Failure(.dataError, path, "`images` of shape \(images.shape); bytes of shape [N, H, W, C] are expected")
      }
      content = .samples(images)
      count = images.shape[0]
      shape = ImageShape(height: images.shape[1], width: images.shape[2], channels: images.shape[3])
    }
  }

  /// Reads images; fastest where ranges follow each other.
  /// - Returns: bytes in image, row, column, channel order.
  public func images(_ range: Range<Int>) throws -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "images \(range) of \(count)")
    switch content {
    case .samples(let dataset): return try dataset.read(UInt8.self, rows: range)
    case .archive(let dataset):
      if reader?.position != range.lowerBound {
        reader = (range.lowerBound, try dataset.images(from: range.lowerBound))
      }
      let pixels = try reader?.images.next(range.count) ?? []
      reader?.position = range.upperBound
      return pixels
    }
  }

  private static func isZip(_ path: String) -> Bool {
    guard let file = FileHandle(forReadingAtPath: path) else { return false }
    defer { try? file.close() }
    return (try? file.read(upToCount: 2)) == Data([0x50, 0x4B])
  }
}
