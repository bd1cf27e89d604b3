import Compute

/// The Frechet distance between normal distributions fitted to the features, with a standard error where it is resampled.
public struct FrechetMetric: MetricDefinition, Equatable {
  /// Resamples of the images behind the standard error; 0 for none.
  public var bootstraps = 0

  /// The defaults.
  public init() {}

  var needs: MetricNeeds { bootstraps > 0 ? [.features, .referenceDistribution] : .referenceDistribution }

  func scores(of measurement: Measurement) throws -> [Score] {
    let (scored, real) = (try measurement.samples.statistics.distribution(), measurement.referenceDistribution())
    var score = measurement.score(
      "fid", try scored.frechetDistance(to: real),
      "squared Frechet distance |m1-m2|^2 + tr(S1 + S2 - 2 sqrt(S1 S2)) between normal distributions fitted to the "
        + "features of \(measurement.images) and of \(measurement.referenceImages), \(measurement.divisor)")
    score.notes = measurement.finiteSampleNotes + Self.rankNotes(scored, real)
    if bootstraps > 0 {
      let deviation = try bootstrappedDeviation(
        measurement.features(for: .fid), to: real, resamples: bootstraps, seed: measurement.settings.seed)
      score.uncertainty = Score.Uncertainty(
        kind: .standardError, value: deviation,
        origin: "standard deviation over \(bootstraps) bootstrap resamples of the scored images")
    }
    return [score]
  }

  private static func rankNotes(_ scored: NormalDistribution, _ real: NormalDistribution) -> [String] {
    [("scored", scored), ("reference", real)].compactMap { side, distribution in
      distribution.rank == distribution.mean.count
        ? nil
        : "the covariance of the \(side) images has rank \(distribution.rank) of \(distribution.mean.count); the distance "
          + "was taken in the space that they span"
    }
  }
}

/// The standard deviation of the Frechet distance over resamples of the images with replacement.
private func bootstrappedDeviation(
  _ rows: any FeatureRows, to real: NormalDistribution, resamples: Int, seed: UInt64
) throws -> Double {
  let generator = Philox(seed: seed)
  let values = try (0..<resamples).map { resample in
    var counts = [Int](repeating: 0, count: rows.count)
    for draw in 0..<rows.count {
      counts[generator.integer(below: rows.count, stream: (UInt64(draw), bootstrapStream + UInt32(resample)))] += 1
    }
    return try frechetDistance(rows, to: real) { counts[$0] }
  }
  return meanAndDeviation(values).deviation
}

/// A stream of the seed apart from those of the other metrics.
private let bootstrapStream: UInt32 = 1 << 31

/// The Frechet distance of rows that count so many times.
func frechetDistance(_ rows: any FeatureRows, to real: NormalDistribution, repetitions: (Int) -> Int) throws -> Double {
  var moments = FeatureMoments(featureCount: rows.width)
  try rows.forEachBlock(of: 2048) { first, block in
    moments.add(block, repetitions: (first..<first + block.shape[0]).map(repetitions))
  }
  let (mean, covariance) = moments.statistics()
  return try NormalDistribution(mean: mean, covariance: covariance).frechetDistance(to: real)
}
