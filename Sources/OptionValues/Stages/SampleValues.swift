import Files

/// Options of `sid-sample`.
public enum SampleValues {
  // What decides over the images.
  /// One for each image.
  public static let seeds = ValueOption.seeds("seeds")
  /// The sampler.
  public static let sampler = ValueOption<SamplerName>.choice("sampler", standard: .oneStep)
  /// Standard deviation of a generator's input.
  public static let initSigma = ValueOption.number("init-sigma", .above(0))
  /// Noise levels of Heun's sampler.
  public static let steps = ValueOption.wholeNumber("steps", 2...10_000)
  /// Lowest noise level.
  public static let sigmaMin = ValueOption.number("sigma-min", .above(0), standard: 0.002)
  /// Highest noise level.
  public static let sigmaMax = ValueOption.number("sigma-max", .above(0), standard: 80)
  /// Exponent of the noise schedule.
  public static let rho = ValueOption.number("rho", .above(0))
  /// Fresh noise on the way, EDM's S_churn.
  public static let sChurn = ValueOption.number("s-churn", .atLeast(0), standard: 0)
  /// Lowest noise level at which noise is added.
  public static let sMin = ValueOption.number("s-min", .atLeast(0), standard: 0)
  /// Highest noise level at which noise is added.
  public static let sMax = ValueOption.number("s-max", .atLeast(0, orInfinite: true), standard: .infinity)
  /// Standard deviation of the fresh noise.
  public static let sNoise = ValueOption.number("s-noise", .atLeast(0))
  /// Which class an image gets.
  public static let classes = ValueOption.classes("class")
  /// How latents follow from a seed.
  public static let rng = ValueOption<RandomConvention>.choice("rng", standard: .torchCPU)

  // What does not.
  /// Images in one evaluation of the network.
  public static let batch = ValueOption.wholeNumber("batch", 1...1 << 20)
  /// Images after which a part is saved.
  public static let checkpointImages = ValueOption.wholeNumber("checkpoint-images", 1...1 << 20)
  /// Images of a shard.
  public static let shardSize = ValueOption.wholeNumber("shard-size", 1...1 << 40)
  /// This machine's share of the shards.
  public static let shards = ValueOption.share("shards")
  /// What the finished archive is converted to.
  public static let export = ValueOption.choice("export", CommonValues.archiveFormats)
  /// Images in a row of the contact sheet.
  public static let contactSheetColumns = ValueOption.wholeNumber("contact-sheet-columns", 1...256)
  /// Rows of the contact sheet.
  public static let contactSheetRows = ValueOption.wholeNumber("contact-sheet-rows", 1...256)

  // Those of its other commands.
  /// The format of `export`.
  public static let exportTo = ValueOption.choice("to", CommonValues.archiveFormats)
  /// Images of a tar file of `export`.
  public static let tarImages = ValueOption.wholeNumber("tar-images", 1...1 << 30)
  /// How many images `verify` makes again.
  public static let verifiedImages = ValueOption.wholeNumber("images", 1...1 << 20)
  /// Seed of their choice.
  public static let verifySeed = ValueOption.seed("seed")
}

/// How they have to fit each other.
public struct SampleRelations: ValueRelations {
  private let seeds: SeedList?
  private let sampler: SamplerName
  private let sigmas: (lowest: Double, highest: Double)
  private let churn: (amount: Double, lowest: Double, highest: Double)
  private let rng: RandomConvention
  private let hasClass: Bool
  private let hasLabelsFile: Bool
  private let digests: [ExpectedDigest]

  /// - Parameters:
  ///   - seeds: the seeds; nil for none.
  ///   - sampler: the sampler.
  ///   - sigmas: `--sigma-min` and `--sigma-max`.
  ///   - churn: `--s-churn`, `--s-min` and `--s-max`.
  ///   - rng: how latents follow from a seed.
  ///   - hasClass: whether `--class` is given.
  ///   - hasLabelsFile: whether `--labels-file` is given.
  ///   - digests: what inputs have to be.
  public init(
    seeds: SeedList?, sampler: SamplerName, sigmas: (lowest: Double, highest: Double),
    churn: (amount: Double, lowest: Double, highest: Double), rng: RandomConvention, hasClass: Bool,
    hasLabelsFile: Bool, digests: [ExpectedDigest]
  ) {
    self.seeds = seeds
    self.sampler = sampler
    self.sigmas = sigmas
    self.churn = churn
    self.rng = rng
    self.hasClass = hasClass
    self.hasLabelsFile = hasLabelsFile
    self.digests = digests
  }

  /// From what a step says.
  public init(_ given: GivenValues) {
    func number(_ option: ValueOption<Double>) -> Double { given.value(option) ?? 0 }
    self.init(
      seeds: given.value(SampleValues.seeds), sampler: given.value(SampleValues.sampler) ?? .oneStep,
      sigmas: (number(SampleValues.sigmaMin), number(SampleValues.sigmaMax)),
      churn: (number(SampleValues.sChurn), number(SampleValues.sMin), number(SampleValues.sMax)),
      rng: given.value(SampleValues.rng) ?? .torchCPU, hasClass: given.has(SampleValues.classes.name),
      hasLabelsFile: given.has("labels-file"), digests: given.values(CommonValues.digests))
  }

  /// - Throws: `ValueConflict` for the first that do not fit.
  public func check() throws(ValueConflict) {
    guard sigmas.lowest < sigmas.highest else {
      throw ValueConflict("sigma-min", with: "sigma-max", "\(sigmas.lowest) is not below sigma-max \(sigmas.highest)")
    }
    guard churn.lowest <= churn.highest else {
      throw ValueConflict("s-min", with: "s-max", "\(churn.lowest) is above s-max \(churn.highest)")
    }
    guard sampler == .heun || churn.amount == 0 else {
      throw ValueConflict("s-churn", "needs the sampler heun, which draws fresh noise; this is \(sampler.rawValue)")
    }
    guard rng.drawsFreshNoise || churn.amount == 0 else {
      throw ValueConflict("s-churn", "needs the rng torch-cpu or philox: what a GPU draws there is not reproduced")
    }
    if let seeds, seeds.largest > rng.largestSeed {
      throw ValueConflict(
        "seeds",
        "has seed \(seeds.largest), above \(rng.largestSeed), the largest of the rng \(rng.rawValue); philox has it")
    }
    guard !hasClass || !hasLabelsFile else { throw ValueConflict("class", "and labels-file exclude each other") }
    try ExpectedDigest.check(digests, inputs: ["network"] + (hasLabelsFile ? ["labels-file"] : []))
  }
}
