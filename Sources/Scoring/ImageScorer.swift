import Compute
import Diagnostics
import Files
import Models

/// A feature network and a reference that belong together, and what is measured against it.
///
/// ```swift
/// let scorer = try ImageScorer(features: "inception.h5", reference: "cifar10.h5", settings: MetricSettings([.fid, .kid]))
/// var gathered = scorer.gathering()
/// while let images = next() { try scorer.add(images, shape: [32, 32, 3], to: &gathered, origin: "samples") }
/// for score in try scorer.scores(of: gathered, origin: "samples") { print(score.figure, score.value) }
/// ```
public struct ImageScorer {
  /// The feature network.
  public let network: FeatureNetwork
  /// The SHA-256 of its file.
  public let featureNetworkSHA256: String
  /// How images become the network's input.
  public let convention: InputConvention
  /// The real images.
  public let reference: FeatureSet
  /// What is measured.
  public let settings: MetricSettings

  /// - Parameters:
  ///   - features: a feature network's file (`sid-features`).
  ///   - reference: a statistics file: `sid-statistics`, or an npz with `mu` and `sigma`.
  ///   - convention: how images become the network's input; nil for the reference's.
  ///   - npz: what an npz reference does not say.
  ///   - settings: what is measured.
  /// - Throws: a `Failure` where a file cannot be used, where reference, network and convention do not belong together, or
  ///   where a metric needs what the reference or the network does not have.
  public init(
    features: String, reference: String, convention: InputConvention? = nil, npz: NpzConventions = NpzConventions(),
    settings: MetricSettings = MetricSettings()
  ) throws {
    try self.init(
      network: FeatureNetwork(contentsOf: features), featureNetworkSHA256: SHA256.hexDigest(ofFile: features),
      features: features, reference: FeatureSet(reference: reference, npz: npz), origin: reference,
      convention: convention, settings: settings)
  }

  /// The same from what is in memory.
  /// - Parameters:
  ///   - features: names the network in errors.
  ///   - origin: names the reference in errors.
  public init(
    network: FeatureNetwork, featureNetworkSHA256: String, features: String, reference: FeatureSet, origin: String,
    convention: InputConvention? = nil, settings: MetricSettings = MetricSettings()
  ) throws {
    let statistics = reference.statistics
    (self.network, self.featureNetworkSHA256, self.reference) = (network, featureNetworkSHA256, reference)
    (self.convention, self.settings) = (convention ?? statistics.convention, settings)
    try statistics.requireNetwork(featureNetworkSHA256, convention: self.convention, features: features, origin: origin)
    guard network.conventions.contains(self.convention) else {
      throw Failure(
        .dataError, origin,
        "statistics under the convention \(self.convention.rawValue); \(features) knows "
          + network.conventions.map(\.rawValue).joined(separator: " and "))
    }
    guard statistics.featureCount == network.featureCount else {
      throw Failure(
        .dataError, origin,
        "statistics of \(statistics.featureCount) features, the network has \(network.featureCount)")
    }
    if let metric = settings.first(needing: .referenceFeatures), reference.features == nil {
      throw Failure(
        .dataError, origin, "it holds statistics without the features that --metrics \(metric.rawValue) compares",
        remedy: "make it with sid-score reference --keep-features, or give the real images themselves as --reference")
    }
    try settings.requireNetwork(network, features: features)
  }

  /// Nothing yet, to be filled by `add`.
  public func gathering() -> GatheredFeatures {
    GatheredFeatures(
      featureCount: network.featureCount, keepsFeatures: settings.needsFeatures,
      scoreCount: settings.needsScores ? network.scoreCount : nil)
  }

  /// Takes the features of some images.
  ///
  /// - Parameters:
  ///   - images: bytes in image, row, column, channel order, of whole images.
  ///   - shape: height, width and channels; `network.requireImageShape` lets them pass.
  ///   - gathered: what there is so far.
  ///   - origin: names the images in errors.
  /// - Throws: a `Failure` where features are not finite.
  public func add(_ images: [UInt8], shape: [Int], to gathered: inout GatheredFeatures, origin: String) throws {
    gathered.add(try outputs(images, shape: shape, origin: origin))
  }

  /// What the network says of some images, for `GatheredFeatures.add`.
  ///
  /// - Throws: a `Failure` where features are not finite.
  public func outputs(_ images: [UInt8], shape: [Int], origin: String) throws -> FeatureOutputs {
    let outputs = network.outputs(
      images: images, shape: shape, convention: convention, wanted: settings.kept.union(.features))
    guard outputs.features.isFinite, outputs.scores?.isFinite ?? true else {
      throw Failure(.dataError, origin, "the features of an image are not finite numbers")
    }
    return outputs
  }

  /// The same from their numbers, as another process sends them.
  /// - Parameter numbers: `FeatureOutputs.numbers` of the same network and settings.
  public func outputs(numbers: [Float]) -> FeatureOutputs {
    FeatureOutputs(
      numbers: numbers, featureCount: network.featureCount,
      scoreCount: settings.kept.contains(.scores) ? network.scoreCount : nil)
  }

  /// The figures of gathered features, in the order of the metrics.
  /// - Throws: a `Failure` where there are too few images.
  public func scores(of gathered: GatheredFeatures, origin: String) throws -> [Score] {
    let statistics = try FeatureStatistics(
      gathered.moments, featureNetworkSHA256: featureNetworkSHA256, convention: convention, origin: origin)
    let rows = gathered.rows
    return try scores(
      of: FeatureSet(statistics: statistics, features: rows.features, scores: rows.scores), origin: origin)
  }

  /// The figures of a set of images, in the order of the metrics.
  ///
  /// - Parameters:
  ///   - samples: of the scored images.
  ///   - isResampled: whether the images were drawn with replacement.
  ///   - origin: names the images in errors.
  /// - Throws: a `Failure` where there are too few images, or a metric needs what was not kept.
  public func scores(of samples: FeatureSet, isResampled: Bool = false, origin: String) throws -> [Score] {
    let measurement = try Measurement(
      samples: samples, reference: reference, settings: settings, isResampled: isResampled, origin: origin)
    return try measurement.scores()
  }
}

extension FeatureStatistics {
  /// Refuses statistics of another feature network or another input convention: they cannot be compared.
  public func requireNetwork(_ sha256: String, convention wanted: InputConvention, features: String, origin: String)
    throws
  {
    if let found = featureNetworkSHA256, found != sha256 {
      throw Failure(
        .dataError, origin,
        "made with another feature network (SHA-256 \(found.prefix(8))) than \(features) (\(sha256.prefix(8)))",
        remedy: "make the statistics again: sid-score reference --features \(features)")
    }
    guard convention == wanted else {
      throw Failure(
        .dataError, origin,
        "made under the input convention \(convention.rawValue), not \(wanted.rawValue): their features cannot be compared",
        remedy: "leave --convention out, or make the statistics again with it")
    }
  }
}
