import Diagnostics
import Models

/// Consecutive sets of equal size that the scored images are divided into: what a figure is over each of them tells how far
/// it may be off.
///
/// A set holds the images, or with `ImageSelection.resampled` the draws, from `set * imageCount` on. Each is measured from
/// the features that were kept of its images, as if there were no others: to the same bits.
public struct ImageSets: Sendable, Equatable {
  /// The number N of sets.
  public let count: Int
  /// The number of images of each set, repetitions included.
  public let imageCount: Int
  private let selection: ImageSelection
  /// The number of images that draws are made from.
  private let collectionCount: Int

  /// - Parameters:
  ///   - count: the number of sets, at least two.
  ///   - collection: the images.
  ///   - selection: which of them count.
  /// - Throws: a `Failure` with status `dataError` where they cannot be divided so.
  public init(_ count: Int, of collection: ImageCollection, selection: ImageSelection) throws {
    precondition(count >= 2, "\(count) sets")
    let total: Int
    let name: String
    switch selection {
    case .first(let limit): (total, name) = (limit ?? collection.count, "count")
    case .resampled(let draws, _): (total, name) = (draws, "resample")
    }
    guard total >= 2 * count else {
      throw Failure(
        .dataError, collection.path, "\(total) image(s) are too few for \(count) sets: each needs at least 2",
        remedy: "lower --sets")
    }
    guard total.isMultiple(of: count) else {
      throw Failure(
        .dataError, collection.path, "\(total) images cannot be divided into \(count) sets of equal size",
        remedy: "use --\(name) \(total - total % count)")
    }
    (self.count, imageCount) = (count, total / count)
    (self.selection, collectionCount) = (selection, collection.count)
  }

  /// "4 consecutive sets of 5000 images"; what scores call them.
  var description: String { "\(count) consecutive sets of \(imageCount) images" }

  /// The rows of each set among those that a pass keeps.
  func rows(_ rows: any FeatureRows) -> [any FeatureRows] {
    guard case .resampled(_, let seed) = selection else {
      return (0..<count).map { SelectedRows(rows, at: $0 * imageCount..<($0 + 1) * imageCount) }
    }
    // The rows lie in the order of the images, each as often as it was drawn, and so do those of a set.
    var next = FeaturePass.drawCounts(draws: count * imageCount, images: collectionCount, seed: seed)
    var total = 0
    for image in next.indices { (next[image], total) = (total, total + next[image]) }
    return (0..<count).map { set in
      let draws = set * imageCount..<(set + 1) * imageCount
      let images = FeaturePass.drawnImages(draws, images: collectionCount, seed: seed).sorted()
      let places = images.map { image in
        defer { next[image] += 1 }
        return next[image]
      }
      return SelectedRows(rows, at: places)
    }
  }
}

extension ImageScorer {
  /// The figures of images as means over sets of them, each with the spread over the sets as its uncertainty.
  ///
  /// - Parameters:
  ///   - samples: of all the scored images, with the features that a pass has kept of them.
  ///   - sets: how they are divided.
  ///   - isResampled: whether the images were drawn with replacement.
  ///   - origin: names the images in errors.
  /// - Throws: a `Failure` where a set has too few images for a metric, naming the set.
  public func scores(of samples: FeatureSet, in sets: ImageSets, isResampled: Bool = false, origin: String) throws
    -> [Score]
  {
    guard let features = samples.features, features.count == sets.count * sets.imageCount else {
      throw Failure(.software, origin, "sets of images without the features of each")
    }
    let scores = samples.scores.map { sets.rows($0) }
    let ofSets = try sets.rows(features).enumerated().map { index, rows in
      let name = "\(origin), set \(index + 1) of \(sets.count)"
      var moments = FeatureMoments(featureCount: rows.width)
      try rows.forEachBlock(of: FeaturePass.batch) { _, block in moments.add(block) }
      let statistics = try FeatureStatistics(
        moments, featureNetworkSHA256: featureNetworkSHA256, convention: convention, origin: name)
      return try self.scores(
        of: FeatureSet(statistics: statistics, features: rows, scores: scores?[index]), isResampled: isResampled,
        origin: name)
    }
    return (0..<(ofSets.first?.count ?? 0)).map { figure in Score(meanOf: ofSets.map { $0[figure] }, over: sets) }
  }
}

extension Score {
  /// The mean of a figure over sets of images, and its spread: the sample standard deviation, divided by N - 1.
  ///
  /// What each set says of its own uncertainty, over subsets or splits of its images, gives way to the spread.
  init(meanOf scores: [Score], over sets: ImageSets) {
    precondition(scores.count == sets.count && scores.count >= 2, "\(scores.count) scores of \(sets.count) sets")
    let values = scores.map(\.value)
    let mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self = scores[0]
    value = mean
    definition += "; mean over \(sets.description)"
    uncertainty = Uncertainty(
      kind: .standardDeviation, value: (squares / Double(values.count - 1)).squareRoot(),
      origin: "sample standard deviation over \(sets.description)")
    self.sets = values
    notes = Self.notes(scores.map(\.notes))
  }

  /// What is to be known of every set, and of which sets what else is.
  private static func notes(_ sets: [[String]]) -> [String] {
    var places: [String: [Int]] = [:]
    var order: [String] = []
    for (index, notes) in sets.enumerated() {
      for note in notes {
        if places[note] == nil { order.append(note) }
        places[note, default: []].append(index + 1)
      }
    }
    return order.map { note in
      let found = places[note] ?? []
      guard found.count < sets.count else { return note }
      return "set\(found.count > 1 ? "s" : "") \(found.map(String.init).joined(separator: ", ")): \(note)"
    }
  }
}
