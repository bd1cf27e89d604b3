import Compute

/// The random numbers of one image's augmentation, in the order of the official pipeline.
///
/// A chance is uniform in [0, 1): the transformation happens where it is below its probability.
public struct AugmentationDraws: Sendable {
  /// Whether the image is mirrored left to right.
  public var xFlip = false
  /// The chance of that.
  public var xFlipChance: Float = 0
  /// Whether the image is mirrored top to bottom.
  public var yFlip = false
  /// The chance of that.
  public var yFlipChance: Float = 0
  /// The normal from which the scale follows.
  public var scale: Float = 0
  /// The chance of the scaling.
  public var scaleChance: Float = 0
  /// The uniform from which the angle of the rotation follows.
  public var rotation: Float = 0
  /// The chance of the rotation.
  public var rotationChance: Float = 0
  /// The normal from which the stretching follows.
  public var anisotropy: Float = 0
  /// The uniform from which its direction follows.
  public var anisotropyAngle: Float = 0
  /// The chance of the stretching.
  public var anisotropyChance: Float = 0
  /// The chance of a direction other than along the axes.
  public var anisotropyAngleChance: Float = 0
  /// The normals from which the translation follows.
  public var translation: (x: Float, y: Float) = (0, 0)
  /// The chance of the translation.
  public var translationChance: Float = 0

  /// All zero.
  public init() {}
}

/// Augmentations as a function of seed and image alone.
///
/// The official trainer pads the images of one accumulation round on one device by what the farthest of them needs. Here a
/// round is the whole batch of an iteration, however small the micro-batches are: they only bound the memory.
public struct SeededAugmentations: Sendable {
  let generator: Philox
  let pipeline: AugmentationPipeline
  let batch: Int
  let imageShape: [Int]
  let hasReal: Bool

  /// - Parameters:
  ///   - seed: of the whole training.
  ///   - probability: of each transformation.
  ///   - batch: images of an iteration.
  ///   - imageShape: height, width, channels.
  ///   - hasReal: whether real images beside those of the training are augmented as well.
  public init(seed: UInt64, probability: Float, batch: Int, imageShape: [Int], hasReal: Bool = false) {
    generator = Philox(seed: seed)
    pipeline = AugmentationPipeline(probability: probability)
    (self.batch, self.imageShape, self.hasReal) = (batch, imageShape, hasReal)
  }

  /// What is done to the images `images` of the iteration that begins after `imagesSeen`.
  public func augmentation(imagesSeen: Int, images: Range<Int>) -> Augmentation {
    augmentation(imagesSeen, images, purpose: 0x200)
  }

  /// What is done to the real images beside them, by draws of their own; nil where the training has none.
  public func realAugmentation(imagesSeen: Int, images: Range<Int>) -> Augmentation? {
    hasReal ? augmentation(imagesSeen, images, purpose: 0x202) : nil
  }

  private func augmentation(_ imagesSeen: Int, _ images: Range<Int>, purpose: UInt32) -> Augmentation {
    pipeline((0..<batch).map { draws(image: imagesSeen + $0, purpose: purpose) }, imageShape: imageShape)
      .images(images)
  }

  package func draws(image: Int, purpose: UInt32) -> AugmentationDraws {
    let normals = generator.normals(4, stream: (UInt64(image), purpose))
    let uniforms = generator.uniforms(11, stream: (UInt64(image), purpose + 1))
    var d = AugmentationDraws()
    (d.xFlip, d.xFlipChance) = (uniforms[0] < 0.5, uniforms[1])
    (d.yFlip, d.yFlipChance) = (uniforms[2] < 0.5, uniforms[3])
    (d.scale, d.scaleChance) = (normals[0], uniforms[4])
    (d.rotation, d.rotationChance) = (uniforms[5], uniforms[6])
    (d.anisotropy, d.anisotropyAngle) = (normals[1], uniforms[7])
    (d.anisotropyChance, d.anisotropyAngleChance) = (uniforms[8], uniforms[9])
    (d.translation, d.translationChance) = ((normals[2], normals[3]), uniforms[10])
    return d
  }
}
