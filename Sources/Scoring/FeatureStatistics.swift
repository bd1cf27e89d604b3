import Diagnostics
import HDF5

/// Mean and covariance of a feature network over a set of images: what a Frechet distance compares.
public struct FeatureStatistics: Sendable, Equatable {
  /// The mean, [D].
  public let mean: [Double]
  /// The covariance, divided by N - 1, [D, D], row-major.
  public let covariance: [Double]
  /// The number N of images.
  public let imageCount: Int
  /// The SHA-256 of the feature network's file.
  public let featureNetworkSHA256: String

  /// The `format` attribute of a statistics file.
  public static let format = "sid-statistics"

  /// The length D of a feature vector.
  public var featureCount: Int { mean.count }

  /// The total variance: the trace of the covariance.
  public var variance: Double { (0..<featureCount).reduce(0) { $0 + covariance[$1 * featureCount + $1] } }

  /// The statistics of gathered features.
  /// - Throws: a `Failure` with status `dataError` where there are fewer than two images.
  public init(_ moments: FeatureMoments, featureNetworkSHA256: String, origin: String) throws {
    guard moments.count >= 2 else {
      throw Failure(.dataError, origin, "\(moments.count) image(s); a covariance needs at least 2")
    }
    (mean, covariance) = moments.statistics()
    imageCount = moments.count
    self.featureNetworkSHA256 = featureNetworkSHA256
  }

  /// Reads a statistics file (`sid-statistics`): `/mu` [D], `/sigma` [D, D], `num_images`, `feature_network`.
  /// - Throws: a `Failure` naming the file and what in it is missing or impossible.
  public init(contentsOf path: String) throws {
    let file = try HDF5File.open(path)
    try file.requireFormat(Self.format)
    let mu = try file.root.dataset("mu")
    let sigma = try file.root.dataset("sigma")
    guard mu.shape.count == 1, mu.shape[0] > 0, sigma.shape == [mu.shape[0], mu.shape[0]] else {
      throw Failure(
        .dataError, path, "`mu` of shape \(mu.shape) and `sigma` of shape \(sigma.shape); [D] and [D, D] are expected")
    }
    mean = try mu.read(Double.self)
    covariance = try sigma.read(Double.self)
    imageCount = try file.root.intAttribute("num_images")
    featureNetworkSHA256 = try file.root.stringAttribute("feature_network")
    guard imageCount >= 2 else {
      throw Failure(.dataError, path, "`num_images` is \(imageCount), at least 2 are expected")
    }
    let size = mean.count
    for row in 0..<size {
      guard mean[row].isFinite else { throw Failure(.dataError, path, "`mu` holds numbers that are not finite") }
      for column in 0...row {
        let (value, mirrored) = (covariance[row * size + column], covariance[column * size + row])
        guard value.isFinite, abs(value - mirrored) <= 1e-9 * max(abs(value), 1) else {
          throw Failure(.dataError, path, "`sigma` is not a finite, symmetric matrix")
        }
      }
    }
  }

  /// Writes `format`, `format_version`, `mu`, `sigma`, `num_images` and `feature_network` into a new file.
  public func write(to file: HDF5File) throws {
    try file.root.setAttribute("format", Self.format)
    try file.root.setAttribute("format_version", 1)
    try file.root.setAttribute("num_images", imageCount)
    try file.root.setAttribute("feature_network", featureNetworkSHA256)
    try file.root.write(mean, shape: [featureCount], to: "mu")
    try file.root.write(covariance, shape: [featureCount, featureCount], to: "sigma")
  }

  /// The Frechet distance to other statistics of the same feature network.
  public func frechetDistance(to other: FeatureStatistics) throws -> Double {
    try Scoring.frechetDistance((mean, covariance), (other.mean, other.covariance))
  }
}
