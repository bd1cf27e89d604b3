import Diagnostics
import Models
import Sampling
import Scoring

/// Measures a generator's one-step samples, as many of each class, against reference statistics.
struct Evaluator {
  private let scorer: FrechetScorer
  private let seeds: SeedList
  private let sampler: Sampler
  private let classes: ClassChoice
  private let batch: Int

  /// - Throws: a `Failure` where features, statistics and network do not fit each other.
  init(
    features: String, reference: String, seeds: String, initSigma: Float, network: Network, batch: Int, origin: String
  ) throws {
    self.batch = batch
    scorer = try FrechetScorer(features: features, reference: reference)
    try scorer.network.requireImageShape(network.imageShape, origin: origin)
    self.seeds = try SeedList(seeds)
    try RandomConvention.torchCPU.validate(self.seeds)
    classes = network.configuration.labelDim > 0 ? .balanced : .random
    sampler = .oneStep(OneStepSampler(initSigma: Double(initSigma)))
  }

  /// The Frechet distance of `network`'s samples; nil as soon as `shouldStop` says so.
  func callAsFunction(_ network: Network, origin: String, shouldStop: () -> Bool) throws -> Double? {
    var moments = FeatureMoments(featureCount: scorer.network.featureCount)
    for first in stride(from: 0, to: seeds.count, by: batch) {
      if shouldStop() { return nil }
      let part = seeds[first..<min(first + batch, seeds.count)]
      let latents = Latents(
        seeds: part, imageShape: network.imageShape, labelDim: network.configuration.labelDim, choice: classes)
      guard let images = sampler.images(network, latents) else {
        throw Failure(.software, origin, "the generator's images are not finite numbers")
      }
      moments.add(
        scorer.network.outputs(images: images, shape: network.imageShape, convention: .native).features)
    }
    return try scorer.distance(of: moments, origin: origin)
  }
}
