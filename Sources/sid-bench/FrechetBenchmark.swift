import Compute
import HDF5
import Scoring

/// The Frechet distance of two sets of features as long as those of Inception-v3: two covariances from statistics to a
/// number.
struct FrechetBenchmark: Benchmark {
  private let statistics: [(mean: [Double], covariance: [Double])]
  private static let featureCount = 2048

  /// - Parameter seed: of the features, three times as many as they are long.
  init(seed: UInt64) {
    statistics = (0..<2).map { set in
      var moments = FeatureMoments(featureCount: Self.featureCount)
      let rows = 512
      for block in 0..<3 * Self.featureCount / rows {
        let normals = Philox(seed: seed).normals(rows * Self.featureCount, stream: (UInt64(block), UInt32(set)))
        // Features of one set are as those of real images: none below zero, of different sizes.
        let values = normals.enumerated().map { place, normal in
          max(0, normal + 0.1 * Float(set)) * Float(1 + place % Self.featureCount % 7) * 0.1
        }
        moments.add(Tensor(values, shape: [rows, Self.featureCount]))
      }
      return moments.statistics()
    }
  }

  let batch = 1
  var flops: Double? { nil }

  mutating func resize(batch: Int) {}

  mutating func run() throws { _ = try frechetDistance(statistics[0], statistics[1]) }

  /// Writes `mu1`, `sigma1`, `mu2`, `sigma2`, and `distance`.
  func writeOutputs(to path: String) throws {
    try HDF5File.publish(path) { file in
      for (number, set) in zip(1..., statistics) {
        try file.root.write(set.mean, shape: [set.mean.count], to: "mu\(number)")
        try file.root.write(set.covariance, shape: [set.mean.count, set.mean.count], to: "sigma\(number)")
      }
      try file.root.write([try frechetDistance(statistics[0], statistics[1])], shape: [1], to: "distance")
    }
  }
}
