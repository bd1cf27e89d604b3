/// Options of every program that trains: `sid-train` and `sid-distill`.
public enum TrainingValues {
  // What determines the result.
  /// Images per iteration.
  public static let batch = ValueOption.wholeNumber("batch", 1...1 << 24)
  /// Images per forward and backward pass.
  public static let microbatch = ValueOption.wholeNumber("microbatch", 1...Int.max)
  /// Groups of micro-batches whose gradients meet in a tree.
  public static let gradientGroups = ValueOption.wholeNumber("gradient-groups", 1...1 << 16)
  /// Learning rate; that of the fake score in a distillation.
  public static let lr = ValueOption.number("lr", .above(0))
  /// Where the learning rates begin to fall, thousands of images.
  public static let lrDecayStartKimg = ValueOption.number("lr-decay-start-kimg", .atLeast(0, orInfinite: true))
  /// The share of the learning rates that is left.
  public static let lrDecayFinal = ValueOption.number("lr-decay-final", .from(0, to: 1))
  /// Half-life of the average, thousands of images.
  public static let emaHalfLifeKimg = ValueOption.number("ema-halflife-kimg", .atLeast(0, orInfinite: true))
  /// Half-life as a share of the images seen so far.
  public static let emaRampupRatio = ValueOption.number("ema-rampup-ratio", .above(0))
  /// Dropout probability.
  public static let dropout = ValueOption.single("dropout", .from(0, below: 1))
  /// Probability of the augmentations.
  public static let augment = ValueOption.single("augment", .from(0, to: 1))
  /// Factor of the loss; of the fake score's in a distillation.
  public static let lossScale = ValueOption.single("loss-scale", .finite)
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
  /// Class of the images that are evaluated.
  public static let evaluateClass = ValueOption.classes("evaluate-class")
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

/// How the options of an evaluation on the way have to fit each other.
enum EvaluationRelations {
  /// Inputs that are read for an evaluation alone.
  static let inputs = ["features", "reference"]
  /// Options that mean nothing without one, beside those of the program.
  static let options = [
    TrainingValues.stopAtFD.name, TrainingValues.evaluateMetrics.name, TrainingValues.evaluateClass.name,
  ]

  /// - Parameters:
  ///   - evaluates: whether `--evaluate` is given.
  ///   - options: those that mean nothing without it.
  ///   - given: options and inputs that are given.
  /// - Throws: `ValueConflict` for the first that do not fit.
  static func check(_ evaluates: Bool, _ options: [String], _ given: [String]) throws(ValueConflict) {
    if evaluates {
      guard inputs.allSatisfy(given.contains) else {
        throw ValueConflict("evaluate", "needs features and reference")
      }
    } else if let option = options.first(where: given.contains) {
      throw ValueConflict(option, "needs evaluate")
    }
  }

  /// Those of some inputs that are given and read.
  static func read(_ evaluates: Bool, _ inputs: [String], _ given: [String]) -> [String] {
    inputs.filter { given.contains($0) && (evaluates || !Self.inputs.contains($0)) }
  }
}
