import HDF5
import Models
import Records
import Scoring

/// What the record of a step says beside its files.
struct RecordContent {
  var figures: [String: JSONValue] = [:]
  var details: [String: JSONValue] = [:]

  /// Of scores.
  /// - Parameter digest: the SHA-256 of the feature network's file.
  init(_ scores: [Score], featureNetworkSHA256 digest: String, convention: String) {
    for score in scores {
      figures[score.figure] = .double(score.value)
      figures[FigureSpread.name(of: score.figure)] = score.spread.map { .double($0) }
    }
    details = [
      "feature_network": .string(digest), "input_convention": .string(convention),
      "metrics": .object(Dictionary(scores.map { ($0.figure, Self.summary($0)) }) { $1 }),
    ]
    guard let first = scores.first else { return }
    details["definition"] = .string(first.definition)
    details["images"] = .int(first.imageCount)
    details["reference_images"] = first.referenceImageCount.map { .int($0) }
  }

  /// Of statistics.
  init(statistics: FeatureStatistics) throws {
    details = [
      "num_images": .int(statistics.imageCount), "features": .int(statistics.featureCount),
      "variance": .double(statistics.variance), "input_convention": .string(statistics.convention.rawValue),
      "rank": .int(try covarianceRank(statistics.covariance, size: statistics.featureCount)),
    ]
    details["feature_network"] = statistics.featureNetworkSHA256.map { .string($0) }
  }

  /// Of one machine's share of the statistics of some images.
  init(shareOfImages count: Int) { details = ["num_images": .int(count)] }

  /// Of a score file.
  /// - Throws: a `Failure` where it cannot be read.
  init(scoresOf path: String) throws {
    let root = try HDF5File.open(path).root
    self.init(
      try Score.read(from: root), featureNetworkSHA256: try root.stringAttribute("feature_network"),
      convention: try root.stringAttribute("input_convention"))
  }

  /// Of a file of statistics, or of a share of them.
  /// - Throws: a `Failure` where it cannot be read.
  init(statisticsOf path: String) throws {
    let root = try HDF5File.open(path).root
    if try root.formatName() == StatisticsPart.format.name {
      self.init(shareOfImages: try root.intAttribute("num_images"))
    } else {
      try self.init(statistics: FeatureStatistics(contentsOf: path))
    }
  }

  /// With how many images a source gave, and how many it left out for what reason.
  /// - Parameter images: nil where statistics were given in their place.
  func counting(_ images: ImageCollection?) -> RecordContent {
    guard let images else { return self }
    var content = self
    content.details["images"] = .int(images.count)
    content.details["left_out"] = Self.leftOut(images)
    return content
  }

  /// With what the sources of a score left out.
  /// - Parameters:
  ///   - samples: the scored images; nil where their statistics were given.
  ///   - reference: the images of the reference.
  func leavingOut(_ samples: ImageCollection?, reference: ImageCollection?) -> RecordContent {
    var content = self
    content.details["left_out"] = samples.map { Self.leftOut($0) }
    content.details["reference_left_out"] = reference.map { Self.leftOut($0) }
    return content
  }

  private static func leftOut(_ images: ImageCollection) -> JSONValue {
    .object(images.leftOut.counts.mapValues { .int($0) })
  }

  private static func summary(_ score: Score) -> JSONValue {
    var fields: [String: JSONValue] = [
      "value": .double(score.value), "definition": .string(score.definition), "images": .int(score.imageCount),
    ]
    fields["reference_images"] = score.referenceImageCount.map { .int($0) }
    if let uncertainty = score.uncertainty {
      fields[uncertainty.kind.rawValue] = .double(uncertainty.value)
      fields["uncertainty"] = .string(uncertainty.origin)
    }
    if !score.sets.isEmpty { fields[FigureSpread.setsField] = .array(score.sets.map { .double($0) }) }
    if !score.notes.isEmpty { fields["notes"] = .array(score.notes.map { .string($0) }) }
    return .object(fields)
  }
}
