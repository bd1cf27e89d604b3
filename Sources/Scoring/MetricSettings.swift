import Diagnostics
import Models
import OptionValues

/// Which metrics are measured, and how.
public struct MetricSettings: Sendable, Equatable {
  /// What is measured, in this order.
  public var metrics: [Metric]
  /// The name of the Frechet distance, and the beginning of the other figures' names; nil for each metric's own.
  public var figure: String?
  /// The seed of every draw.
  public var seed: UInt64 = 0
  /// Options of the Frechet distance.
  public var frechet = FrechetMetric()
  /// Options of the kernel distance.
  public var kernel = KernelMetric()
  /// Options of the Inception Score.
  public var inception = InceptionScoreMetric()
  /// Options of precision and recall.
  public var precisionRecall = PrecisionRecallMetric()
  /// Options of the extrapolated distance.
  public var extrapolated = ExtrapolatedMetric()

  /// - Parameters:
  ///   - metrics: what is measured.
  ///   - figure: the name of the Frechet distance; nil for `fid`.
  public init(_ metrics: [Metric] = [.fid], figure: String? = nil) {
    self.metrics = metrics
    self.figure = figure
  }

  /// Where metrics are registered: the one with these options.
  func definition(of metric: Metric) -> any MetricDefinition {
    switch metric {
    case .fid: frechet
    case .kid: kernel
    case .inceptionScore: inception
    case .precisionRecall: precisionRecall
    case .extrapolated: extrapolated
    }
  }

  /// What all of them need.
  var needs: MetricNeeds { metrics.reduce(into: []) { $0.formUnion(definition(of: $1).needs) } }

  /// Whether the feature vectors of the scored images are needed.
  public var needsFeatures: Bool { needs.contains(.features) }

  /// Whether the class scores of the scored images are needed.
  public var needsScores: Bool { needs.contains(.scores) }

  /// Whether the feature vectors behind the reference are needed.
  public var needsReferenceFeatures: Bool { needs.contains(.referenceFeatures) }

  /// What has to be kept of each scored image, beside the moments.
  public var kept: FeatureKinds {
    var kinds: FeatureKinds = []
    if needsFeatures { kinds.insert(.features) }
    if needsScores { kinds.insert(.scores) }
    return kinds
  }

  /// The first metric that needs something.
  func first(needing needs: MetricNeeds) -> Metric? { metrics.first { definition(of: $0).needs.contains(needs) } }

  /// Refuses a network that does not have what the metrics need.
  /// - Parameter features: the network's file, for the error.
  public func requireNetwork(_ network: FeatureNetwork, features: String) throws {
    guard let metric = first(needing: .scores), network.scoreCount == nil else { return }
    throw Failure(.dataError, features, "the network has no class scores, which --metrics \(metric.rawValue) needs")
  }

  /// The name of a figure: `fid` is the given name, and `kid` is `NAME_kid`, where a name was given.
  func name(_ own: String) -> String {
    guard let figure else { return own }
    return own == "fid" ? figure : "\(figure)_\(own)"
  }
}
