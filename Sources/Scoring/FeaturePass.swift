import Compute
import Diagnostics
import Files
import Foundation
import Models

/// Which images of a collection count, and how often.
public enum ImageSelection: Sendable, Equatable {
  /// The first so many; nil for all.
  case first(Int?)
  /// So many draws with replacement from all of them, by a seed.
  case resampled(Int, seed: UInt64)
}

/// What a pass over images leaves.
public struct GatheredImages {
  /// The moments of their features.
  public let moments: FeatureMoments
  /// The feature vectors, where they were to be kept.
  public let features: (any FeatureRows)?
  /// The class scores, where they were to be kept.
  public let scores: (any FeatureRows)?
  /// The packed moments of each segment, for a share.
  let segments: RowFile<Double>?
  /// Which rows these are, of how many.
  let rows: Range<Int>
  let totalRows: Int
}

/// One pass of a feature network over images, which can be interrupted and continued.
///
/// The results do not depend on where it was interrupted, on the size of a batch, or on the number of threads. Memory does
/// not depend on the number of images: what is kept of each goes to files.
public struct FeaturePass {
  private let collection: ImageCollection
  private let network: FeatureNetwork
  private let convention: InputConvention
  private let kept: FeatureKinds
  /// Height, width and channels.
  private let imageShape: [Int]
  /// The images that are read.
  private var range: Range<Int>
  /// How often each of them counts; nil for once each.
  private var repetitions: ArraySlice<Int>?
  /// Its rows among those of all shares.
  private var rows: Range<Int>
  private var isShare = false

  /// Where the images are.
  public var origin: String { collection.path }

  /// The number of images that are read.
  public var imageCount: Int { range.count }

  /// The number of rows that are kept of them: draws with replacement keep one each.
  public var rowCount: Int { rows.count }

  /// The number of rows of all shares.
  public let totalRows: Int

  /// Images that go through the network at once.
  public static let batch = 256
  /// Images between two saved states.
  static let imagesPerSave = FeatureMoments.segmentRows

  /// - Parameters:
  ///   - collection: the images.
  ///   - network: the feature network.
  ///   - convention: how the images become its input.
  ///   - kept: what is kept of each image beside the moments.
  ///   - selection: which images count.
  /// - Throws: a `Failure` with status `dataError` where the images do not fit the network or are too few.
  public init(
    _ collection: ImageCollection, network: FeatureNetwork, convention: InputConvention = .native,
    keeping kept: FeatureKinds = [], selection: ImageSelection
  ) throws {
    imageShape = [collection.shape.height, collection.shape.width, collection.shape.channels]
    try network.requireImageShape(imageShape, origin: collection.path)
    let drawn: Int
    switch selection {
    case .first(let limit):
      guard limit ?? 0 <= collection.count else {
        throw Failure(
          .dataError, collection.path, "holds \(collection.count) images, \(limit ?? 0) are asked for",
          remedy: "lower --count")
      }
      drawn = limit ?? collection.count
      range = 0..<drawn
    case .resampled(let draws, let seed):
      drawn = collection.count > 0 ? draws : 0
      let all = Self.drawCounts(draws: drawn, images: collection.count, seed: seed)
      range = 0..<(all.lastIndex { $0 > 0 } ?? -1) + 1
      repetitions = all[range]
    }
    guard drawn >= 2 else {
      throw Failure(.dataError, collection.path, "\(drawn) image(s) to be scored; a covariance needs at least 2")
    }
    (rows, totalRows) = (0..<drawn, drawn)
    (self.collection, self.network, self.convention) = (collection, network, convention)
    self.kept = network.scoreCount == nil ? kept.subtracting(.scores) : kept
  }

  /// Gathers moments and features.
  ///
  /// - Parameters:
  ///   - scratch: the beginning of the names of the files that hold an interrupted pass, from which it is continued; removed
  ///     by `removeScratch`. Nil for files without a name.
  ///   - identity: says from what the features are made; saved work of another identity is not used.
  ///   - isStopRequested: looked at after each batch.
  ///   - progress: is told how many images have been read.
  /// - Returns: what was gathered, or nil where it was stopped and the state is saved.
  /// - Throws: a `Failure` where images cannot be read or features are not finite.
  public func run(
    scratch: String? = nil, identity: String = "", isStopRequested: () -> Bool = { false },
    progress: (Int) -> Void = { _ in }
  ) throws -> GatheredImages? {
    var state = try saved(scratch, identity) ?? fresh(scratch, identity)
    var savedAt = state.nextImage
    progress(state.nextImage - range.lowerBound)
    while state.nextImage < range.upperBound {
      let batch = state.nextImage..<min(state.nextImage + Self.batch, range.upperBound)
      let images: [UInt8]
      do {
        images = try collection.images(batch)
      } catch is Interrupted {
        if let scratch { try state.save(to: Self.statePath(scratch), identity: identity) }
        return nil
      }
      let outputs = network.outputs(
        images: images, shape: imageShape, convention: convention, wanted: kept.union(.features))
      guard outputs.features.isFinite, outputs.scores?.isFinite ?? true else { throw notFinite(outputs, batch) }
      try state.add(outputs, repetitions: repetitions.map { Array($0[batch]) })
      state.nextImage = batch.upperBound
      progress(state.nextImage - range.lowerBound)
      let stop = state.nextImage < range.upperBound && isStopRequested()
      if let scratch, stop || state.nextImage - savedAt >= Self.imagesPerSave {
        try state.save(to: Self.statePath(scratch), identity: identity)
        savedAt = state.nextImage
      }
      if stop { return nil }
    }
    // What follows may take long, too, and is stopped without anything of its own to save.
    if let scratch, state.nextImage > savedAt { try state.save(to: Self.statePath(scratch), identity: identity) }
    try state.finish()
    return GatheredImages(
      moments: state.moments, features: state.features, scores: state.scores, segments: state.segments, rows: rows,
      totalRows: totalRows)
  }

