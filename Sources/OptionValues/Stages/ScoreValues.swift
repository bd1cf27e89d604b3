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
  /// Consecutive sets of equal size that the scored images are divided into.
  public static let sets = ValueOption.wholeNumber("sets", 1...1_000_000)
  /// The share of the images that is taken.
  public static let share = ValueOption.share("share")
  /// The number of shares that a score is put together from.
  public static let shares = ValueOption.wholeNumber("shares", 1...1 << 20)
}

/// How they have to fit each other, for `sid-score score`.
public struct ScoreRelations: ValueRelations {
  private let metrics: [[String]]
  private let count: Int?
  private let resample: Int?
  private let sets: Int
  private let bootstrap: Int
  private let isShare: Bool
  private let hasShares: Bool
  private let digests: [ExpectedDigest]

  /// - Parameters:
  ///   - metrics: the names that each `--metrics` lists.
  ///   - count: how many images are scored; nil for all.
  ///   - resample: how many are drawn; nil for none.
  ///   - sets: how many sets they are divided into.
  ///   - bootstrap: resamples behind a standard error.
  ///   - isShare: whether `--share` is given.
  ///   - hasShares: whether `--shares` is given.
  ///   - digests: what inputs have to be.
  public init(
    metrics: [[String]], count: Int?, resample: Int?, sets: Int, bootstrap: Int, isShare: Bool, hasShares: Bool,
    digests: [ExpectedDigest]
  ) {
    (self.metrics, self.count, self.resample) = (metrics, count, resample)
    (self.sets, self.bootstrap, self.digests) = (sets, bootstrap, digests)
    (self.isShare, self.hasShares) = (isShare, hasShares)
  }

  /// From what a step says; shares are the daemon's.
  public init(_ given: GivenValues) {
    self.init(
      metrics: given.values(ScoreValues.metrics), count: given.value(ScoreValues.count),
      resample: given.value(ScoreValues.resample), sets: given.value(ScoreValues.sets) ?? 1,
      bootstrap: given.value(ScoreValues.bootstrap) ?? 0, isShare: false, hasShares: false,
      digests: given.values(CommonValues.digests))
  }

  /// - Throws: `ValueConflict` for the first that do not fit.
  public func check() throws(ValueConflict) {
    var seen: Set<String> = []
    for name in metrics.joined() where !seen.insert(name).inserted {
      throw ValueConflict("metrics", "names \(name) twice")
    }
    guard count == nil || resample == nil else { throw ValueConflict("count", "and resample exclude each other") }
    guard !isShare || !hasShares else {
      throw ValueConflict("share", "and shares exclude each other: one makes a share, the other scores all of them")
    }
    if sets > 1 {
      guard bootstrap == 0 else {
        throw ValueConflict("sets", "and bootstrap exclude each other: the spread over the sets is the uncertainty")
      }
      if let count { try checkDivision("count", count) }
      if let resample { try checkDivision("resample", resample) }
    }
    try ExpectedDigest.check(digests, inputs: ["samples", "reference", "features"])
  }

  private func checkDivision(_ option: String, _ images: Int) throws(ValueConflict) {
    guard images / 2 >= sets else {
      throw ValueConflict(option, "\(images) is too few for \(sets) sets: each needs at least 2 images")
    }
    guard images.isMultiple(of: sets) else {
      throw ValueConflict(
        option, "\(images) cannot be divided into \(sets) sets of equal size; \(images - images % sets) can")
    }
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
