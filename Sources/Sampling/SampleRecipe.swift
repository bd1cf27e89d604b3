import Diagnostics
import OptionValues

/// Everything but the network that decides over images: seeds, classes, random numbers, sampler.
public struct SampleRecipe: Sendable {
  /// The way from latents to images.
  public let sampler: Sampler
  /// One seed per image.
  public let seeds: SeedList
  /// Which class an image gets.
  public let classChoice: ClassChoice
  /// How latents follow from a seed.
  public let convention: RandomConvention

  /// - Parameters:
  ///   - sampler: the way from latents to images.
  ///   - seeds: one per image.
  ///   - classChoice: which class an image gets.
  ///   - convention: how latents follow from a seed.
  /// - Throws: a `Failure` (`usage`) for seeds that the convention does not know, or a labels file of another length.
  public init(
    sampler: Sampler, seeds: SeedList, classChoice: ClassChoice = .random, convention: RandomConvention = .torchCPU
  ) throws {
    try convention.validate(seeds)
    try convention.validate(sampler)
    if case .file(let file) = classChoice, file.count != seeds.count {
      throw Failure(
        .dataError, file.path, "it lists \(file.count) classes for \(seeds.count) images",
        remedy: "write one class a line, in the order of the images")
    }
    self.sampler = sampler
    self.seeds = seeds
    self.classChoice = classChoice
    self.convention = convention
  }

  /// What the images `range` start from.
  package func latents(_ range: Range<Int>, of denoiser: some Denoiser) throws -> Latents {
    var listed: [Int]?
    if case .file(let file) = classChoice { listed = try file.labels(range) }
    return Latents(
      seeds: seeds[range], imageShape: denoiser.imageShape, labelDim: denoiser.labelDim, choice: classChoice,
      listed: listed, convention: convention, keepingGenerators: sampler.drawsFreshNoise)
  }
}
