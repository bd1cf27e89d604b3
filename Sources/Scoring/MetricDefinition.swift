import OptionValues

/// What a metric reads of the scored images and of the reference, beside their moments.
struct MetricNeeds: OptionSet {
  let rawValue: Int

  /// The feature vectors of the scored images.
  static let features = MetricNeeds(rawValue: 1)
  /// The feature vectors behind the reference.
  static let referenceFeatures = MetricNeeds(rawValue: 2)
  /// The class scores of the scored images.
  static let scores = MetricNeeds(rawValue: 4)
  /// The normal distribution fitted to the reference.
  static let referenceDistribution = MetricNeeds(rawValue: 8)
}

/// A metric: its options as properties, what it needs, and how it is measured. Each is a file of its own, and a line
/// of `MetricSettings.definition(of:)`.
protocol MetricDefinition: Sendable {
  /// What has to be there.
  var needs: MetricNeeds { get }

  /// The figures of a set of images.
  /// - Throws: a `Failure` where there are too few images, or what is needed was not kept.
  func scores(of measurement: Measurement) throws -> [Score]
}
