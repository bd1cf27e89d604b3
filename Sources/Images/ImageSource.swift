/// Images of one shape that are read in order.
public protocol ImageSource: AnyObject {
  /// The number of images.
  var count: Int { get }
  /// Height, width and channels of each image.
  var shape: ImageShape { get }
  /// What stood beside the images and was left out.
  var leftOut: LeftOut { get }
  /// Reads images; fastest where ranges follow each other.
  /// - Returns: bytes in image, row, column, channel order.
  /// - Throws: a `Failure` naming the file and image that cannot be read.
  func images(_ range: Range<Int>) throws -> [UInt8]
}
