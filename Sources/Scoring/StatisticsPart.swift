import Diagnostics
import Foundation
import HDF5
import Models

/// One machine's share of the statistics of a set of images (`sid-statistics-part`): the moments of each of its segments.
///
/// Of images that were drawn with replacement each draw counts as an image.
///
/// `/segments` float64 [S, 1 + D + D(D+1)/2]: count, mean, and the upper triangle of the sum of squared deviations, row by
/// row; `/features` and `/scores` where they were kept. Attributes `first_image`, `num_images`, `total_images`, `images`
/// (a digest of all of them), `feature_network`, `input_convention`.
public enum StatisticsPart {
  /// The `format` attribute of such a file.
  public static let format = HDF5Format("sid-statistics-part")

  /// Writes what a pass over a share has gathered into a new file.
  /// - Parameters:
  ///   - images: the digest of the whole collection.
  public static func write(
    _ gathered: GatheredImages, images: String, featureNetworkSHA256: String, convention: InputConvention,
    to file: HDF5File
  ) throws {
    guard let segments = gathered.segments else { preconditionFailure("the pass was over no share") }
    let root = file.root
    try root.setFormat(format)
    try root.setAttribute("first_image", gathered.rows.lowerBound)
    try root.setAttribute("num_images", gathered.rows.count)
    try root.setAttribute("total_images", gathered.totalRows)
    try root.setAttribute("num_features", gathered.moments.featureCount)
    try root.setAttribute("images", [images])
    try root.setAttribute("feature_network", featureNetworkSHA256)
    try root.setAttribute("input_convention", convention.rawValue)
    let dataset = try root.createDataset("segments", of: Double.self, shape: [segments.count, segments.width])
    for row in 0..<segments.count {
      try Interruption.check()
      let line = try [Double](unsafeUninitializedCapacity: segments.width) { buffer, count in
        if let base = buffer.baseAddress { try segments.read(row..<row + 1, into: base) }
        count = segments.width
      }
      try dataset.write(line, rows: row..<row + 1)
    }
    if let features = gathered.features { try features.write(to: root, name: "features") }
    if let scores = gathered.scores { try scores.write(to: root, name: "scores") }
  }
}
