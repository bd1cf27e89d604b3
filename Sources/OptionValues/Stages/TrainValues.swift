/// Options of `sid-train`.
public enum TrainValues {
  // The network.
  /// The family of the network.
  public static let arch = ValueOption<TeacherArchitecture>.choice("arch", standard: .ddpmpp)
  /// The preconditioner.
  public static let precond = ValueOption<TeacherPreconditioner>.choice("precond", standard: .edm)
  /// Channels of the first level.
  public static let modelChannels = ValueOption.wholeNumber("model-channels", 4...4096)
  /// Channels of each level as multiples.
  public static let channelMult = ValueOption.wholeNumbers("channel-mult", 1...64)
  /// Residual blocks a level.
  public static let numBlocks = ValueOption.wholeNumber("num-blocks", 0...64)
  /// Resolutions with self-attention.
  public static let attnResolutions = ValueOption.wholeNumbers("attn-resolutions", 0...4096)

  // What determines the result.
  /// Images per iteration.
  public static let batch = DistillValues.batch
  /// Images per forward and backward pass.
  public static let microbatch = DistillValues.microbatch
  /// Groups of micro-batches whose gradients meet in a tree.
  public static let gradientGroups = DistillValues.gradientGroups
  /// Learning rate behind the ramp.
  public static let lr = DistillValues.lr
  /// Thousands of images over which the learning rate rises.
  public static let lrRampupKimg = ValueOption.number("lr-rampup-kimg", .from(0, to: 1e12))
  /// Where the learning rate begins to fall, thousands of images.
  public static let lrDecayStartKimg = DistillValues.lrDecayStartKimg
  /// The share of the learning rate that is left.
  public static let lrDecayFinal = DistillValues.lrDecayFinal
  /// Half-life of the average, thousands of images.
  public static let emaHalfLifeKimg = DistillValues.emaHalfLifeKimg
  /// Half-life as a share of the images seen so far.
  public static let emaRampupRatio = DistillValues.emaRampupRatio
  /// Dropout probability.
  public static let dropout = DistillValues.dropout
  /// Probability of the augmentations.
  public static let augment = DistillValues.augment
  /// Factor of the loss.
  public static let lossScale = DistillValues.lossScale
  /// Thousands of images to train on.
  public static let durationKimg = DistillValues.durationKimg
  /// Seed of every random number.
  public static let seed = DistillValues.seed

  // What is measured and saved on the way, beside what a distillation has.
  /// Noise levels of the sampler that makes the images that are evaluated.
  public static let evaluateSteps = ValueOption.wholeNumber("evaluate-steps", 2...1000)
  /// Thousands of images between two lines of the log.
  public static let tickKimg = ValueOption.number("tick-kimg", .above(0, orInfinite: true))
}

/// The families of networks that EDM's trainer knows, by its names.
public enum TeacherArchitecture: String, CaseIterable, Sendable {
  /// DDPM++.
  case ddpmpp
  /// NCSN++.
  case ncsnpp
  /// ADM.
  case adm
}

/// The preconditioners that EDM's trainer knows, by its names.
public enum TeacherPreconditioner: String, CaseIterable, Sendable {
  /// EDM's own.
  case edm
  /// Of the variance-preserving process.
  case vp
  /// Of the variance-exploding process.
  case ve
}

/// How they have to fit each other.
public struct TrainRelations: ValueRelations {
  private let evaluates: Bool
  /// Options and inputs of those below that are given, in this order.
  private let given: [String]
  private let digests: [ExpectedDigest]

  private static let inputs = ["features", "reference", "config", "transfer"]
  private static let inputsOfEvaluation = ["features", "reference"]
  private static let ofEvaluation = [
    DistillValues.stopAtFD.name, DistillValues.evaluateMetrics.name, TrainValues.evaluateSteps.name,
  ]
  /// What says which network it is; each of `config` and `transfer` says all of it.
  private static let ofNetwork = [
    TrainValues.arch.name, TrainValues.precond.name, TrainValues.modelChannels.name, TrainValues.channelMult.name,
    TrainValues.numBlocks.name, TrainValues.attnResolutions.name,
  ]

  /// - Parameters:
  ///   - evaluates: whether `--evaluate` is given.
  ///   - digests: what inputs have to be.
  ///   - has: whether an option is given, by its name without dashes.
  public init(evaluates: Bool, digests: [ExpectedDigest], has: (String) -> Bool) {
    (self.evaluates, self.digests) = (evaluates, digests)
    given = (Self.inputs + Self.ofEvaluation + Self.ofNetwork).filter(has)
  }

  /// From what a step says.
  public init(_ given: GivenValues) {
    self.init(evaluates: given.has("evaluate"), digests: given.values(CommonValues.digests), has: given.has)
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
    let whole = ["config", "transfer"].filter(given.contains)
    guard whole.count < 2 else {
      throw ValueConflict("config", "and transfer exclude each other: each says which network it is")
    }
    if let all = whole.first, let option = Self.ofNetwork.first(where: given.contains) {
      throw ValueConflict(option, "and \(all) exclude each other: \(all) says which network it is")
    }
    // Without an evaluation its inputs are not read.
    let read = Self.inputs.filter { given.contains($0) && (evaluates || !Self.inputsOfEvaluation.contains($0)) }
    try ExpectedDigest.check(digests, inputs: ["dataset"] + read)
  }
}
