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

  // What determines the result, beside what every training has.
  /// Thousands of images over which the learning rate rises.
  public static let lrRampupKimg = ValueOption.number("lr-rampup-kimg", .from(0, to: 1e12))

  // What is measured and told on the way, beside what every training has.
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

  private static let inputs = EvaluationRelations.inputs + ["config", "transfer"]
  private static let ofEvaluation = EvaluationRelations.options + [TrainValues.evaluateSteps.name]
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
    try EvaluationRelations.check(evaluates, Self.ofEvaluation, given)
    let whole = ["config", "transfer"].filter(given.contains)
    guard whole.count < 2 else {
      throw ValueConflict("config", "and transfer exclude each other: each says which network it is")
    }
    if let all = whole.first, let option = Self.ofNetwork.first(where: given.contains) {
      throw ValueConflict(option, "and \(all) exclude each other: \(all) says which network it is")
    }
    let read = EvaluationRelations.read(evaluates, Self.inputs, given)
    try ExpectedDigest.check(digests, inputs: ["dataset"] + read)
  }
}
