import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Models

/// Which images of a collection count, and how often.
public enum ImageSelection: Sendable, Equatable {
  /// The first so many; nil for all.
  case first(Int?)
  /// So many draws with replacement from all of them, by a seed.
  case resampled(Int, seed: UInt64)
}

/// One pass of a feature network over images, which can be interrupted and continued.
///
/// The moments do not depend on where it was interrupted, on the size of a batch, or on the number of threads.
public struct MomentsPass {
  private let collection: ImageCollection
  private let network: FeatureNetwork
  private let convention: InputConvention
  /// Height, width and channels.
  private let imageShape: [Int]
  /// How often each image counts, up to the last one that does; nil for once each.
  private let repetitions: [Int]?
  /// The images that are read.
  public let imageCount: Int

  /// Images that go through the network at once.
  public static let batch = 256
  /// Images between two saved states.
  static let imagesPerSave = 4096

  /// - Parameters:
  ///   - collection: the images.
  ///   - network: the feature network.
  ///   - convention: how the images become its input.
  ///   - selection: which images count.
  /// - Throws: a `Failure` with status `dataError` where the images do not fit the network or are too few.
  public init(
    _ collection: ImageCollection, network: FeatureNetwork, convention: InputConvention = .native,
    selection: ImageSelection
  ) throws {
    self.convention = convention
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
      imageCount = drawn
      repetitions = nil
    case .resampled(let draws, let seed):
      drawn = collection.count > 0 ? draws : 0
      let counts = Self.drawCounts(draws: drawn, images: collection.count, seed: seed)
      imageCount = (counts.lastIndex { $0 > 0 } ?? -1) + 1
      repetitions = Array(counts.prefix(imageCount))
    }
    guard drawn >= 2 else {
      throw Failure(.dataError, collection.path, "\(drawn) image(s) to be scored; a covariance needs at least 2")
    }
    self.collection = collection
    self.network = network
  }

  /// Gathers the moments.
  ///
  /// - Parameters:
  ///   - statePath: where an interrupted pass is saved and continued from; removed by `removeState`. Nil for nowhere.
  ///   - identity: says from what the moments are made; a saved state of another identity is not used.
  ///   - isStopRequested: looked at after each batch.
  ///   - progress: is told how many images have been read.
  /// - Returns: the moments, or nil where it was stopped and the state is saved.
  /// - Throws: a `Failure` where images cannot be read or features are not finite.
  public func run(
    statePath: String? = nil, identity: String = "", isStopRequested: () -> Bool = { false },
    progress: (Int) -> Void = { _ in }
  ) throws -> FeatureMoments? {
    var state =
      statePath.flatMap { try? MomentsState(contentsOf: $0, identity: identity, featureCount: network.featureCount) }
      ?? MomentsState(nextImage: 0, moments: FeatureMoments(featureCount: network.featureCount))
    if state.nextImage > imageCount {
      state = MomentsState(nextImage: 0, moments: FeatureMoments(featureCount: network.featureCount))
    }
    var saved = state.nextImage
    progress(state.nextImage)
    while state.nextImage < imageCount {
      let range = state.nextImage..<min(state.nextImage + Self.batch, imageCount)
      let features = network.outputs(
        images: try collection.images(range), shape: imageShape, convention: convention
      ).features
      guard features.isFinite else { throw notFinite(features, range) }
      state.moments.add(features, repetitions: repetitions.map { Array($0[range]) })
      state.nextImage = range.upperBound
      progress(state.nextImage)
      let stop = state.nextImage < imageCount && isStopRequested()
      if let statePath, stop || state.nextImage - saved >= Self.imagesPerSave {
        try state.save(to: statePath, identity: identity)
        saved = state.nextImage
      }
      if stop { return nil }
    }
    return state.moments
  }

  /// Removes a saved state, once what was made from it is published.
  public static func removeState(_ path: String) {
    unlink(path)
    unlink(path + ".partial")
  }

  private func notFinite(_ features: Tensor, _ range: Range<Int>) -> Failure {
    let place = features.values.firstIndex { !$0.isFinite } ?? 0
    return Failure(
      .dataError, collection.path,
      "the features of image \(range.lowerBound + place / network.featureCount) are not finite numbers")
  }

  /// How often each image is drawn.
  static func drawCounts(draws: Int, images: Int, seed: UInt64) -> [Int] {
    var counts = [Int](repeating: 0, count: images)
    let generator = Philox(seed: seed)
    for draw in 0..<draws { counts[generator.integer(below: images, stream: (UInt64(draw), 0))] += 1 }
    return counts
  }
}

/// How far a pass has come.
struct MomentsState: Equatable {
  var nextImage: Int
  var moments: FeatureMoments

  private static let format = "sid-moments"

  init(nextImage: Int, moments: FeatureMoments) {
    self.nextImage = nextImage
    self.moments = moments
  }

  /// Reads a saved state.
  /// - Throws: a `Failure` where it cannot be used: damaged, or of other work.
  init(contentsOf path: String, identity: String, featureCount: Int) throws {
    let file = try HDF5File.open(path)
    try file.requireFormat(Self.format)
    let pending = try file.root.dataset("pending")
    let mean = try file.root.dataset("mean")
    let scatter = try file.root.dataset("scatter")
    nextImage = try file.root.intAttribute("next_image")
    let count = try file.root.intAttribute("blocked_count")
    guard try file.root.stringAttribute("identity") == identity, mean.shape == [featureCount],
      scatter.shape == [featureCount, featureCount], pending.shape.count == 2, pending.shape[1] == featureCount,
      pending.shape[0] < FeatureMoments.blockRows, nextImage >= 0, count >= 0
    else { throw Failure(.dataError, path, "the state of other work") }
    moments = FeatureMoments(
      featureCount: featureCount, blockedCount: count, mean: try mean.read(Double.self),
      scatter: try scatter.read(Double.self), pending: try pending.read(Double.self))
  }

  func save(to path: String, identity: String) throws {
    try HDF5File.publish(path) { file in
      try file.root.setAttribute("format", Self.format)
      try file.root.setAttribute("format_version", 1)
      try file.root.setAttribute("identity", identity)
      try file.root.setAttribute("next_image", nextImage)
      try file.root.setAttribute("blocked_count", moments.blockedCount)
      let size = moments.featureCount
      try file.root.write(moments.mean, shape: [size], to: "mean")
      try file.root.write(moments.scatter, shape: [size, size], to: "scatter")
      try file.root.write(moments.pending, shape: [moments.pending.count / size, size], to: "pending")
    }
  }
}
