import Diagnostics
import Models
import OptionValues
import Sampling
import Scoring
import Training

/// Measures a network's samples, as many of each class, against a reference, as `sid-score` does.
public struct Evaluator {
  private let scorer: ImageScorer
  private let seeds: SeedList
  private let sampler: Sampler
  private let classes: ClassChoice
  private let batch: Int

  /// - Parameters:
  ///   - options: what is measured.
  ///   - sampler: how the images are made.
  ///   - configuration: of the network that is measured.
  ///   - batch: images at a time.
  ///   - origin: the file that errors name.
  /// - Throws: a `Failure` where features, reference and network do not fit each other, or cannot give what is asked for.
  public init(
    _ options: EvaluationOptions, sampler: Sampler, configuration: NetworkConfiguration, batch: Int, origin: String
  ) throws {
    self.batch = batch
    scorer = try ImageScorer(
      features: options.features ?? "", reference: options.reference ?? "", npz: options.npz, settings: options.settings
    )
    try scorer.network.requireImageShape(
      [configuration.imgResolution, configuration.imgResolution, configuration.imgChannels], origin: origin)
    seeds = try SeedList(options.evaluateSeeds)
    try RandomConvention.torchCPU.validate(seeds)
    classes = configuration.labelDim > 0 ? .balanced : .random
    self.sampler = sampler
  }

  /// Floating-point operations of one evaluation, direct convolutions counted.
  public func flops(_ network: Network) -> Double {
    Double(seeds.count) * (Double(sampler.evaluations) * network.cost.flops + scorer.network.flopsPerImage)
  }

  /// What it takes while it measures, in bytes, beside the network that is measured: the feature network with one batch, moments,
  /// covariances and their factors.
  public var memoryBytes: Int {
    12 * 8 * scorer.network.featureCount * scorer.network.featureCount + scorer.network.memoryBytes(images: batch)
  }

  /// The features of `network`'s samples, on rank 0; nothing on the others. The ranks share the images by batches.
  /// - Throws: `Interrupted` on all ranks where one was asked to stop.
  func gather(_ network: Network, _ ranks: any Ranks, origin: String) throws -> GatheredFeatures? {
    var gathered = scorer.gathering()
    let starts = Array(stride(from: 0, to: seeds.count, by: batch))
    for round in stride(from: 0, to: starts.count, by: ranks.count) {
      if try ranks.agree(Interruption.isRequested) { throw Interrupted() }
      let place = round + ranks.index
      let outputs = try ranks.together {
        starts.indices.contains(place) ? try self.outputs(network, from: starts[place], origin: origin) : nil
      }
      for numbers in try ranks.collect(outputs?.numbers ?? []) where !numbers.isEmpty {
        gathered.add(scorer.outputs(numbers: numbers))
      }
    }
    return ranks.isFirst ? gathered : nil
  }

  /// The figures of what was gathered, the Frechet distance first.
  func scores(of gathered: GatheredFeatures, origin: String) throws -> [Score] {
    try scorer.scores(of: gathered, origin: origin)
  }

  private func outputs(_ network: Network, from first: Int, origin: String) throws -> FeatureOutputs {
    let part = seeds[first..<min(first + batch, seeds.count)]
    let latents = Latents(
      seeds: part, imageShape: network.imageShape, labelDim: network.configuration.labelDim, choice: classes)
    guard let images = sampler.images(network, latents) else {
      throw Failure(.software, origin, "the network's images are not finite numbers")
    }
    return try scorer.outputs(images, shape: network.imageShape, origin: origin)
  }
}
