import Checkpoints
import Diagnostics
import HDF5
import Models

/// Mean and covariance of a feature network over a set of images: what a Frechet distance compares.
public struct FeatureStatistics: Sendable, Equatable {
  /// The mean, [D].
  public let mean: [Double]
  /// The covariance, divided by N - 1, [D, D], row-major.
  public let covariance: [Double]
  /// The number N of images.
  public let imageCount: Int
  /// The SHA-256 of the feature network's file; nil where the statistics do not say.
  public let featureNetworkSHA256: String?
  /// How the images' bytes became the network's input.
  public let convention: InputConvention

  /// The `format` attribute of a statistics file.
  public static let format = HDF5Format("sid-statistics")

  /// The length D of a feature vector.
  public var featureCount: Int { mean.count }

  /// The total variance: the trace of the covariance.
  public var variance: Double { (0..<featureCount).reduce(0) { $0 + covariance[$1 * featureCount + $1] } }

  /// The statistics of gathered features.
  /// - Throws: a `Failure` with status `dataError` where there are fewer than two images.
  public init(
    _ moments: FeatureMoments, featureNetworkSHA256: String, convention: InputConvention = .native, origin: String
  ) throws {
    guard moments.count >= 2 else {
      throw Failure(.dataError, origin, "\(moments.count) image(s); a covariance needs at least 2")
    }
    (mean, covariance) = moments.statistics()
    imageCount = moments.count
    self.featureNetworkSHA256 = featureNetworkSHA256
    self.convention = convention
  }

  /// Reads a statistics file (`sid-statistics`): `/mu` [D], `/sigma` [D, D], `num_images`, `feature_network`,
  /// `input_convention` (`native` where it is missing).
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
    let name =
      file.root.hasAttribute("input_convention")
      ? try file.root.stringAttribute("input_convention") : InputConvention.native.rawValue
    guard let convention = InputConvention(rawValue: name) else {
      throw Failure(
        .dataError, path,
        "`input_convention` is \"\(name)\"; known are \(InputConvention.allCases.map(\.rawValue).joined(separator: ", "))"
      )
    }
    try self.init(
      mean: mu.read(Double.self), covariance: sigma.read(Double.self),
      imageCount: file.root.intAttribute("num_images"),
      featureNetworkSHA256: file.root.stringAttribute("feature_network"), convention: convention, origin: path)
  }

  /// Statistics that were read from a file.
  /// - Throws: a `Failure` with status `dataError` where the numbers cannot be a mean and a covariance.
  init(
    mean: [Double], covariance: [Double], imageCount: Int, featureNetworkSHA256: String?, convention: InputConvention,
    origin: String
  ) throws {
    guard imageCount >= 2 else {
      throw Failure(.dataError, origin, "statistics of \(imageCount) image(s), at least 2 are expected")
    }
    let size = mean.count
    for row in 0..<size {
      guard mean[row].isFinite else { throw Failure(.dataError, origin, "`mu` holds numbers that are not finite") }
      for column in 0...row {
        let (value, mirrored) = (covariance[row * size + column], covariance[column * size + row])
        guard value.isFinite, abs(value - mirrored) <= 1e-9 * max(abs(value), 1) else {
          throw Failure(.dataError, origin, "`sigma` is not a finite, symmetric matrix")
        }
      }
    }
    (self.mean, self.covariance, self.imageCount) = (mean, covariance, imageCount)
    (self.featureNetworkSHA256, self.convention) = (featureNetworkSHA256, convention)
  }

  /// Writes `format`, `format_version`, `mu`, `sigma`, `num_images`, `feature_network` and `input_convention` into a new
  /// file.
  public func write(to file: HDF5File) throws {
    try file.root.setFormat(Self.format)
    try file.root.setAttribute("num_images", imageCount)
    if let featureNetworkSHA256 { try file.root.setAttribute("feature_network", featureNetworkSHA256) }
    try file.root.setAttribute("input_convention", convention.rawValue)
    try file.root.write(mean, shape: [featureCount], to: "mu")
    try file.root.write(covariance, shape: [featureCount, featureCount], to: "sigma")
  }

  /// The same with a feature network that the user vouches for, where the file did not say one.
  public func withNetwork(_ sha256: String) throws -> FeatureStatistics {
    try FeatureStatistics(
      mean: mean, covariance: covariance, imageCount: imageCount, featureNetworkSHA256: featureNetworkSHA256 ?? sha256,
      convention: convention, origin: "statistics")
  }

  /// Publishes an npz with `mu` and `sigma`, as pytorch-fid and EDM read it.
  public func publishNpz(_ path: String) throws {
    try NumpyFile.publish(
      path,
      [
        NumpyArray("mu", shape: [featureCount], values: mean),
        NumpyArray("sigma", shape: [featureCount, featureCount], values: covariance),
      ])
  }

  /// The Frechet distance to other statistics of the same feature network.
  public func frechetDistance(to other: FeatureStatistics) throws -> Double {
    try Scoring.frechetDistance((mean, covariance), (other.mean, other.covariance))
  }
}
