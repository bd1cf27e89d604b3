import Compute
import Diagnostics

/// The metrics of one set of images against a reference.
struct Measurement {
  let samples: FeatureSet
  let reference: FeatureSet
  let settings: MetricSettings
  /// Whether the images were drawn with replacement.
  let isResampled: Bool
  /// Names the images in errors.
  let origin: String

  /// The figures in the order of the metrics.
  func scores() throws -> [Score] {
    let needsDistance = settings.metrics.contains { $0 == .fid || $0 == .extrapolated }
    let real = needsDistance ? try reference.statistics.distribution() : nil
    return try settings.metrics.flatMap { metric -> [Score] in
      switch metric {
      case .fid: try real.map { [try frechet($0)] } ?? []
      case .extrapolated: try real.map { [try extrapolated($0)] } ?? []
      case .kid: [try kernel()]
      case .inceptionScore: [try inception()]
      case .precisionRecall: try precisionRecall()
      }
    }
  }

  private func frechet(_ real: NormalDistribution) throws -> Score {
    let scored = try samples.statistics.distribution()
    var score = score(
      "fid", try scored.frechetDistance(to: real),
      "squared Frechet distance |m1-m2|^2 + tr(S1 + S2 - 2 sqrt(S1 S2)) between normal distributions fitted to the "
        + "features of \(images) and of \(referenceImages), \(divisor)")
    score.notes = finiteSampleNotes + rankNotes(scored, real)
    if settings.bootstraps > 0 {
      let deviation = try bootstrappedDeviation(
        feature(.fid), to: real, resamples: settings.bootstraps, seed: settings.seed)
      score.uncertainty = Score.Uncertainty(
        kind: .standardError, value: deviation,
        origin: "standard deviation over \(settings.bootstraps) bootstrap resamples of the scored images")
    }
    return score
  }

  private func extrapolated(_ real: NormalDistribution) throws -> Score {
    let fit = try extrapolatedDistance(
      feature(.extrapolated), to: real, points: settings.extrapolationPoints, start: settings.extrapolationStart,
      seed: settings.seed)
    var score = score(
      "fid_infinity", fit.intercept,
      "squared Frechet distance extrapolated to infinitely many scored images: the intercept of a line through the "
        + "distances of \(fit.sizes.count) random subsets of \(fit.sizes.first ?? 0) to \(fit.sizes.last ?? 0) of \(images) "
        + "over 1/N (Chong & Forsyth 2020), against \(referenceImages), \(divisor)")
    score.uncertainty = Score.Uncertainty(
      kind: .standardError, value: fit.standardError, origin: "standard error of the fitted line's intercept")
    return score
  }

  private func kernel() throws -> Score {
    let (x, y) = (try feature(.kid), try referenceFeature(.kid))
    try require(min(x.count, y.count) >= 2, "a kernel distance needs at least 2 images of each side")
    let result = try kernelDistance(
      x, y, subsets: settings.kernelSubsets, size: settings.kernelSubsetSize, seed: settings.seed)
    var score = score(
      "kid", result.mean,
      "kernel distance: unbiased squared maximum mean discrepancy under (x.y/D + 1)^3, mean over \(settings.kernelSubsets) "
        + "random subsets of \(result.size) of \(images) and as many of \(referenceImages)")
    score.uncertainty = Score.Uncertainty(
      kind: .standardDeviation, value: result.deviation,
      origin: "standard deviation over the \(settings.kernelSubsets) subsets")
    return score
  }

  private func inception() throws -> Score {
    guard let scores = samples.scores else { throw missing(.inceptionScore, "class scores", origin) }
    let splits = settings.inceptionSplits
    try require(scores.count >= splits, "an Inception Score of \(splits) splits needs as many images")
    let result = try inceptionScore(scores, splits: splits)
    var score = score(
      "is", result.mean,
      "Inception Score exp(mean KL(p(y|x) || p(y))) over \(scores.width) classes, mean over \(splits) consecutive "
        + "splits of \(images)")
    score.referenceImageCount = nil
    score.uncertainty = Score.Uncertainty(
      kind: .standardDeviation, value: result.deviation, origin: "standard deviation over the \(splits) splits")
    return score
  }

