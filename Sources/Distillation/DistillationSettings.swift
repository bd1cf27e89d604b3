/// What determines a distillation, by the paper's names (Zhou et al. 2024, arXiv 2404.04057); the defaults are the
/// official trainer's.
public struct DistillationSettings: Codable, Sendable, Equatable {
  /// Images per iteration.
  public var batch = 512
  /// Images per forward and backward pass; the gradients of a batch are accumulated.
  public var microbatch = 64
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

  /// The published settings with the official trainer's defaults.
  public init() {}

  /// Images to train on: whole batches.
  public var durationImages: Int { Int((durationKimg * 1000 / Double(batch)).rounded(.up)) * batch }

  /// The factor of both learning rates after `images` images.
  public func learningRateFactor(afterImages images: Int) -> Double {
    guard let start = learningRateDecayStartKimg, durationKimg > start else { return 1 }
    let progress = (Double(images) / 1000 - start) / (durationKimg - start)
    return 1 - (1 - learningRateDecayFinal) * min(max(progress, 0), 1)
  }

  /// The weight of the old average when the average is updated; 0 replaces it.
  ///
  /// beta = 0.5^(batch / max(min(half-life, images * ramp-up), 1e-8)), images counted before the iteration.
  public func emaBeta(beforeImages images: Int) -> Double {
    let halfLife = min(emaHalfLifeKimg * 1000, Double(images) * emaRampupRatio)
    return powerOfHalf(Double(batch) / max(halfLife, 1e-8))
  }
}
