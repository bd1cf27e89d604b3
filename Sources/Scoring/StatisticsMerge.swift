import Compute
import Diagnostics
import HDF5
import Models

/// Statistics of parts of a set of images, put together.
///
/// Shares of one set (`sid-statistics-part`) that leave nothing out give the bits that one run over all images gives,
/// kept features included. Complete statistics (`sid-statistics`) of different images are added up in the order given;
/// they agree with one run to rounding.
public struct StatisticsMerge {
  /// The statistics of all images, with the features that every part has kept.
  public let result: FeatureSet
  /// The digests of what the images were read from.
  public let images: [String]

  /// - Parameter paths: the files, in any order if they are shares.
  /// - Throws: a `Failure` where they are of different networks or conventions, overlap, or leave images out.
  public init(_ paths: [String]) throws {
    precondition(!paths.isEmpty, "nothing to merge")
    var parts = try paths.map { path in
      try Interruption.check()
      return try Part(path)
    }
    let first = parts[0]
    for part in parts.dropFirst() {
      func refuse(_ what: String, _ own: String, _ other: String) -> Failure {
        Failure(.dataError, part.path, "made with \(what) \(own), \(first.path) with \(other): they cannot be merged")
      }
      guard part.isShare == first.isShare else {
        throw Failure(
          .dataError, part.path, "\(part.kindName), but \(first.path) is \(first.kindName)",
          remedy: "merge the shares first")
      }
      guard part.network == first.network else {
        throw refuse("the feature network", String(part.network.prefix(8)), String(first.network.prefix(8)))
      }
      guard part.convention == first.convention else {
        throw refuse("the input convention", part.convention.rawValue, first.convention.rawValue)
      }
      guard part.featureCount == first.featureCount else {
        throw refuse("features of length", "\(part.featureCount)", "\(first.featureCount)")
      }
    }
    if first.isShare {
      parts.sort { $0.range.lowerBound < $1.range.lowerBound }
      try Self.checkShares(parts)
      images = first.images
    } else {
      var seen: [String: String] = [:]
      for part in parts {
        for digest in part.images {
          if let other = seen.updateValue(part.path, forKey: digest) {
            throw Failure(.dataError, part.path, "of the same images as \(other): they would count twice")
          }
        }
      }
      images = parts.flatMap(\.images)
    }
    var sum: MomentSum?
    for part in parts {
      try part.forEachSum { next in
        if sum == nil { sum = MomentSum(featureCount: next.featureCount) }
        sum?.add(next)
      }
    }
    guard let sum, sum.count >= 2 else { throw Failure(.dataError, first.path, "statistics of fewer than two images") }
    let (mean, covariance) = sum.statistics()
    result = FeatureSet(
      statistics: try FeatureStatistics(
        mean: mean, covariance: covariance, imageCount: sum.count, featureNetworkSHA256: first.network,
        convention: first.convention, origin: first.path),
      features: ConcatenatedRows(parts.map(\.features)), scores: ConcatenatedRows(parts.map(\.scores)))
  }

  private static func checkShares(_ parts: [Part]) throws {
    var next = 0
    for (index, part) in parts.enumerated() {
      guard part.images == parts[0].images, part.total == parts[0].total else {
        throw Failure(.dataError, part.path, "a share of other images than \(parts[0].path)")
      }
      guard part.range.lowerBound >= next else {
        throw Failure(
          .dataError, part.path,
          "its images from \(part.range.lowerBound) on are in \(parts[max(index - 1, 0)].path) too")
      }
      guard part.range.lowerBound == next else { throw missing(next..<part.range.lowerBound, parts[0]) }
      next = part.range.upperBound
    }
    guard next == parts[0].total else { throw missing(next..<parts[0].total, parts[0]) }
  }

  private static func missing(_ range: Range<Int>, _ part: Part) -> Failure {
    Failure(
      .dataError, part.path, "the share with the images \(range.lowerBound) to \(range.upperBound - 1) is missing",
      remedy: "name the files of all shares")
  }
}

/// A file that is merged.
private struct Part {
  let path: String
  let isShare: Bool
  let network: String
  let convention: InputConvention
  let images: [String]
  let featureCount: Int
  /// The images of a share; all of them otherwise.
  let range: Range<Int>
  let total: Int
  let features: (any FeatureRows)?
  let scores: (any FeatureRows)?
  private let content: Content

  private enum Content {
    case statistics(FeatureStatistics)
    case segments(HDF5Dataset)
  }

  var kindName: String { isShare ? "a share (\(StatisticsPart.format.name))" : "complete statistics" }

