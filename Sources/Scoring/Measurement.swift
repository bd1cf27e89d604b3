import Compute
import Diagnostics
import OptionValues

/// One set of images against a reference, as metrics see it.
struct Measurement {
  /// Of the scored images.
  let samples: FeatureSet
  /// Of the real ones.
  let reference: FeatureSet
  let settings: MetricSettings
  /// Whether the images were drawn with replacement.
  let isResampled: Bool
  /// Names the images in errors.
  let origin: String
  private let real: NormalDistribution?

  /// - Throws: a `Failure` where the reference is needed as a distribution and is none.
  init(samples: FeatureSet, reference: FeatureSet, settings: MetricSettings, isResampled: Bool, origin: String) throws {
    (self.samples, self.reference, self.settings) = (samples, reference, settings)
    (self.isResampled, self.origin) = (isResampled, origin)
    real = settings.needs.contains(.referenceDistribution) ? try reference.statistics.distribution() : nil
  }

  /// The figures in the order of the metrics.
  func scores() throws -> [Score] { try settings.metrics.flatMap { try settings.definition(of: $0).scores(of: self) } }

  /// A figure of all images.
  /// - Parameters:
  ///   - name: the metric's own name of it.
  ///   - definition: what it is, in words.
  func score(_ name: String, _ value: Double, _ definition: String) -> Score {
    Score(
      figure: settings.name(name), value: value, definition: definition, imageCount: samples.statistics.imageCount,
      referenceImageCount: reference.statistics.imageCount)
  }

  /// The scored images in words.
  var images: String { "\(samples.statistics.imageCount) images\(isResampled ? " drawn with replacement" : "")" }
  /// The reference in words.
  var referenceImages: String { "\(reference.statistics.imageCount) reference images" }
  /// What the covariances were divided by, in words.
  var divisor: String {
    reference.statistics.featureNetworkSHA256 == nil
      ? "covariances divided by N - 1 (the reference's as its file has it)" : "covariances divided by N - 1"
  }

  /// The normal distribution fitted to the reference, for metrics whose `needs` say so: computed once.
  func referenceDistribution() -> NormalDistribution {
    guard let real else { preconditionFailure("a metric reads the reference's distribution without saying so") }
    return real
  }

  /// The feature vectors of the scored images.
  func features(for metric: Metric) throws -> any FeatureRows { try kept(samples.features, metric, "features", origin) }

  /// The feature vectors behind the reference.
  func referenceFeatures(for metric: Metric) throws -> any FeatureRows {
    try kept(reference.features, metric, "features", "reference")
  }

  /// The class scores of the scored images.
  func classScores(for metric: Metric) throws -> any FeatureRows {
    try kept(samples.scores, metric, "class scores", origin)
  }

  private func kept(_ rows: (any FeatureRows)?, _ metric: Metric, _ what: String, _ subject: String) throws
    -> any FeatureRows
  {
    guard let rows else {
      throw Failure(
        .dataError, subject, "it holds statistics without the \(what) that --metrics \(metric.rawValue) needs",
        remedy: "make it with sid-score reference --keep-features, or give the images themselves")
    }
    return rows
  }

  /// Refuses images that are too few.
  func require(_ condition: Bool, _ problem: String) throws {
    guard condition else { throw Failure(.dataError, origin, "\(samples.statistics.imageCount) images: \(problem)") }
  }

  /// The distance is biased upwards while there are few images for the number of features.
  var finiteSampleNotes: [String] {
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
}

/// The mean, and the standard deviation divided by the number of values.
func meanAndDeviation(_ values: [Double]) -> (mean: Double, deviation: Double) {
  let mean = values.reduce(0, +) / Double(values.count)
  let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
  return (mean, variance.squareRoot())
}

extension FeatureStatistics {
  /// The normal distribution with this mean and covariance.
  func distribution() throws -> NormalDistribution { try NormalDistribution(mean: mean, covariance: covariance) }
}
