import Compute
import Images
import TrainingData

/// Where the real images of the fake score's step come from, those that a discriminator tells from generated ones.
///
/// The class labels of a step are those of its real images: whoever makes a training takes both from one data set.
public protocol RealImageSource {
  /// Real images, [N, H, W, C], bytes by 127.5 less 1.
  ///
  /// - Parameters:
  ///   - imagesSeen: images of all iterations before this one.
  ///   - images: the images of this micro-batch, counted within the iteration.
  func realImages(imagesSeen: Int, images: Range<Int>) throws -> Tensor
}

/// Real images of a data set, in the official trainer's order.
public struct DatasetImages: RealImageSource {
  private let images: StoredImages
  private let order: DatasetOrder

  /// - Parameters:
  ///   - images: those of the data set; they are read as they are needed.
  ///   - order: the order of that data set, which its labels share.
  public init(_ images: StoredImages, order: DatasetOrder) { (self.images, self.order) = (images, order) }

  /// Reads images.
  /// - Throws: a `Failure` naming the image that is damaged.
  public func realImages(imagesSeen: Int, images range: Range<Int>) throws -> Tensor {
    try images.normalizedImages(order.indices(.fakeScore, imagesSeen: imagesSeen, images: range))
  }
}
