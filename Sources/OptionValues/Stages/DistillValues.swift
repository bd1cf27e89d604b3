/// Options of `sid-distill`.
public enum DistillValues {
  // SiD, beside what every training has.
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
  /// Mean of the logarithm of the fake score's noise levels.
  public static let pMean = ValueOption.single("p-mean", .finite)
  /// Standard deviation of that logarithm.
  public static let pStd = ValueOption.single("p-std", .above(0))
  /// Factor of the generator's loss.
  public static let generatorLossScale = ValueOption.single("generator-loss-scale", .finite)

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
}

/// How they have to fit each other.
public struct DistillRelations: ValueRelations {
  private let evaluates: Bool
  private let isAdversarial: Bool
  /// Options and inputs of those below that are given, in this order.
  private let given: [String]
  private let digests: [ExpectedDigest]

  private static let inputs = EvaluationRelations.inputs + ["labels", "dataset", "initial-generator"]
  private static let ofAdversarial = [
    "dataset", DistillValues.discriminatorLossScale.name, DistillValues.adversarialLossScale.name,
    DistillValues.generatorStartKimg.name, DistillValues.adversarialStartKimg.name, DistillValues.gradientClip.name,
    DistillValues.adversarialGroup.name,
  ]
  private static let ofEvaluation = EvaluationRelations.options

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
    try EvaluationRelations.check(evaluates, Self.ofEvaluation, given)
    if isAdversarial {
      guard given.contains("dataset") else { throw ValueConflict("adversarial", "needs dataset") }
      guard !given.contains("labels") else {
        throw ValueConflict("labels", "and adversarial exclude each other: labels are those of the data set")
      }
    } else if let option = Self.ofAdversarial.first(where: given.contains) {
      throw ValueConflict(option, "needs adversarial")
    }
    let read = EvaluationRelations.read(evaluates, Self.inputs, given)
    try ExpectedDigest.check(digests, inputs: ["teacher"] + read)
  }
}
