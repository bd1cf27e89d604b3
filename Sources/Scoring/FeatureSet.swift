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

extension FeatureSet {
  /// Writes a statistics file (`sid-statistics`): the statistics, `images` (digests of what the images were read from), and
  /// where they were kept `/features` [N, D] and `/scores` [N, C].
  public func write(to file: HDF5File, images: [String]) throws {
    try statistics.write(to: file)
    try file.root.setAttribute("images", images)
    if let features { try features.write(to: file.root, name: "features") }
    if let scores { try scores.write(to: file.root, name: "scores") }
  }
}

extension FeatureRows {
  /// Writes the rows as a float32 data set, [count, width], block after block.
  func write(to group: HDF5Group, name: String) throws {
    let dataset = try group.createDataset(name, of: Float.self, shape: [count, width])
    try forEachBlock(of: 1024) { first, block in
      try dataset.write(block.values, rows: first..<first + block.shape[0])
    }
  }
}
