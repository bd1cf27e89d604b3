import Compute
import Foundation
import TrainingData

/// Which network a step trains.
public enum DistillationPhase: String, Codable, Sendable {
  case fakeScore, generator
}

/// The random numbers of one micro-batch.
public struct StepDraws: Sendable {
  /// Unit normals from which the generator makes its images, [N, H, W, C].
  public var latents: Tensor
  /// [N, labelDim], one-hot; nil for unconditional networks.
  public var classLabels: Tensor?
  /// One number an image, from which its noise level follows: a unit normal in the fake-score step, uniform in [0, 1) in
  /// the generator step.
  public var levels: [Float]
  /// Unit normals that are added to the images, [N, H, W, C].
  public var noise: Tensor
  /// The key of all dropout masks of the step and the index of the first image within it.
  public var dropout: (key: UInt64, firstImage: Int)?
  /// What is done to the images before the fake score sees them; nil for nothing.
  public var augmentation: Augmentation?
  /// What is drawn once more for the real images beside them, where a discriminator sees those.
  public var real: (dropout: (key: UInt64, firstImage: Int)?, augmentation: Augmentation?)

  /// All draws of a micro-batch.
  public init(
    latents: Tensor, classLabels: Tensor?, levels: [Float], noise: Tensor,
    dropout: (key: UInt64, firstImage: Int)? = nil, augmentation: Augmentation? = nil,
    real: (dropout: (key: UInt64, firstImage: Int)?, augmentation: Augmentation?) = (nil, nil)
  ) {
    (self.latents, self.classLabels, self.levels, self.noise) = (latents, classLabels, levels, noise)
    (self.dropout, self.augmentation, self.real) = (dropout, augmentation, real)
  }
}

/// Where a training takes its random numbers from; tests put recorded ones in its place.
public protocol DrawSource {
  /// - Parameters:
  ///   - phase: which step of the iteration.
  ///   - imagesSeen: images of all iterations before this one.
  ///   - images: the images of this micro-batch, counted within the iteration.
  func draws(_ phase: DistillationPhase, imagesSeen: Int, images: Range<Int>) -> StepDraws
}

/// Random numbers as a function of seed, image and purpose alone: nothing to save, nothing to replay, and the same for
/// every size of micro-batch.
public struct SeededDraws: DrawSource, Sendable {
  let generator: Philox
  let seed: UInt64
  let imageShape: [Int]
  let labels: any LabelSource
  let augmentations: SeededAugmentations?

  /// - Parameters:
  ///   - seed: of the whole training.
  ///   - imageShape: height, width, channels.
  ///   - labels: where class labels come from.
  ///   - augmentations: what is done to the fake score's images; nil for nothing.
  public init(
    seed: UInt64, imageShape: [Int], labels: any LabelSource, augmentations: SeededAugmentations? = nil
  ) {
    generator = Philox(seed: seed)
    self.seed = seed
    self.imageShape = imageShape
    self.labels = labels
    self.augmentations = augmentations
  }

  private enum Purpose: UInt32 {
    case latents, level, noise
  }

  /// The draws of a micro-batch, each image's a function of its number alone.
  public func draws(_ phase: DistillationPhase, imagesSeen: Int, images: Range<Int>) -> StepDraws {
    let step: UInt32 = phase == .fakeScore ? 0 : 1
    let size = imageShape.reduce(1, *)
    func stream(_ image: Int, _ purpose: Purpose) -> (UInt64, UInt32) {
      (UInt64(imagesSeen + image), purpose.rawValue << 1 | step)
    }
    func normals(_ purpose: Purpose) -> Tensor {
      generator.normals(size, streams: images.map { stream($0, purpose) }).reshaped([images.count] + imageShape)
    }
    let levels = images.map { image in
      phase == .fakeScore
        ? generator.normals(1, stream: stream(image, .level))[0] : generator.uniform(stream: stream(image, .level))
    }
    // Mixed once more: keys that differ by the counter's own step would give shifted copies of one mask.
    func dropout(_ pass: UInt32) -> (key: UInt64, firstImage: Int) {
      let words = generator(
        SIMD4(UInt32(truncatingIfNeeded: imagesSeen), UInt32(truncatingIfNeeded: imagesSeen >> 32), pass, .max))
      return (UInt64(words[0]) << 32 | UInt64(words[1]), images.lowerBound)
    }
    let augmentations = phase == .fakeScore ? augmentations : nil
    return StepDraws(
      latents: normals(.latents), classLabels: labels.labels(phase, imagesSeen: imagesSeen, images: images),
      levels: levels,
      noise: normals(.noise), dropout: dropout(step),
      augmentation: augmentations?.augmentation(imagesSeen: imagesSeen, images: images),
      real: (dropout(2), augmentations?.realAugmentation(imagesSeen: imagesSeen, images: images)))
  }
}

/// Where the class labels of a training come from.
public protocol LabelSource: Sendable {
  /// One-hot labels of the images `images` of an iteration, [N, labelDim]; nil for unconditional networks.
  func labels(_ phase: DistillationPhase, imagesSeen: Int, images: Range<Int>) -> Tensor?
}

/// Classes drawn uniformly, for each image on its own.
public struct UniformLabels: LabelSource {
  let generator: Philox
  let classes: Int

  /// - Parameters:
  ///   - seed: of the whole training.
  ///   - classes: number of classes; 0 for none.
  public init(seed: UInt64, classes: Int) {
    generator = Philox(seed: seed)
    self.classes = classes
  }

  /// One-hot labels, each image's a function of its number alone.
  public func labels(_ phase: DistillationPhase, imagesSeen: Int, images: Range<Int>) -> Tensor? {
    guard classes > 0 else { return nil }
    let tag: UInt32 = 0x100 | (phase == .fakeScore ? 0 : 1)
    return oneHot(
      images.map { generator.integer(below: classes, stream: (UInt64(imagesSeen + $0), tag)) }, classes: classes)
  }
}
