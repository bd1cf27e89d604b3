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
  /// Options and inputs of those below that are given, in this order.
  private let given: [String]
  private let digests: [ExpectedDigest]

  private static let inputs = ["features", "reference", "labels"]
  private static let ofEvaluation = [DistillValues.stopAtFD.name, DistillValues.evaluateMetrics.name]

  /// - Parameters:
  ///   - evaluates: whether `--evaluate` is given.
  ///   - hasFeatures: whether `--features` is given.
  ///   - hasReference: whether `--reference` is given.
  ///   - hasLabels: whether `--labels` is given.
  ///   - hasStopAtFD: whether `--stop-at-fd` is given.
  ///   - hasMetrics: whether `--evaluate-metrics` is given.
  ///   - digests: what inputs have to be.
  public init(
    evaluates: Bool, hasFeatures: Bool, hasReference: Bool, hasLabels: Bool, hasStopAtFD: Bool, hasMetrics: Bool,
    digests: [ExpectedDigest]
  ) {
    self.evaluates = evaluates
    let names = zip(
      Self.inputs + Self.ofEvaluation, [hasFeatures, hasReference, hasLabels, hasStopAtFD, hasMetrics])
    given = names.filter(\.1).map(\.0)
    self.digests = digests
  }

  /// From what a step says.
  public init(_ given: GivenValues) {
    evaluates = given.has("evaluate")
    self.given = (Self.inputs + Self.ofEvaluation).filter(given.has)
    digests = given.values(CommonValues.digests)
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
    // Without an evaluation its inputs are not read.
    let read = Self.inputs.filter { given.contains($0) && (evaluates || $0 == "labels") }
    try ExpectedDigest.check(digests, inputs: ["teacher"] + read)
  }
}
