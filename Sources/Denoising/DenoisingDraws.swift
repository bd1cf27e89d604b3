import Compute
import Images
import Synchronization
import TrainingData

/// The images and random numbers of one micro-batch of a denoiser's training.
public struct DenoisingDraws: Sendable {
  /// Images as networks take them, [N, H, W, C].
  public var images: Tensor
  /// [N, labelDim], one-hot; nil for unconditional networks.
  public var classLabels: Tensor?
  /// One number an image, from which its noise level follows, as `DenoisingTraining.sigma` takes it.
  public var levels: [Float]
  /// Unit normals, [N, H, W, C].
  public var noise: Tensor
  /// The key of all dropout masks of the step and the index of the first image within it; nil for none.
  public var dropout: (key: UInt64, firstImage: Int)?
  /// What is done to the images; nil for nothing.
  public var augmentation: Augmentation?

  /// All of a micro-batch.
  public init(
    images: Tensor, classLabels: Tensor?, levels: [Float], noise: Tensor,
    dropout: (key: UInt64, firstImage: Int)? = nil,
    augmentation: Augmentation? = nil
  ) {
    (self.images, self.classLabels, self.levels, self.noise) = (images, classLabels, levels, noise)
    (self.dropout, self.augmentation) = (dropout, augmentation)
  }
}

/// Where a denoiser's training takes its images and random numbers from; tests put recorded ones in its place.
public protocol DenoisingDrawSource {
  /// - Parameters:
  ///   - imagesSeen: images of all iterations before this one.
  ///   - images: the images of this micro-batch, counted within the iteration.
  /// - Throws: a `Failure` where an image cannot be read.
  func draws(imagesSeen: Int, images: Range<Int>) throws -> DenoisingDraws
}

/// The images of a data set in the official trainer's order, and random numbers as a function of seed, image and purpose
/// alone: nothing to save, nothing to replay, and the same for every size of micro-batch.
///
/// The order has no epochs: see `ShuffledWalk`. The image at place p of the training is the walk's p-th.
public final class DatasetDraws: DenoisingDrawSource {
  private let images: StoredImages
  private let labels: [Int]?
  private let classes: Int
  private let drawsNormals: Bool
  private let augmentations: SeededAugmentations?
  private let generator: Philox
  private let walk: Mutex<ShuffledWalk>

  /// - Parameters:
  ///   - images: those of the data set; they are read as they are needed.
  ///   - labels: the class of each image, where the network has classes.
  ///   - classes: number of classes of the network.
  ///   - training: which noise levels are drawn.
  ///   - settings: seed, batch and augmentation.
  public init(
    _ images: StoredImages, labels: [Int]?, classes: Int, training: DenoisingTraining, settings: TeacherSettings
  ) {
    (self.images, self.labels, self.classes) = (images, labels, classes)
    drawsNormals = training.drawsNormals
    augmentations =
      settings.augment > 0
      ? SeededAugmentations(
        seed: settings.seed, probability: settings.augment, batch: settings.batch,
        imageShape: [images.shape.height, images.shape.width, images.shape.channels]) : nil
    generator = Philox(seed: settings.seed)
    walk = Mutex(ShuffledWalk(count: images.count, seed: settings.seed))
  }

  private enum Purpose: UInt32 {
    case level = 0x10
    case noise = 0x11
  }

  /// The numbers, in the data set, of the images of a micro-batch.
  public func indices(imagesSeen: Int, images: Range<Int>) -> [Int] {
    walk.withLock { $0.indices(imagesSeen + images.lowerBound..<imagesSeen + images.upperBound) }
  }

  /// The images and draws of a micro-batch, each image's a function of its place alone.
  public func draws(imagesSeen: Int, images range: Range<Int>) throws -> DenoisingDraws {
    func stream(_ image: Int, _ purpose: Purpose) -> (UInt64, UInt32) { (UInt64(imagesSeen + image), purpose.rawValue) }
    let numbers = indices(imagesSeen: imagesSeen, images: range)
    let images = try images.normalizedImages(numbers)
    let size = images.count / range.count
    let noise = generator.normals(size, streams: range.map { stream($0, .noise) })
    let levels = range.map { image in
      drawsNormals
        ? generator.normals(1, stream: stream(image, .level))[0] : generator.uniform(stream: stream(image, .level))
    }
    // Mixed once more: keys that differ by the counter's own step would give shifted copies of one mask.
    let words = generator(
      SIMD4(UInt32(truncatingIfNeeded: imagesSeen), UInt32(truncatingIfNeeded: imagesSeen >> 32), 0x10, .max))
    return DenoisingDraws(
      images: images,
      classLabels: classes > 0 ? labels.map { all in oneHot(numbers.map { all[$0] }, classes: classes) } : nil,
      levels: levels, noise: noise.reshaped(images.shape),
      dropout: (UInt64(words[0]) << 32 | UInt64(words[1]), range.lowerBound),
      augmentation: augmentations?.augmentation(imagesSeen: imagesSeen, images: range))
  }
}