  /// Removes the files of an interrupted pass, once what was made from it is published.
  /// - Throws: a `Failure` naming what cannot be removed.
  public static func removeScratch(_ scratch: String) throws {
    for suffix in scratchSuffixes { try AtomicFile.remove(scratch + suffix) }
  }

  private static let stateSuffix = ".moments.h5"
  /// What the names of an interrupted pass's files end in, in the order in which they are removed.
  static let scratchSuffixes = [stateSuffix, AtomicFile.partial(of: stateSuffix)] + PassState.rowNames

  private static func statePath(_ scratch: String) -> String { scratch + stateSuffix }

  private func saved(_ scratch: String?, _ identity: String) throws -> PassState? {
    guard let scratch else { return nil }
    let state = try? PassState(
      contentsOf: Self.statePath(scratch), scratch: scratch, identity: identity, layout: layout)
    guard let state, range.contains(state.nextImage) || state.nextImage == range.upperBound else { return nil }
    return state
  }

  /// Begins anew. What is saved goes first: its rows are about to be overwritten.
  private func fresh(_ scratch: String?, _ identity: String) throws -> PassState {
    if let scratch { try Self.removeScratch(scratch) }
    return try PassState(scratch: scratch, identity: identity, nextImage: range.lowerBound, layout: layout)
  }

  private var layout: PassState.Layout {
    PassState.Layout(
      featureCount: network.featureCount, keepsFeatures: kept.contains(.features),
      scoreCount: kept.contains(.scores) ? network.scoreCount : nil, keepsSegments: isShare)
  }

  private func notFinite(_ outputs: FeatureOutputs, _ batch: Range<Int>) -> Failure {
    let place = outputs.features.values.firstIndex { !$0.isFinite } ?? 0
    return Failure(
      .dataError, collection.path,
      "the features of image \(batch.lowerBound + place / network.featureCount) are not finite numbers")
  }

  /// The image of each of some draws.
  static func drawnImages(_ draws: Range<Int>, images: Int, seed: UInt64) -> some Sequence<Int> {
    let generator = Philox(seed: seed)
    return draws.lazy.map { generator.integer(below: images, stream: (UInt64($0), 0)) }
  }

  // MARK: Shares

  /// The number of segments of all rows, which is how many shares have something to do.
  public var segmentCount: Int { (totalRows + FeatureMoments.segmentRows - 1) / FeatureMoments.segmentRows }

  /// Bytes of the moments that a share leaves of each of its segments; 0 for a whole pass.
  public var segmentBytes: Int {
    let segments = (rows.count + FeatureMoments.segmentRows - 1) / FeatureMoments.segmentRows
    return isShare ? 8 * segments * MomentSum.packedCount(featureCount: network.featureCount) : 0
  }

  /// The pass over one machine's share of the rows: whole segments, so that the shares put together give the bits of one
  /// machine.
  /// - Returns: nil where there are fewer segments than this share's number.
  public func share(_ share: WorkShare) -> FeaturePass? {
    precondition(!isShare, "a share of a share")
    let (size, shares) = (FeatureMoments.segmentRows, min(share.count, segmentCount))
    guard share.index <= shares else { return nil }
    let (first, last) = ((share.index - 1) * segmentCount / shares, share.index * segmentCount / shares)
    var part = self
    part.isShare = true
    part.rows = first * size..<min(last * size, totalRows)
    part.range = part.rows
    guard let repetitions else { return part }
    // Of an image at its edge the share may have some of the draws.
    var next = 0
    let counts = repetitions.map { count in
      defer { next += count }
      return (next..<next + count).clamped(to: part.rows).count
    }
    let (start, end) = (counts.firstIndex { $0 > 0 } ?? 0, counts.lastIndex { $0 > 0 } ?? -1)
    part.range = start..<end + 1
    part.repetitions = counts[part.range]
    return part
  }

  /// The same where every share has to have something to do.
  /// - Throws: a `Failure` with status `dataError` where there are more shares than segments.
  public func requiredShare(_ share: WorkShare) throws -> FeaturePass {
    guard share.count <= segmentCount, let part = self.share(share) else {
      throw Failure(
        .dataError, collection.path,
        "\(totalRows) images are \(segmentCount) segments of \(FeatureMoments.segmentRows), too few for \(share.count) shares",
        remedy: "cut them into at most \(segmentCount) share(s)")
    }
    return part
  }

  /// How often each image is drawn.
  static func drawCounts(draws: Int, images: Int, seed: UInt64) -> [Int] {
    var counts = [Int](repeating: 0, count: images)
    for image in drawnImages(0..<draws, images: images, seed: seed) { counts[image] += 1 }
    return counts
  }
}
