import Training
import TrainingData

/// What determines a distillation, by the paper's names (Zhou et al. 2024, arXiv 2404.04057); the defaults are the
/// official trainer's.
public struct DistillationSettings: Codable, Sendable, Equatable {
  /// Images per iteration.
  public var batch = 512
  /// Images per forward and backward pass; the gradients of a batch are accumulated.
  public var microbatch = 64
  /// The most groups of micro-batches whose gradients meet in a tree, and so the most ranks.
  public var gradientGroups = 16
  /// Learning rate of the fake score.
  public var fakeScoreLearningRate = 1e-5
  /// Learning rate of the generator.
  public var generatorLearningRate = 1e-5
  /// Adam's beta1 of the generator; the fake score's is 0.
  public var generatorBeta1 = 0.0
  /// Adam's epsilon, of both networks.
  public var adamEpsilon = 1e-8
  /// Weight of the second term of the generator's loss.
  public var alpha: Float = 1.2
  /// Largest time of the generator's loss, in thousandths of the noise schedule.
  public var tmax = 800.0
  /// Noise level at which the generator is evaluated.
  public var initSigma: Float = 2.5
  /// Half-life of the generator's average, in thousands of images.
  public var emaHalfLifeKimg = 500.0
  /// Half-life as a share of the images seen so far, while that is shorter.
  public var emaRampupRatio = 0.05
  /// From here both learning rates fall linearly, in thousands of images; nil keeps them.
  public var learningRateDecayStartKimg: Double?
  /// The share of the learning rates that is left at the end.
  public var learningRateDecayFinal = 0.0
  /// Dropout probability of the trained networks.
  public var dropout: Float = 0.13
  /// Probability of the augmentations of the fake score's images; 0 leaves the pipeline out.
  public var augment: Float = 0.12
  /// Mean of the logarithm of the noise levels at which the fake score learns (EDM's P_mean).
  public var fakeScorePMean: Float = -1.2
  /// Standard deviation of that logarithm (EDM's P_std).
  public var fakeScorePStd: Float = 1.2
  /// Factor of the fake score's loss.
  public var fakeScoreLossScale: Float = 1
  /// Factor of the generator's loss.
  public var generatorLossScale: Float = 100
  /// Images to train on, in thousands.
  public var durationKimg = 200_000.0
  /// Whether the networks compute inner results again for the gradient instead of keeping them. Changes no number.
  public var checkpointsActivations = false
  /// Seed of every random number of the training.
  public var seed: UInt64 = 0
  /// The adversarial loss beside SiD's; nil for SiD alone.
  public var adversarial: AdversarialSettings?

  /// The published settings with the official trainer's defaults.
  public init() {}

  /// Images to train on: whole batches.
  public var durationImages: Int { Int((durationKimg * 1000 / Double(batch)).rounded(.up)) * batch }

  /// How a batch is cut.
  public var cut: MicroBatches {
    MicroBatches(batch: batch, microbatch: microbatch, maximumGroups: gradientGroups)
  }

  /// The course of a learning rate.
  public func schedule(_ base: Double) -> Schedule {
    guard let start = learningRateDecayStartKimg else { return .constant(base) }
    return .constant(base).decaying(
      .linear, fromKimg: start, toKimg: durationKimg, final: learningRateDecayFinal)
  }

  /// The average of the generator.
  public var average: MovingAverage {
    MovingAverage(halfLifeImages: emaHalfLifeKimg * 1000, rampupRatio: emaRampupRatio)
  }
}

extension SeededAugmentations {
  /// The augmentations of a distillation; nil where it has none.
  /// - Parameter imageShape: height, width, channels.
  public init?(_ settings: DistillationSettings, imageShape: [Int]) {
    guard settings.augment > 0 else { return nil }
    self.init(
      seed: settings.seed, probability: settings.augment, batch: settings.batch, imageShape: imageShape,
      hasReal: settings.adversarial != nil)
  }
}
