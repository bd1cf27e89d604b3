import Diagnostics
import Files
import Models

/// A feature network and reference statistics that belong together.
public struct FrechetScorer: Sendable {
  /// The feature network.
  public let network: FeatureNetwork
  /// The SHA-256 of its file.
  public let featureNetworkSHA256: String
  /// The statistics of the real images.
  public let reference: FeatureStatistics

  /// - Parameters:
  ///   - features: a feature network's file (`sid-features`).
  ///   - reference: a statistics file (`sid-statistics`).
  /// - Throws: a `Failure` where a file cannot be used, or the statistics were made with another feature network.
  public init(features: String, reference: String) throws {
    network = try FeatureNetwork(contentsOf: features)
    featureNetworkSHA256 = try SHA256.hexDigest(ofFile: features)
    self.reference = try FeatureStatistics(contentsOf: reference)
    guard self.reference.featureNetworkSHA256 == featureNetworkSHA256 else {
      throw Failure(
        .dataError, reference,
        "made with another feature network (SHA-256 \(self.reference.featureNetworkSHA256?.prefix(8) ?? "unknown")) than \(features) "
          + "(\(featureNetworkSHA256.prefix(8)))",
        remedy: "make the statistics again: sid-score reference --features \(features)")
    }
    guard self.reference.featureCount == network.featureCount else {
      throw Failure(
        .dataError, reference,
        "statistics of \(self.reference.featureCount) features, the network has \(network.featureCount)")
    }
  }

  /// The Frechet distance of gathered features to the reference.
  /// - Parameter origin: names the images in errors.
  /// - Throws: a `Failure` where there are fewer than two images.
  public func distance(of moments: FeatureMoments, origin: String) throws -> Double {
    try FeatureStatistics(moments, featureNetworkSHA256: featureNetworkSHA256, origin: origin)
      .frechetDistance(to: reference)
  }
}
