import Training

/// What determines the training of a teacher, by the names of EDM's implementation (Karras et al. 2022, arXiv 2206.00364);
/// the defaults are its trainer's.
public struct TeacherSettings: Sendable, Equatable {
  /// Images per iteration.
  public var batch = 512
  /// Images per forward and backward pass; the gradients of a batch are accumulated.
  public var microbatch = 64
  /// The most groups of micro-batches whose gradients meet in a tree, and so the most ranks.
  public var gradientGroups = 16
  /// Learning rate behind the ramp.
  public var learningRate = 1e-3
  /// Thousands of images over which the learning rate rises from 0; 0 for none.
  public var learningRateRampKimg = 10_000.0
  /// From here the learning rate falls linearly, in thousands of images; nil keeps it.
  public var learningRateDecayStartKimg: Double?
  /// The share of the learning rate that is left at the end.
  public var learningRateDecayFinal = 0.0
  /// Half-life of the average, in thousands of images.
  public var emaHalfLifeKimg = 500.0
  /// Half-life as a share of the images seen so far, while that is shorter; nil for none, as where a network is transferred.
  public var emaRampupRatio: Double? = 0.05
  /// Dropout probability in training.
  public var dropout: Float = 0.13
  /// Probability of the augmentations; 0 leaves the pipeline out.
  public var augment: Float = 0.12
  /// Factor of the loss.
  public var lossScale: Float = 1
  /// Images to train on, in thousands.
  public var durationKimg = 200_000.0
  /// Whether the network computes inner results again for the gradient instead of keeping them. Changes no number.
  public var checkpointsActivations = false
  /// Seed of every random number of the training.
  public var seed: UInt64 = 0

  /// Adam's decay of the first moment.
  public static let beta1 = 0.9
  /// Adam's decay of the second moment.
  public static let beta2 = 0.999
  /// Added to the root of the second moment.
  public static let epsilon = 1e-8

  /// The official trainer's defaults.
  public init() {}

  /// Images to train on: whole batches.
  public var durationImages: Int { Int((durationKimg * 1000 / Double(batch)).rounded(.up)) * batch }

  /// How a batch is cut.
  public var cut: MicroBatches {
    MicroBatches(batch: batch, microbatch: microbatch, maximumGroups: gradientGroups)
  }

  /// The course of the learning rate.
  public var schedule: Schedule {
    let ramped = Schedule.constant(learningRate).ramped(images: learningRateRampKimg * 1000)
    guard let start = learningRateDecayStartKimg else { return ramped }
    return ramped.decaying(.linear, fromKimg: start, toKimg: durationKimg, final: learningRateDecayFinal)
  }

  /// The average of the network.
  public var average: MovingAverage {
    MovingAverage(halfLifeImages: emaHalfLifeKimg * 1000, rampupRatio: emaRampupRatio)
  }
}
