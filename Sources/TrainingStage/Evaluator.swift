import Diagnostics
import Models
import OptionValues
import Sampling
import Scoring
import Training

/// Measures a network's samples, as many of each class unless told otherwise, against a reference, as `sid-score` does.
public struct Evaluator {
  private let scorer: ImageScorer
  private let seeds: SeedList
  private let sampler: Sampler
  private let classes: ClassChoice
  private let batch: Int
  private let imageShape: [Int]

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
      features: options.features ?? "", reference: options.reference ?? "", npz: options.npzReference.conventions,
      settings: options.settings
    )
    imageShape = [configuration.imgResolution, configuration.imgResolution, configuration.imgChannels]
    try scorer.network.requireImageShape(imageShape, origin: origin)
    seeds = try SeedList(options.evaluateSeeds)
    try RandomConvention.torchCPU.validate(seeds)
    if let choice = options.evaluateClass.map(ClassChoice.init) {
      try choice.validate(labelDim: configuration.labelDim, network: origin, option: "--evaluate-class")
      classes = choice
    } else {
      classes = configuration.labelDim > 0 ? .balanced : .random
    }
    self.sampler = sampler
  }

  /// Floating-point operations of one evaluation, direct convolutions counted.
  public func flops(_ network: Network) -> Double {
    Double(seeds.count) * (Double(sampler.evaluations) * network.cost.flops + scorer.network.flopsPerImage)
  }

  /// What it takes while it measures, in bytes, beside the network that is measured: the feature network with one batch, moments,
  /// covariances and their factors, and the samples that are kept.
  public var memoryBytes: Int {
    12 * 8 * scorer.network.featureCount * scorer.network.featureCount + scorer.network.memoryBytes(images: batch)
      + 2 * keptBytes
  }

  /// What is known of a network's samples before it is measured.
  struct Gathered {
    /// The features of all of them.
    var features: GatheredFeatures
    /// The bytes of the first ones, as many as are kept to be seen.
    var images: [UInt8] = []
  }

  /// Samples that are kept to be seen, of the first seeds.
  private var keptCount: Int { min(seeds.count, SampleHistory.imageCount(imageBytes: imageShape.reduce(1, *))) }

  /// A history of the samples that are kept, without any yet.
  var emptyHistory: SampleHistory { SampleHistory(seeds: seeds[0..<keptCount], imageShape: imageShape) }

  /// Bytes on disk of the samples that a whole training keeps.
  var keptBytes: Int { SampleHistory.mostRows * emptyHistory.rowBytes }

  /// The features of `network`'s samples and the first of these themselves, on rank 0; nothing on the others. The ranks share the
  /// images by batches.
  /// - Throws: `Interrupted` on all ranks where one was asked to stop.
  func gather(_ network: Network, _ ranks: any Ranks, origin: String) throws -> Gathered? {
    var gathered = Gathered(features: scorer.gathering())
    let starts = Array(stride(from: 0, to: seeds.count, by: batch))
    for round in stride(from: 0, to: starts.count, by: ranks.count) {
      if try ranks.agree(Interruption.isRequested) { throw Interrupted() }
      let place = round + ranks.index
      let outputs = try ranks.together {
        starts.indices.contains(place) ? try self.outputs(network, from: starts[place], origin: origin) : nil
      }
      for numbers in try ranks.collect(outputs?.features.numbers ?? []) where !numbers.isEmpty {
        gathered.features.add(scorer.outputs(numbers: numbers))
      }
      // In the order of the ranks, which is that of the images.
      if starts[round] < keptCount {
        let wanted = starts.indices.contains(place) ? max(0, keptCount - starts[place]) : 0
        let mine = (outputs?.images ?? []).prefix(wanted * imageShape.reduce(1, *))
        for bytes in try ranks.collect(mine.map { Float($0) }) {
          gathered.images += bytes.map { UInt8(exactly: $0) ?? 0 }
        }
      }
    }
    return ranks.isFirst ? gathered : nil
  }

  /// The figures of what was gathered, the Frechet distance first.
  func scores(of gathered: GatheredFeatures, origin: String) throws -> [Score] {
    try scorer.scores(of: gathered, origin: origin)
  }

  private func outputs(_ network: Network, from first: Int, origin: String) throws -> (
    features: FeatureOutputs, images: [UInt8]
  ) {
    let part = seeds[first..<min(first + batch, seeds.count)]
    let latents = Latents(
      seeds: part, imageShape: network.imageShape, labelDim: network.configuration.labelDim, choice: classes)
    guard let images = sampler.images(network, latents) else {
      throw Failure(.software, origin, "the network's images are not finite numbers")
    }
    return (try scorer.outputs(images, shape: network.imageShape, origin: origin), images)
  }
}
