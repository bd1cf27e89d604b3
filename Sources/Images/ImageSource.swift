/// Images of one shape that are read in order.
public protocol ImageSource: AnyObject {
  /// The number of images.
  var count: Int { get }
  /// Height, width and channels of each image.
  var shape: ImageShape { get }
  /// Reads images; fastest where ranges follow each other.
  /// - Returns: bytes in image, row, column, channel order.
  /// - Throws: a `Failure` naming the file and image that cannot be read.
  func images(_ range: Range<Int>) throws -> [UInt8]
}

/// The images of a data set in EDM's layout.
public final class DatasetImages: ImageSource {
  private let dataset: ImageDataset
  /// The next image; an archive is read forward only.
  private var reader: (position: Int, images: ImageReader)?

  /// - Throws: a `Failure` where the file is no such data set.
  public init(_ path: String) throws { dataset = try ImageDataset(contentsOf: path) }

  /// The number of images.
  public var count: Int { dataset.count }
  /// Height, width and channels of each image.
  public var shape: ImageShape { dataset.shape }

  /// Reads images.
  public func images(_ range: Range<Int>) throws -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "images \(range) of \(count)")
    if reader?.position != range.lowerBound {
      reader = (range.lowerBound, try dataset.images(from: range.lowerBound))
    }
    let pixels = try reader?.images.next(range.count) ?? []
    reader?.position = range.upperBound
    return pixels
  }
}
