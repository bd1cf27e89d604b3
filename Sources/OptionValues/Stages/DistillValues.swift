/// Options of `sid-distill`.
public enum DistillValues {
  // What determines the result.
  /// Images per iteration.
  public static let batch = ValueOption.wholeNumber("batch", 1...1 << 24)
  /// Images per forward and backward pass.
  public static let microbatch = ValueOption.wholeNumber("microbatch", 1...Int.max)
  /// Groups of micro-batches whose gradients meet in a tree.
  public static let gradientGroups = ValueOption.wholeNumber("gradient-groups", 1...1 << 16)
  /// Learning rate of the fake score.
  public static let lr = ValueOption.number("lr", .above(0))
  /// Learning rate of the generator.
  public static let glr = ValueOption.number("glr", .above(0))
  /// Adam's beta1 of the generator.
  public static let generatorBeta1 = ValueOption.number("g-beta1", .from(0, below: 1))
  /// Adam's epsilon.
  public static let adamEpsilon = ValueOption.number("adam-eps", .above(0))
  /// Weight of the second term of the generator's loss.
  public static let alpha = ValueOption.single("alpha", .finite)
  /// Largest time of the generator's loss, thousandths of the noise schedule.
  public static let tmax = ValueOption.number("tmax", .above(0, to: 1000))
  /// Noise level at which the generator is evaluated.
  public static let initSigma = ValueOption.single("init-sigma", .above(0))
  /// Half-life of the generator's average, thousands of images.
  public static let emaHalfLifeKimg = ValueOption.number("ema-halflife-kimg", .atLeast(0, orInfinite: true))
  /// Half-life as a share of the images seen so far.
  public static let emaRampupRatio = ValueOption.number("ema-rampup-ratio", .above(0))
  /// Where the learning rates begin to fall, thousands of images.
  public static let lrDecayStartKimg = ValueOption.number("lr-decay-start-kimg", .atLeast(0, orInfinite: true))
  /// The share of the learning rates that is left.
  public static let lrDecayFinal = ValueOption.number("lr-decay-final", .from(0, to: 1))
  /// Dropout probability.
  public static let dropout = ValueOption.single("dropout", .from(0, below: 1))
  /// Probability of the augmentations.
  public static let augment = ValueOption.single("augment", .from(0, to: 1))
  /// Factor of the fake score's loss.
  public static let lossScale = ValueOption.single("loss-scale", .finite)
  /// Factor of the generator's loss.
  public static let generatorLossScale = ValueOption.single("generator-loss-scale", .finite)
  /// Thousands of images to train on.
  public static let durationKimg = ValueOption.number("duration-kimg", .above(0, to: 1e12))
  /// Seed of every random number.
  public static let seed = ValueOption.seed("seed")

  // The adversarial loss.
  /// Factor of the discriminator's loss.
  public static let discriminatorLossScale = ValueOption.single("discriminator-loss-scale", .finite)
  /// Factor of the generator's adversarial loss.
  public static let adversarialLossScale = ValueOption.single("adversarial-loss-scale", .finite)
  /// Where the generator begins to learn, thousands of images.
  public static let generatorStartKimg = ValueOption.number("generator-start-kimg", .from(0, to: 1e12))
  /// Where the adversarial loss joins, thousands of images.
  public static let adversarialStartKimg = ValueOption.number("adversarial-start-kimg", .from(0, to: 1e12))
  /// The largest size of an element of the fake score's gradient.
  public static let gradientClip = ValueOption.single("gradient-clip", .above(0, orInfinite: true))
  /// The images over which a cross-entropy is averaged.
  public static let adversarialGroup = ValueOption.choice("adversarial-group", ["microbatch", "image"])

  // What is measured and saved on the way.
  /// Thousands of images between two evaluations.
  public static let evaluateKimg = ValueOption.number("evaluate-kimg", .above(0, orInfinite: true))
  /// Seeds of the images that are evaluated, drawn as by `RandomConvention.torchCPU`.
  public static let evaluateSeeds = ValueOption.text(
    "evaluate-seeds", .seeds(largest: RandomConvention.torchCPU.largestSeed))
  /// What is measured besides the distance.
  public static let evaluateMetrics = ValueOption.choice("evaluate-metrics", CommonValues.metrics)
  /// The distance that ends the training.
  public static let stopAtFD = ValueOption.number("stop-at-fd", .finite)
  /// Thousands of images between two snapshots, whose names count thousands.
  public static let snapshotKimg = ValueOption.number("snapshot-kimg", .atLeast(1, orInfinite: true))
  /// Thousands of images between two saves of the state.
  public static let stateKimg = ValueOption.number("state-kimg", .above(0, orInfinite: true))
  /// Minutes between two saves of the state.
  public static let stateMinutes = ValueOption.number("state-minutes", .above(0, orInfinite: true))
}

/// How they have to fit each other.
public struct DistillRelations: ValueRelations {
  private let evaluates: Bool
  private let isAdversarial: Bool
  /// Options and inputs of those below that are given, in this order.
  private let given: [String]
  private let digests: [ExpectedDigest]

  private static let inputs = ["features", "reference", "labels", "dataset", "initial-generator"]
  /// Those of them that are read for an evaluation alone.
  private static let inputsOfEvaluation = ["features", "reference"]
  private static let ofAdversarial = [
    "dataset", DistillValues.discriminatorLossScale.name, DistillValues.adversarialLossScale.name,
    DistillValues.generatorStartKimg.name, DistillValues.adversarialStartKimg.name, DistillValues.gradientClip.name,
    DistillValues.adversarialGroup.name,
  ]
  private static let ofEvaluation = [DistillValues.stopAtFD.name, DistillValues.evaluateMetrics.name]

  /// - Parameters:
  ///   - evaluates: whether `--evaluate` is given.
  ///   - isAdversarial: whether `--adversarial` is given.
  ///   - digests: what inputs have to be.
  ///   - has: whether an option is given, by its name without dashes.
  public init(evaluates: Bool, isAdversarial: Bool, digests: [ExpectedDigest], has: (String) -> Bool) {
    (self.evaluates, self.isAdversarial, self.digests) = (evaluates, isAdversarial, digests)
    given = (Self.inputs + Self.ofEvaluation + Self.ofAdversarial).filter(has)
  }

  /// From what a step says.
  public init(_ given: GivenValues) {
    self.init(
      evaluates: given.has("evaluate"), isAdversarial: given.has("adversarial"),
      digests: given.values(CommonValues.digests), has: given.has)
  }

  /// - Throws: `ValueConflict` for the first that do not fit.
  public func check() throws(ValueConflict) {
    if evaluates {
      guard given.contains("features"), given.contains("reference") else {
        throw ValueConflict("evaluate", "needs features and reference")
      }
    } else if let option = Self.ofEvaluation.first(where: given.contains) {
      throw ValueConflict(option, "needs evaluate")
    }
    if isAdversarial {
      guard given.contains("dataset") else { throw ValueConflict("adversarial", "needs dataset") }
      guard !given.contains("labels") else {
        throw ValueConflict("labels", "and adversarial exclude each other: labels are those of the data set")
      }
    } else if let option = Self.ofAdversarial.first(where: given.contains) {
      throw ValueConflict(option, "needs adversarial")
    }
    // Without an evaluation its inputs are not read.
    let read = Self.inputs.filter { given.contains($0) && (evaluates || !Self.inputsOfEvaluation.contains($0)) }
    try ExpectedDigest.check(digests, inputs: ["teacher"] + read)
  }
}
