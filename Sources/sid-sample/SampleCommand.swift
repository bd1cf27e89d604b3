import ArgumentParser
import Diagnostics
import Files
import OptionValues
import Stage

/// `sid-sample --network FILE --seeds LIST --output FILE`.
struct SampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample",
    abstract: "Make an archive (this is what happens without a subcommand).",
    discussion: """
      With --shard-size the archive is made shard by shard, and several processes or machines on one file system may work \
      at it: each with its share by --shards, or all of them at what is left.
      """)

  @Option(help: ArgumentHelp("The network, a file of sid-convert, sid-train or sid-distill.", valueName: "file"))
  var network: String

  @Option(
    SampleValues.seeds,
    help: ArgumentHelp("Seeds of the images, in their order: 0-49999 or 1,5,10-20.", valueName: "list"))
  var seeds: SeedList

  @Option(help: ArgumentHelp("The archive to write.", valueName: "file"))
  var output: String

  @OptionGroup(title: "Images") var images: ImageOptions
  @OptionGroup(title: "Images") var kernels: KernelOptions
  @OptionGroup(title: "Work") var work: WorkOptions
  @OptionGroup(title: "Stage") var expected: ExpectedInputs
  @OptionGroup(title: "Stage") var stage: StageOptions

  func validate() throws { try images.relations(seeds: seeds, digests: expected.digests).validate() }

  func run() throws {
    let exports = work.export.map {
      OutputPlace($0.output(beside: output), option: "--export", kind: $0.isFolder ? .folder : .file)
    }
    StageProgram.run(SidSample.program, on: output, options: stage, writing: [OutputPlace(output)] + exports) {
      context in
      try SampleStage(command: self, context: context).run()
    }
  }
}
