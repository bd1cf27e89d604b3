import ArgumentParser
import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import Images
import Models
import Sampling
import Stage

/// `sid-sample`: an archive of images by seed.
@main
struct SidSample: ParsableCommand {
  static let program = "sid-sample"

  static let configuration = CommandConfiguration(
    commandName: program,
    abstract: "Makes images from a network, one for each seed, and stores them in an HDF5 archive.",
    discussion: """
      An image depends on the network, the sampler, the class choice and its own seed alone: not on the batch, the \
      threads, or how often the run was interrupted. A run that was stopped or killed continues with the same command; \
      until the archive is complete its parts lie in the hidden folder .NAME.parts beside it. NAME.json and the contact \
      sheet NAME.png appear beside the archive.

      Exit status: 0 done, 64 usage, 65 malformed network, 66 missing network, 69 not enough memory, 73 the output exists \
      and was made from something else, 74 reading or writing failed, 75 stopped or disk full: run it again.
      """,
    version: Version.line(program))

  @Option(help: ArgumentHelp("The network, a file of sid-convert or sid-distill.", valueName: "file"))
  var network: String

  @Option(help: ArgumentHelp("Seeds of the images, in their order: 0-49999 or 1,5,10-20.", valueName: "list"))
  var seeds: String

  @Option(help: ArgumentHelp("The archive to write.", valueName: "file"))
  var output: String

  @OptionGroup(title: "Images") var images: ImageOptions
  @OptionGroup(title: "Images") var kernels: KernelOptions
  @OptionGroup(title: "Work") var work: WorkOptions
  @OptionGroup(title: "Stage") var expected: ExpectedInputs
  @OptionGroup(title: "Stage") var stage: StageOptions

  func run() throws {
    StageProgram.run(Self.program, options: stage) { context in
      try SampleStage(command: self, context: context).run()
    }
  }
}

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

  @Option(
    name: .customLong("class"),
    help: ArgumentHelp(
      "Class of the images: a number, random (drawn from each seed) or balanced (the seed modulo the classes).",
      valueName: "class"))
  var classChoice = ClassChoice.random

  @Option(help: ArgumentHelp("How latents follow from a seed; torch-cpu is PyTorch's generator.", valueName: "name"))
  var rng = RandomConvention.torchCPU

  func validate() throws {
    guard initSigma > 0, initSigma.isFinite else { throw ValidationError("--init-sigma must be positive") }
    guard steps >= 2, steps <= 10000 else { throw ValidationError("--steps must be from 2 to 10000, found \(steps)") }
    guard sigmaMin > 0, sigmaMax > sigmaMin, sigmaMax.isFinite else {
      throw ValidationError("--sigma-min \(sigmaMin) must be positive and below --sigma-max \(sigmaMax)")
    }
    guard rho > 0, rho.isFinite else { throw ValidationError("--rho must be positive, found \(rho)") }
  }

  /// The sampler that the options describe.
  var chosenSampler: Sampler {
    switch sampler {
    case .oneStep: .oneStep(OneStepSampler(initSigma: initSigma))
    case .heun: .heun(HeunSampler(steps: steps, sigmaMin: sigmaMin, sigmaMax: sigmaMax, rho: rho))
    }
  }
}

/// What does not change the images.
struct WorkOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Images in one evaluation of the network (default: up to 64, as many as go into 256 MiB).", valueName: "n"))
  var batch: Int?

  @Flag(
    help: "Transform weights anew for every batch instead of keeping them transformed: less memory, slower.")
  var lowMemory = false

  @Option(
    help: ArgumentHelp("Images after which a part is saved (default: those of 10 seconds).", valueName: "n"))
  var checkpointImages: Int?

  @Option(help: ArgumentHelp("Images in a row of the contact sheet.", valueName: "n"))
  var contactSheetColumns = 16

  @Option(help: ArgumentHelp("Rows of the contact sheet.", valueName: "n"))
  var contactSheetRows = 8

  func validate() throws {
    for (name, value, largest) in [
      ("batch", batch ?? 1, 1 << 20), ("checkpoint-images", checkpointImages ?? 1, 1 << 20),
      ("contact-sheet-columns", contactSheetColumns, 256), ("contact-sheet-rows", contactSheetRows, 256),
    ] where value < 1 || value > largest {
      throw ValidationError("--\(name) must be from 1 to \(largest), found \(value)")
    }
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
