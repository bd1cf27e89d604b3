import Files

/// Options of `sid-score`.
public enum ScoreValues {
  /// What is measured.
  public static let metrics = ValueOption.choices("metrics", CommonValues.metrics)
  /// The name of the Frechet distance in the summary.
  public static let figure = ValueOption.text("figure", .figure)
  /// Subsets of the kernel distance.
  public static let kidSubsets = ValueOption.wholeNumber("kid-subsets", 1...100_000)
  /// Images of each side in a subset.
  public static let kidSubsetSize = ValueOption.wholeNumber("kid-subset-size", 2...1_000_000)
  /// Splits of the Inception Score.
  public static let isSplits = ValueOption.wholeNumber("is-splits", 1...10_000)
  /// The neighbour that sets an image's radius in precision and recall.
  public static let prNeighbour = ValueOption.wholeNumber("pr-neighbour", 1...1000)
  /// The most images of each side in precision and recall.
  public static let prImages = ValueOption.wholeNumber("pr-images", 2...100_000_000)
  /// Resamples behind a standard error, which needs two; 0 for none.
  public static let bootstrap = ValueOption.wholeNumber("bootstrap", 2...100_000, or: 0)
  /// Seed of subsets, extrapolation and bootstrap.
  public static let seed = ValueOption.seed("seed")
  /// How images become the network's input.
  public static let convention = ValueOption.choice("convention", CommonValues.conventions)
  /// How many images are scored.
  public static let count = ValueOption.wholeNumber("count", 2...Int.max)
  /// How many images are drawn with replacement.
  public static let resample = ValueOption.wholeNumber("resample", 2...Int.max)
  /// Seed of that drawing.
  public static let resampleSeed = ValueOption.seed("resample-seed")
  /// The share of the images that `sid-score reference` takes.
  public static let share = ValueOption.share("share")
}

/// How they have to fit each other, for `sid-score score`.
public struct ScoreRelations: ValueRelations {
  private let metrics: [[String]]
  private let hasCount: Bool
  private let hasResample: Bool
  private let digests: [ExpectedDigest]

  /// - Parameters:
  ///   - metrics: the names that each `--metrics` lists.
  ///   - hasCount: whether `--count` is given.
  ///   - hasResample: whether `--resample` is given.
  ///   - digests: what inputs have to be.
  public init(metrics: [[String]], hasCount: Bool, hasResample: Bool, digests: [ExpectedDigest]) {
    self.metrics = metrics
    self.hasCount = hasCount
    self.hasResample = hasResample
    self.digests = digests
  }

  /// From what a step says.
  public init(_ given: GivenValues) {
    self.init(
      metrics: given.values(ScoreValues.metrics), hasCount: given.has(ScoreValues.count.name),
      hasResample: given.has(ScoreValues.resample.name), digests: given.values(CommonValues.digests))
  }

  /// - Throws: `ValueConflict` for the first that do not fit.
  public func check() throws(ValueConflict) {
    var seen: Set<String> = []
    for name in metrics.joined() where !seen.insert(name).inserted {
      throw ValueConflict("metrics", "names \(name) twice")
    }
    guard !hasCount || !hasResample else { throw ValueConflict("count", "and resample exclude each other") }
    try ExpectedDigest.check(digests, inputs: ["samples", "reference", "features"])
  }
}

/// How they have to fit each other, for `sid-score reference`.
public struct ReferenceRelations: ValueRelations {
  private let digests: [ExpectedDigest]

  /// - Parameter digests: what inputs have to be.
  public init(digests: [ExpectedDigest]) { self.digests = digests }

  /// From what a step says.
  public init(_ given: GivenValues) { self.init(digests: given.values(CommonValues.digests)) }

  /// - Throws: `ValueConflict` for the first that do not fit.
  public func check() throws(ValueConflict) { try ExpectedDigest.check(digests, inputs: ["dataset", "features"]) }
}
