import Compute
import Diagnostics

/// The Frechet distance of infinitely many images.
public struct ExtrapolatedMetric: MetricDefinition, Equatable {
  /// Sample sizes.
  public var points = 15
  /// The smallest sample size; half of the images where there are fewer than twice as many.
  public var start = 5000

  /// The defaults.
  public init() {}

  var needs: MetricNeeds { [.features, .referenceDistribution] }

  func scores(of measurement: Measurement) throws -> [Score] {
    let fit = try extrapolatedDistance(
      measurement.features(for: .extrapolated), to: measurement.referenceDistribution(), points: points, start: start,
      seed: measurement.settings.seed)
    var score = measurement.score(
      "fid_infinity", fit.intercept,
      "squared Frechet distance extrapolated to infinitely many scored images: the intercept of a line through the "
        + "distances of \(fit.sizes.count) random subsets of \(fit.sizes.first ?? 0) to \(fit.sizes.last ?? 0) of "
        + "\(measurement.images) over 1/N (Chong & Forsyth 2020), against \(measurement.referenceImages), "
        + "\(measurement.divisor)")
    score.uncertainty = Score.Uncertainty(
      kind: .standardError, value: fit.standardError, origin: "standard error of the fitted line's intercept")
    return [score]
  }
}

/// A line through Frechet distances over 1/N.
package struct DistanceExtrapolation: Sendable {
  /// The distance of infinitely many images.
  package let intercept: Double
  /// The standard error of the intercept, from the scatter around the line.
  package let standardError: Double
  /// The sample sizes, ascending.
  package let sizes: [Int]

  /// The line of least squares.
  package init(sizes: [Int], distances: [Double]) {
    precondition(sizes.count >= 3 && sizes.count == distances.count, "\(sizes.count) sizes")
    let (n, places) = (Double(sizes.count), sizes.map { 1 / Double($0) })
    let centre = places.reduce(0, +) / n
    let level = distances.reduce(0, +) / n
    let spread = places.reduce(0) { $0 + ($1 - centre) * ($1 - centre) }
    let slope = zip(places, distances).reduce(0) { $0 + ($1.0 - centre) * ($1.1 - level) } / spread
    let intercept = level - slope * centre
    let residual = zip(places, distances).reduce(0) {
      let difference = $1.1 - intercept - slope * $1.0
      return $0 + difference * difference
    }
    self.sizes = sizes
    self.intercept = intercept
    standardError = (residual / (n - 2) * (1 / n + centre * centre / spread)).squareRoot()
  }
}

/// The Frechet distance extrapolated to infinitely many images (Chong & Forsyth 2020, arXiv 1911.07023): its bias falls as
/// 1/N, so the distances of random subsets lie on a line over 1/N.
///
/// - Parameters:
///   - rows: features of the scored images.
///   - real: the reference.
///   - points: sample sizes, evenly spaced from `start` to all.
///   - start: the smallest; half of the images where there are fewer than twice as many.
///   - seed: of the draws, without replacement.
/// - Throws: a `Failure` where there are too few images for different sample sizes.
private func extrapolatedDistance(
  _ rows: any FeatureRows, to real: NormalDistribution, points: Int, start: Int, seed: UInt64
) throws -> DistanceExtrapolation {
  let first = min(start, rows.count / 2)
  guard first >= 2, rows.count - first >= points, points >= 3 else {
    throw Failure(
      .dataError, "fd-infinity", "\(rows.count) images are too few for \(points) different sample sizes")
  }
  let sizes = (0..<points).map { first + ($0 * (rows.count - first)) / (points - 1) }
  let generator = Philox(seed: seed)
  let distances = try sizes.enumerated().map { point, size in
    var left = size
    return try frechetDistance(rows, to: real) { row in
      // Selection sampling (Knuth, algorithm S): each row counts with probability left / remaining.
      let remaining = rows.count - row
      guard generator.integer(below: remaining, stream: (UInt64(row), extrapolationStream + UInt32(point))) < left
      else {
        return 0
      }
      left -= 1
      return 1
    }
  }
  return DistanceExtrapolation(sizes: sizes, distances: distances)
}

/// A stream of the seed apart from those of the other metrics.
private let extrapolationStream: UInt32 = 1 << 30
