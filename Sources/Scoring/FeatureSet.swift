import Compute
import Diagnostics
import HDF5
import Models

/// What is known of a set of images: the statistics of their features and, where they were kept, the features themselves.
public struct FeatureSet {
  /// Mean, covariance, and what they are of.
  public let statistics: FeatureStatistics
  /// The feature vectors, one row an image; nil where only the statistics are known.
  public let features: (any FeatureRows)?
  /// The class scores, one row an image.
  public let scores: (any FeatureRows)?

  /// - Parameters:
  ///   - statistics: of all the images.
  ///   - features: their feature vectors, where they were kept.
  ///   - scores: their class scores, where they were kept.
  public init(statistics: FeatureStatistics, features: (any FeatureRows)? = nil, scores: (any FeatureRows)? = nil) {
    (self.statistics, self.features, self.scores) = (statistics, features, scores)
  }

  /// Reads a statistics file (`sid-statistics`), with the features that it may hold.
  /// - Throws: a `Failure` naming the file and what in it is missing or impossible.
  public init(contentsOf path: String) throws {
    statistics = try FeatureStatistics(contentsOf: path)
    let root = try HDF5File.open(path).root
    features = root.contains("features") ? try StoredRows(root.dataset("features"), path: path) : nil
    scores = root.contains("scores") ? try StoredRows(root.dataset("scores"), path: path) : nil
    guard features.map({ $0.count == statistics.imageCount && $0.width == statistics.featureCount }) ?? true,
      scores.map({ $0.count == statistics.imageCount }) ?? true
    else {
      throw Failure(.dataError, path, "the kept features are not those of \(statistics.imageCount) images")
    }
  }
}

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

  mutating func add(_ outputs: FeatureOutputs) {
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