  private func precisionRecall() throws -> [Score] {
    let (x, y) = (try feature(.precisionRecall), try referenceFeature(.precisionRecall))
    let (k, limit) = (settings.neighbour, settings.manifoldImages)
    try require(min(x.count, y.count, limit) > k, "neighbour \(k) needs more images than that on each side")
    let result = try precisionAndRecall(x, y, neighbour: k, limit: limit)
    let (scored, real) = (min(x.count, limit), min(y.count, limit))
    func measured(_ name: String, _ value: Double, _ definition: String) -> Score {
      var score = score(name, value, definition)
      (score.imageCount, score.referenceImageCount) = (scored, real)
      return score
    }
    return [
      measured(
        "precision", result.precision,
        "improved precision: the share of \(scored) scored images within the distance to the neighbour \(k) of one of "
          + "\(real) reference images"),
      measured(
        "recall", result.recall,
        "improved recall: the share of \(real) reference images within the distance to the neighbour \(k) of one of "
          + "\(scored) scored images"),
    ]
  }

  private func score(_ name: String, _ value: Double, _ definition: String) -> Score {
    Score(
      figure: settings.name(name), value: value, definition: definition, imageCount: samples.statistics.imageCount,
      referenceImageCount: reference.statistics.imageCount)
  }

  private var images: String {
    "\(samples.statistics.imageCount) images\(isResampled ? " drawn with replacement" : "")"
  }
  private var referenceImages: String { "\(reference.statistics.imageCount) reference images" }
  private var divisor: String {
    reference.statistics.featureNetworkSHA256 == nil
      ? "covariances divided by N - 1 (the reference's as its file has it)" : "covariances divided by N - 1"
  }

  private func feature(_ metric: Metric) throws -> any FeatureRows {
    guard let rows = samples.features else { throw missing(metric, "features", origin) }
    return rows
  }

  private func referenceFeature(_ metric: Metric) throws -> any FeatureRows {
    guard let rows = reference.features else { throw missing(metric, "features", "reference") }
    return rows
  }

  private func missing(_ metric: Metric, _ what: String, _ subject: String) -> Failure {
    Failure(
      .dataError, subject, "it holds statistics without the \(what) that --metrics \(metric.rawValue) needs",
      remedy: "make it with sid-score reference --keep-features, or give the images themselves")
  }

  private func require(_ condition: Bool, _ problem: String) throws {
    guard condition else { throw Failure(.dataError, origin, "\(samples.statistics.imageCount) images: \(problem)") }
  }

  /// The distance is biased upwards while there are few images for the number of features.
  private var finiteSampleNotes: [String] {
    let features = samples.statistics.featureCount
    return [
      ("scored", samples.statistics.imageCount), ("reference", reference.statistics.imageCount),
    ].compactMap { side, count in
      count >= 10 * features
        ? nil
        : "\(count) \(side) images are fewer than ten times the \(features) features: the distance is larger than that of "
          + "the distributions; compare it only with distances over as many images"
    }
  }

  private func rankNotes(_ scored: NormalDistribution, _ real: NormalDistribution) -> [String] {
    [("scored", scored), ("reference", real)].compactMap { side, distribution in
      distribution.rank == distribution.mean.count
        ? nil
        : "the covariance of the \(side) images has rank \(distribution.rank) of \(distribution.mean.count); the distance "
          + "was taken in the space that they span"
    }
  }
}

extension FeatureStatistics {
  /// The normal distribution with this mean and covariance.
  func distribution() throws -> NormalDistribution { try NormalDistribution(mean: mean, covariance: covariance) }
}