  init(_ path: String) throws {
    self.path = path
    let file = try HDF5File.open(path)
    let root = file.root
    isShare = try root.formatName() == StatisticsPart.format.name
    guard isShare else {
      let set = try FeatureSet(contentsOf: path)
      content = .statistics(set.statistics)
      guard let network = set.statistics.featureNetworkSHA256 else {
        throw Failure(.dataError, path, "it does not say with which feature network it was made")
      }
      (self.network, convention, featureCount) = (network, set.statistics.convention, set.statistics.featureCount)
      images = root.hasAttribute("images") ? try root.stringsAttribute("images") : []
      (range, total) = (0..<set.statistics.imageCount, set.statistics.imageCount)
      (features, scores) = (set.features, set.scores)
      return
    }
    try file.requireFormat(StatisticsPart.format)
    network = try root.stringAttribute("feature_network")
    let name = try root.stringAttribute("input_convention")
    guard let convention = InputConvention(rawValue: name) else {
      throw Failure(.dataError, path, "the unknown input convention \"\(name)\"")
    }
    self.convention = convention
    images = try root.stringsAttribute("images")
    total = try root.intAttribute("total_images")
    featureCount = try root.intAttribute("num_features")
    let (first, count) = (try root.intAttribute("first_image"), try root.intAttribute("num_images"))
    let segments = try root.dataset("segments")
    let size = FeatureMoments.segmentRows
    guard first >= 0, first % size == 0, count >= 1, total >= 2, total < 1 << 40, first <= total,
      count <= total - first,
      (1...1 << 16).contains(featureCount),
      segments.shape == [(count + size - 1) / size, MomentSum.packedCount(featureCount: featureCount)]
    else { throw Failure(.dataError, path, "not the moments of whole segments of \(size) images") }
    range = first..<first + count
    content = .segments(segments)
    features = root.contains("features") ? try StoredRows(root.dataset("features"), path: path) : nil
    scores = root.contains("scores") ? try StoredRows(root.dataset("scores"), path: path) : nil
    guard features.map({ $0.count == count && $0.width == featureCount }) ?? true,
      scores.map({ $0.count == count }) ?? true
    else { throw Failure(.dataError, path, "the kept features are not those of \(count) images") }
  }

  /// Calls `body` with the moments of each segment, or of everything.
  func forEachSum(_ body: (MomentSum) -> Void) throws {
    switch content {
    case .statistics(let statistics): body(MomentSum(statistics))
    case .segments(let dataset):
      var counted = 0
      for row in 0..<dataset.shape[0] {
        try Interruption.check()
        let line = try dataset.read(Double.self, rows: row..<row + 1)
        let expected = min(FeatureMoments.segmentRows, range.count - counted)
        guard let sum = MomentSum(packed: line, featureCount: featureCount), sum.count == expected else {
          throw Failure(.dataError, path, "segment \(row + 1) does not hold the moments of \(expected) images")
        }
        counted += sum.count
        body(sum)
      }
    }
  }
}

extension MomentSum {
  /// The moments behind statistics, to rounding.
  init(_ statistics: FeatureStatistics) {
    self.init(featureCount: statistics.featureCount)
    (count, mean) = (statistics.imageCount, statistics.mean)
    scatter = statistics.covariance.map { $0 * Double(statistics.imageCount - 1) }
  }
}

/// Rows of several files one after another.
struct ConcatenatedRows: FeatureRows {
  let count: Int
  let width: Int
  private let parts: [(rows: Range<Int>, source: any FeatureRows)]

  /// - Returns: nil where a part is missing, or has rows of another length.
  init?(_ sources: [(any FeatureRows)?]) {
    var parts: [(Range<Int>, any FeatureRows)] = []
    var next = 0
    for source in sources {
      guard let source, source.width == sources[0]?.width else { return nil }
      parts.append((next..<next + source.count, source))
      next += source.count
    }
    (self.parts, count, width) = (parts, next, sources.first??.width ?? 0)
  }

  func rows(_ range: Range<Int>) throws -> Tensor {
    try Tensor(shape: [range.count, width]) { target in
      for part in parts where part.rows.overlaps(range) {
        let rows = part.rows.clamped(to: range)
        let block = try part.source.rows(
          rows.lowerBound - part.rows.lowerBound..<rows.upperBound - part.rows.lowerBound)
        block.values.withUnsafeBufferPointer { source in
          guard let base = source.baseAddress else { return }
          (target + (rows.lowerBound - range.lowerBound) * width).update(from: base, count: source.count)
        }
      }
    }
  }
}
