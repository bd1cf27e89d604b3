import Archives
import ArgumentParser
import Compute
import Diagnostics
import Files
import Foundation
import Models
import OptionValues
import Sampling
import Stage

/// `sid-sample verify ARCHIVE`.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check an archive: complete, unchanged, and what its network makes of its seeds.",
    discussion: """
      Compares every file with its SHA-256 in the manifest, the seeds with the list they were made from, and, with \
      --network, images made again with those of the archive: to the byte where the kernel set is the same, else to \
      rounding. Exit status: 0 it is good, 65 it is not, 66 something is missing.
      """)

  @Argument(help: ArgumentHelp("The archive.", valueName: "archive"))
  var archive: String

  @Option(help: ArgumentHelp("The network that made it: a few images are made again.", valueName: "file"))
  var network: String?

  @Option(SampleValues.verifiedImages, help: ArgumentHelp("How many images are made again.", valueName: "n"))
  var images = 16

  @Option(
    SampleValues.verifySeed,
    help: ArgumentHelp("Seed of the choice of these images (default: another each time).", valueName: "n"))
  var seed: UInt64?

  @OptionGroup(title: "Stage") var stage: StageOptions

  func run() throws {
    StageProgram.run(SidSample.program, on: archive, options: stage, writing: []) { context in
      Threads.use(context.threads)
      let check = try ArchiveCheck(archive)
      let files = check.files
      let progress = context.progress("verify", total: files.count, unit: "files")
      for (number, file) in files.enumerated() {
        try check.checkDigest(file)
        progress.update(done: number + 1)
      }
      progress.finish()
      try check.checkSeeds()
      print("\(archive): \(check.reader.count) images in \(files.count) file(s), complete; digests and seeds are right")
      guard let network else { return print("no image was made again: that takes --network") }
      print(try comparison(check, network: network))
    }
  }

  private func comparison(_ check: ArchiveCheck, network path: String) throws -> String {
    guard let origin = check.manifest.origin else {
      throw Failure(.dataError, archive, "it does not say what it was made from")
    }
    let digest = try SHA256.hexDigest(ofFile: path)
    guard let expected = origin.inputs["network"]?.sha256, expected == digest else {
      throw Failure(
        .dataError, path, "it is not the network of the archive, \(origin.inputs["network"]?.path ?? "unknown")",
        remedy: "give the network whose SHA-256 the manifest names")
    }
    let recipe = try SampleRecipe(origin: origin, archive: archive)
    let name = origin.options["kernels"] ?? KernelMode.fast.rawValue
    guard let mode = KernelMode(rawValue: name) else {
      throw Failure(.dataError, archive, "it was made with --kernels \(name), which is not known")
    }
    KernelSet.use(mode)
    WeightCache.limitBytes = WeightCache.samplingLimitBytes
    let choice = seed ?? UInt64.random(in: 0..<1 << 32)
    let generator = Philox(seed: choice)
    var numbers: Set<Int> = []
    var draw: UInt64 = 0
    while numbers.count < min(images, check.reader.count) {
      numbers.insert(generator.integer(below: check.reader.count, stream: (draw, 0)))
      draw += 1
    }
    let maker = "\(SidSample.program) \(Version.package), \(KernelSet.name)"
    let result = try check.compare(
      numbers.sorted(), with: try Network(contentsOf: path, deferringWeights: true), recipe: recipe, maker: maker)
    let equal = "\(result.exactImages) of them by this kernel set, equal to the byte"
    let other = result.images - result.exactImages
    return "\(result.images) images made again (--seed \(choice)): \(equal)"
      + (other == 0
        ? ""
        : "; \(other) by another: \(result.differingBytes) of \(result.bytes) bytes differ, by up to "
          + "\(result.largestDifference)")
  }
}
