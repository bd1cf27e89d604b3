import Compute
import Diagnostics
import Synchronization
import TrainingData

/// Which entry of a data set stands at which place of a training, as the official trainer's sampler visits them.
///
/// The order is shuffled once; then the sampler walks around it for ever and swaps each element it has given with one
/// of those within half a round behind it.
public final class DatasetOrder: Sendable {
  private let batch: Int
  private let walk: Mutex<ShuffledWalk>

  /// - Parameters:
  ///   - count: entries of the data set, at least 1.
  ///   - batch: images per iteration; each iteration takes that many for the fake score, then as many for the generator.
  ///   - seed: of the shuffling.
  public init(count: Int, batch: Int, seed: UInt64) {
    precondition(count > 0, "a data set without images")
    self.batch = batch
    walk = Mutex(ShuffledWalk(count: count, seed: seed))
  }

  /// The entries for the images `images` of a step of the iteration that begins after `imagesSeen`.
  public func indices(_ phase: DistillationPhase, imagesSeen: Int, images: Range<Int>) -> [Int] {
    let first = 2 * imagesSeen + (phase == .fakeScore ? 0 : batch) + images.lowerBound
    return walk.withLock { $0.indices(first..<first + images.count) }
  }
}

/// Class labels with the frequencies and in the order of a data set.
public struct DatasetLabels: LabelSource {
  private let labels: [Int]
  private let classes: Int
  private let order: DatasetOrder

  /// - Parameters:
  ///   - labels: the class of each image, in the data set's order; not empty.
  ///   - classes: number of classes of the network.
  ///   - batch: images per iteration.
  ///   - seed: of the shuffling.
  public init(_ labels: [Int], classes: Int, batch: Int, seed: UInt64) {
    self.init(labels, classes: classes, order: DatasetOrder(count: labels.count, batch: batch, seed: seed))
  }

  /// - Parameters:
  ///   - labels: the class of each image, in the data set's order.
  ///   - classes: number of classes of the network.
  ///   - order: the order of that data set, which images from it may share.
  public init(_ labels: [Int], classes: Int, order: DatasetOrder) {
    (self.labels, self.classes, self.order) = (labels, classes, order)
  }

  /// One-hot labels in the order of the walk.
  public func labels(_ phase: DistillationPhase, imagesSeen: Int, images: Range<Int>) -> Tensor? {
    oneHot(
      order.indices(phase, imagesSeen: imagesSeen, images: images).map { labels[$0] }, classes: classes)
  }
}
