import Diagnostics
import Models

/// What can be measured of a set of images.
public enum Metric: String, Sendable, CaseIterable {
  /// The Frechet distance (Heusel et al. 2017, arXiv 1706.08500).
  case fid
  /// The kernel distance over subsets (Binkowski et al. 2018, arXiv 1801.01401).
  case kid
  /// The Inception Score over splits (Salimans et al. 2016, arXiv 1606.03498).
  case inceptionScore = "is"
  /// Improved precision and recall (Kynkaanniemi et al. 2019, arXiv 1904.06991).
  case precisionRecall = "pr"
  /// The Frechet distance extrapolated to infinitely many images (Chong & Forsyth 2020, arXiv 1911.07023).
  case extrapolated = "fd-infinity"

  /// Whether it needs the feature vectors of the scored images, not their moments alone.
  public var needsFeatures: Bool { self == .kid || self == .precisionRecall || self == .extrapolated }

  /// Whether it needs the feature vectors behind the reference.
  public var needsReferenceFeatures: Bool { self == .kid || self == .precisionRecall }

  /// Whether it needs the class scores of the scored images.
  public var needsScores: Bool { self == .inceptionScore }
}

/// Which metrics are measured, and how.
public struct MetricSettings: Sendable, Equatable {
  /// What is measured, in this order.
  public var metrics: [Metric]
  /// The name of the Frechet distance, and the beginning of the other figures' names; nil for each metric's own.
  public var figure: String?
  /// Subsets of the kernel distance.
  public var kernelSubsets = 100
  /// Images of each side in a subset; fewer where there are fewer.
  public var kernelSubsetSize = 1000
  /// Splits of the Inception Score.
  public var inceptionSplits = 10
  /// The neighbour whose distance is the radius around an image, in precision and recall.
  public var neighbour = 3
  /// The most images of each side in precision and recall; the first ones count.
  public var manifoldImages = 50_000
  /// Sample sizes of the extrapolation.
  public var extrapolationPoints = 15
  /// The smallest sample size of the extrapolation; half of the images where there are fewer than twice as many.
  public var extrapolationStart = 5000
  /// Resamples of the images behind the Frechet distance's standard error; 0 for none.
  public var bootstraps = 0
  /// The seed of every draw.
  public var seed: UInt64 = 0

  /// - Parameters:
  ///   - metrics: what is measured.
  ///   - figure: the name of the Frechet distance; nil for `fid`.
  public init(_ metrics: [Metric] = [.fid], figure: String? = nil) {
    self.metrics = metrics
    self.figure = figure
  }

  /// Whether the feature vectors of the scored images are needed.
  public var needsFeatures: Bool {
    metrics.contains { $0.needsFeatures } || (bootstraps > 0 && metrics.contains(.fid))
  }

  /// Whether the class scores of the scored images are needed.
  public var needsScores: Bool { metrics.contains { $0.needsScores } }

  /// Whether the feature vectors behind the reference are needed.
  public var needsReferenceFeatures: Bool { metrics.contains { $0.needsReferenceFeatures } }

  /// What has to be kept of each scored image, beside the moments.
  public var kept: FeatureKinds {
    var kinds: FeatureKinds = []
    if needsFeatures { kinds.insert(.features) }
    if needsScores { kinds.insert(.scores) }
    return kinds
  }

  /// Refuses a network that does not have what the metrics need.
  /// - Parameter features: the network's file, for the error.
  public func requireNetwork(_ network: FeatureNetwork, features: String) throws {
    guard !needsScores || network.scoreCount != nil else {
      throw Failure(.dataError, features, "the network has no class scores, which --metrics is needs")
    }
  }

  /// The name of a figure: `fid` is the given name, and `kid` is `NAME_kid`, where a name was given.
  func name(_ own: String) -> String {
    guard let figure else { return own }
    return own == "fid" ? figure : "\(figure)_\(own)"
  }
}
