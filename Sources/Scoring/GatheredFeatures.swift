import Compute
import Models

/// Features of images as they come, in memory: the moments, and the rows where they are wanted.
public struct GatheredFeatures {
  /// Of all images so far.
  public private(set) var moments: FeatureMoments
  private var features: [Float]?
  private var scores: [Float]?
  private let scoreCount: Int

  init(featureCount: Int, keepsFeatures: Bool, scoreCount: Int?) {
    moments = FeatureMoments(featureCount: featureCount)
    features = keepsFeatures ? [] : nil
    scores = scoreCount == nil ? nil : []
    self.scoreCount = scoreCount ?? 0
  }

  /// The number of images.
  public var count: Int { moments.count }

  /// Takes what the network said of some images.
  public mutating func add(_ outputs: FeatureOutputs) {
    moments.add(outputs.features)
    features?.append(contentsOf: outputs.features.values)
    scores?.append(contentsOf: outputs.scores?.values ?? [])
  }

  /// The rows that were kept.
  var rows: (features: MemoryRows?, scores: MemoryRows?) {
    (
      features.map { MemoryRows(Tensor($0, shape: [count, moments.featureCount])) },
      scores.map { MemoryRows(Tensor($0, shape: [count, scoreCount])) }
    )
  }
}
