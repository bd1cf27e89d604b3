import ArgumentParser
import OptionValues
import Sampling

/// What decides over the images.
struct ImageOptions: ParsableArguments {
  @Option(SampleValues.sampler, help: ArgumentHelp("one-step (a generator) or heun (a teacher).", valueName: "name"))
  var sampler: SamplerName

  @Option(
    SampleValues.initSigma,
    help: ArgumentHelp("Standard deviation of a generator's input; one-step.", valueName: "sigma"))
  var initSigma = 2.5

  @Option(
    SampleValues.steps,
    help: ArgumentHelp("Noise levels, each but the last costs two evaluations; heun.", valueName: "n"))
  var steps = 18

  @Option(SampleValues.sigmaMin, help: ArgumentHelp("Lowest noise level; heun.", valueName: "sigma"))
  var sigmaMin: Double

  @Option(SampleValues.sigmaMax, help: ArgumentHelp("Highest noise level; heun.", valueName: "sigma"))
  var sigmaMax: Double

  @Option(SampleValues.rho, help: ArgumentHelp("Exponent of the noise schedule; heun.", valueName: "exponent"))
  var rho = 7.0

  @Option(
    SampleValues.sChurn,
    help: ArgumentHelp("Fresh noise on the way, EDM's S_churn: 0 is none; heun.", valueName: "amount"))
  var sChurn: Double

  @Option(
    SampleValues.sMin,
    help: ArgumentHelp("Lowest noise level at which noise is added, S_min; heun.", valueName: "sigma"))
  var sMin: Double

  @Option(
    SampleValues.sMax,
    help: ArgumentHelp("Highest noise level at which noise is added, S_max; heun.", valueName: "sigma"))
  var sMax: Double

  @Option(
    SampleValues.sNoise,
    help: ArgumentHelp("Standard deviation of the fresh noise, S_noise; heun.", valueName: "factor"))
  var sNoise = 1.0

  @Option(
    SampleValues.classes,
    help: ArgumentHelp(
      "Class of the images: a number, random (drawn from each seed), balanced (the seed modulo the classes) or a list "
        + "such as 0,3,5-7, or 0*20,1*3 for twenty of one and three of another (its entry at the seed modulo its length) (default: random).",
      valueName: "class"))
  var classChoice: ClassText?

  @Option(help: ArgumentHelp("A text file with the class of each image, one a line, instead.", valueName: "file"))
  var labelsFile: String?

  @Option(
    SampleValues.rng,
    help: ArgumentHelp(
      "How latents follow from a seed: as PyTorch draws them on a CPU or on a GPU, seeds below 2^32, or philox, seeds of "
        + "64 bits.", valueName: "name"))
  var rng: RandomConvention

  /// How the options have to fit each other, and the seeds and digests of the command.
  func relations(seeds: SeedList, digests: [ExpectedDigest]) -> SampleRelations {
    SampleRelations(
      seeds: seeds, sampler: sampler, sigmas: (sigmaMin, sigmaMax), churn: (sChurn, sMin, sMax), rng: rng,
      hasClass: classChoice != nil, hasLabelsFile: labelsFile != nil, digests: digests)
  }

  /// The sampler that the options describe.
  var chosenSampler: Sampler {
    switch sampler {
    case .oneStep: .oneStep(OneStepSampler(initSigma: initSigma))
    case .heun:
      .heun(
        HeunSampler(
          steps: steps, sigmaMin: sigmaMin, sigmaMax: sigmaMax, rho: rho,
          churn: sChurn > 0 ? HeunSampler.Churn(amount: sChurn, range: sMin...sMax, noise: sNoise) : nil))
    }
  }

  /// Everything but the network that the options say about images.
  /// - Throws: a `Failure` for seeds that `--rng` does not know, or a labels file that does not fit.
  func recipe(seeds: SeedList) throws -> SampleRecipe {
    let choice = try labelsFile.map { .file(try LabelsFile($0)) } ?? classChoice.map { ClassChoice($0) } ?? .random
    return try SampleRecipe(sampler: chosenSampler, seeds: seeds, classChoice: choice, convention: rng)
  }
}
