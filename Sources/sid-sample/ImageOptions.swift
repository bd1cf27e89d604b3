import ArgumentParser
import Sampling

/// What decides over the images.
struct ImageOptions: ParsableArguments {
  @Option(help: ArgumentHelp("one-step (a generator) or heun (a teacher).", valueName: "name"))
  var sampler = SamplerName.oneStep

  @Option(help: ArgumentHelp("Standard deviation of a generator's input; one-step.", valueName: "sigma"))
  var initSigma = 2.5

  @Option(help: ArgumentHelp("Noise levels, each but the last costs two evaluations; heun.", valueName: "n"))
  var steps = 18

  @Option(help: ArgumentHelp("Lowest noise level; heun.", valueName: "sigma"))
  var sigmaMin = 0.002

  @Option(help: ArgumentHelp("Highest noise level; heun.", valueName: "sigma"))
  var sigmaMax = 80.0

  @Option(help: ArgumentHelp("Exponent of the noise schedule; heun.", valueName: "exponent"))
  var rho = 7.0

  @Option(help: ArgumentHelp("Fresh noise on the way, EDM's S_churn: 0 is none; heun.", valueName: "amount"))
  var sChurn = 0.0

  @Option(help: ArgumentHelp("Lowest noise level at which noise is added, S_min; heun.", valueName: "sigma"))
  var sMin = 0.0

  @Option(help: ArgumentHelp("Highest noise level at which noise is added, S_max; heun.", valueName: "sigma"))
  var sMax = Double.infinity

  @Option(help: ArgumentHelp("Standard deviation of the fresh noise, S_noise; heun.", valueName: "factor"))
  var sNoise = 1.0

  @Option(
    name: .customLong("class"),
    help: ArgumentHelp(
      "Class of the images: a number, random (drawn from each seed), balanced (the seed modulo the classes) or a list "
        + "such as 0,3,5-7 (its entry at the seed modulo its length) (default: random).",
      valueName: "class"))
  var classChoice: ClassChoice?

  @Option(help: ArgumentHelp("A text file with the class of each image, one a line, instead.", valueName: "file"))
  var labelsFile: String?

  @Option(
    help: ArgumentHelp(
      "How latents follow from a seed: as PyTorch draws them on a CPU or on a GPU, seeds below 2^32, or philox, seeds of "
        + "64 bits.", valueName: "name"))
  var rng = RandomConvention.torchCPU

  func validate() throws {
    guard initSigma > 0, initSigma.isFinite else { throw ValidationError("--init-sigma must be positive") }
    guard steps >= 2, steps <= 10000 else { throw ValidationError("--steps must be from 2 to 10000, found \(steps)") }
    guard sigmaMin > 0, sigmaMax > sigmaMin, sigmaMax.isFinite else {
      throw ValidationError("--sigma-min \(sigmaMin) must be positive and below --sigma-max \(sigmaMax)")
    }
    guard rho > 0, rho.isFinite else { throw ValidationError("--rho must be positive, found \(rho)") }
    guard sChurn >= 0, sChurn.isFinite else { throw ValidationError("--s-churn must not be negative, found \(sChurn)") }
    guard sMin >= 0, sMax >= sMin else {
      throw ValidationError("--s-min \(sMin) must not be negative, nor above --s-max \(sMax)")
    }
    guard sNoise >= 0, sNoise.isFinite else { throw ValidationError("--s-noise must not be negative, found \(sNoise)") }
    guard sampler == .heun || sChurn == 0 else { throw ValidationError("--s-churn belongs to --sampler heun") }
    guard classChoice == nil || labelsFile == nil else {
      throw ValidationError("--class and --labels-file exclude each other")
    }
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
    let choice = try labelsFile.map { .file(try LabelsFile($0)) } ?? classChoice ?? .random
    return try SampleRecipe(sampler: chosenSampler, seeds: seeds, classChoice: choice, convention: rng)
  }
}

/// The samplers by the names of `--sampler`.
enum SamplerName: String, ExpressibleByArgument, CaseIterable {
  case oneStep = "one-step"
  case heun
}

extension ClassChoice: ExpressibleByArgument {
  /// A class number, "random" or "balanced".
  public init?(argument: String) { self.init(argument) }
  /// What `--help` shows.
  public var defaultValueDescription: String { description }
}

extension RandomConvention: ExpressibleByArgument {}
