import Compute
import Distillation
import Models
import Stage
import Training

/// What a run will cost.
extension DistillationRun {
  /// The share of the speed of large matrix products that a training reaches.
  private static let expectedEfficiency = 0.4

  /// Eleven forward passes' worth of work an image: one and three for the fake score's step; three, two and two for the
  /// generator's. Evaluations come on top.
  func estimate(_ evaluator: Evaluator?, _ place: Place) -> Estimate {
    let cost = teacher.cost
    let weights = 4 * teacher.parameterCount
    // The networks that are trained, averages and moments; beside them the teacher and the sums of gradients.
    let trainedSets = TrainingState(teacher: teacher, settings: settings).networks.reduce(0) { $0 + $1.weightSets }
    let heldSums = settings.cut.heldSums(ranks: place.allRanks)
    let sets = 1 + trainedSets + heldSums
    // Three networks, read forward and backward, in the form of the convolutions.
    let prepared = min(6 * teacher.preparedWeightBytes, WeightCache.limitBytes)
    let shape = teacher.imageShape
    let warp =
      settings.augment > 0
      ? warpCost(height: shape[0], width: shape[1], channels: shape[2]) : (flops: 0, scratchFloats: 0)
    // The generator's step keeps its own pass and those of both score networks. While they are unwound its gradients take
    // their place.
    let kept =
      settings.checkpointsActivations
      ? 3 * cost.checkpointedFloats + cost.largestKeptFloats : cost.keptFloats + 2 * cost.frozenFloats
    let passing = 2 * cost.largestBlockFloats + teacher.configuration.labelDim
    let activations =
      4 * Double(settings.microbatch) * Double(kept + passing)
      + 4 * Double(max(cost.attentionGradientFloats, warp.scratchFloats) * place.threads)
    var unwinding = max(activations, Double(weights) + 4 * Double(settings.microbatch * passing))
    if place.allRanks > 1 {
      // The sum over all ranks with what is sent and received for it, and what rank 0 gathers when it saves within a batch.
      let messages = min(4 * messageBucket, weights) * (2 * heldSums + 3)
      unwinding = max(unwinding, Double(weights + messages), Double((place.allRanks - 1) * heldSums * weights))
    }
    // The state is written beside the old one; then come the generator, the best one and the snapshots.
    let stateSets = 2 * (trainedSets + settings.cut.heldSums(ranks: place.allRanks))
    let snapshots = Int(min(settings.durationKimg / command.evaluation.snapshotKimg, 1e6))
    // The discriminator's pass over the real images: the encoder, about half of a network, forward and backward.
    let passes = settings.adversarial == nil ? 11.0 : 12.5
    let training = (passes * cost.flops + warp.flops) * Double(settings.durationImages)
    // One at the start and one at the end of each interval.
    let evaluations = 1 + (settings.durationKimg / evaluateKimg).rounded(.up)
    let flops = training + evaluations * (evaluator?.flops(teacher) ?? 0)
    return Estimate(
      work:
        "\(settings.durationImages) images of \(teacher.configuration.imgResolution)x\(teacher.configuration.imgResolution) pixels",
      flops: flops,
      peakMemoryBytes: byteCount(
        Double(place.ranks)
          * (Double(NetworkCost.processBytes + sets * weights + (evaluator?.memoryBytes ?? 0))
            + NetworkCost.memoryFactor * (Double(prepared) + unwinding))),
      diskBytes: byteCount(Double(stateSets + 2 + snapshots) * Double(weights)),
      hours: flops / (Threads.measuredFlops(threads: place.threads) * Self.expectedEfficiency) / 3600
        / Double(place.allRanks),
      workers: place.allRanks > 1 ? "\(place.allRanks) ranks of \(place.threads) threads" : nil)
  }
}
