import Compute
import Models
import Stage
import Training

/// What a training takes, of which its estimate follows.
public struct TrainingCost {
  /// The share of the speed of an evaluation of its network that a training reaches, gradients and optimizer included.
  private static let expectedEfficiency = 0.85
  /// Floating-point operations of a pass that measures that speed.
  private static let measuredFlops = 4e11

  private let network: Network
  private let flopsPerImage: Double
  private let constantSets: Int, trainedSets: Int
  private let preparedNetworks: Int
  private let keptFloats: Int
  private let microbatch: Int
  private let isAugmented: Bool

  /// - Parameters:
  ///   - network: one of its architecture.
  ///   - flopsPerImage: of all passes, without augmentation.
  ///   - constantSets: weights of networks that are not trained, in sets of a network.
  ///   - trainedSets: those that change: networks, averages, moments.
  ///   - preparedNetworks: networks whose weights are kept in the form of the convolutions.
  ///   - keptFloats: what the passes of one image keep for the gradients.
  ///   - microbatch: images of a pass.
  ///   - isAugmented: whether images are augmented.
  public init(
    _ network: Network, flopsPerImage: Double, constantSets: Int, trainedSets: Int, preparedNetworks: Int,
    keptFloats: Int, microbatch: Int, isAugmented: Bool
  ) {
    (self.network, self.flopsPerImage) = (network, flopsPerImage)
    (self.constantSets, self.trainedSets, self.preparedNetworks) = (constantSets, trainedSets, preparedNetworks)
    (self.keptFloats, self.microbatch, self.isAugmented) = (keptFloats, microbatch, isAugmented)
  }

  /// - Parameter isTimed: whether the speed of this machine is measured, which takes a second or a few.
  func estimate(
    _ run: some StagedTraining, _ evaluator: Evaluator?, _ place: Place, isTimed: Bool = false
  ) -> Estimate {
    let cost = network.cost
    let weights = 4 * network.parameterCount
    let heldSums = run.cut.heldSums(ranks: place.allRanks)
    // Beside the networks the sums of gradients.
    let sets = constantSets + trainedSets + heldSums
    // Read forward and backward.
    let prepared = min(2 * preparedNetworks * network.preparedWeightBytes, WeightCache.limitBytes)
    let shape = network.imageShape
    let warp =
      isAugmented
      ? warpCost(height: shape[0], width: shape[1], channels: shape[2]) : (flops: 0, scratchFloats: 0)
    let passing = 2 * cost.largestBlockFloats + network.configuration.labelDim
    let activations =
      4 * Double(microbatch) * Double(keptFloats + passing)
      + 4 * Double(max(cost.attentionGradientFloats, warp.scratchFloats) * place.threads)
    // While the passes are unwound the gradients take their place.
    var unwinding = max(activations, Double(weights) + 4 * Double(microbatch * passing))
    if place.allRanks > 1 {
      // The sum over all ranks with what is sent and received for it, and what rank 0 gathers when it saves within a batch.
      let messages = min(4 * messageBucket, weights) * (2 * heldSums + 3)
      unwinding = max(unwinding, Double(weights + messages), Double((place.allRanks - 1) * heldSums * weights))
    }
    // The state is written beside the old one; then come the network, the best one and the snapshots.
    let stateSets = 2 * (trainedSets + heldSums)
    let snapshots = Int(min(run.durationKimg / run.evaluation.snapshotKimg, 1e6))
    // One evaluation at the start and one at the end of each interval.
    let evaluations = 1 + (run.durationKimg / run.evaluateKimg).rounded(.up)
    let flops =
      (flopsPerImage + warp.flops) * Double(run.durationImages) + evaluations * (evaluator?.flops(network) ?? 0)
    return Estimate(
      work: "\(run.durationImages) images of \(shape[0])x\(shape[1]) pixels",
      flops: flops,
      peakMemoryBytes: byteCount(
        Double(place.ranks)
          * (Double(NetworkCost.processBytes + sets * weights + (evaluator?.memoryBytes ?? 0))
            + NetworkCost.memoryFactor * (Double(prepared) + unwinding))),
      diskBytes: byteCount(
        Double(stateSets + 2 + snapshots) * Double(weights) + 3 * Double(evaluator?.keptBytes ?? 0)),
      hours: isTimed ? flops / flopsPerSecond(place) / 3600 / Double(place.allRanks) : nil,
      workers: place.allRanks > 1 ? "\(place.allRanks) ranks of \(place.threads) threads" : nil)
  }

  /// What a rank computes a second.
  private func flopsPerSecond(_ place: Place) -> Double {
    Threads.use(place.threads)
    let flops = network.cost.flops
    let images = min(Double(microbatch), max(1, (Self.measuredFlops / flops).rounded(.up)))
    return Self.expectedEfficiency * flops / max(network.measuredSecondsPerImage(images: Int(images)), 1e-9)
  }
}
