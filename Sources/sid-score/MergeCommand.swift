import ArgumentParser
import Compute
import Diagnostics
import Files
import Records
import Scoring
import Stage

/// `sid-score merge PART... --output FILE`.
struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Put the statistics of parts of the images together.",
    discussion: """
      Shares of one set of images, made by sid-score reference --share, give the bits that one run over all images gives; \
      a missing or doubled share is refused. Complete statistics of different images are added up in the order given, \
      and agree with one run to rounding.
      """)

  @Argument(help: ArgumentHelp("The files to be put together.", valueName: "file"))
  var parts: [String]

  @Option(
    help: ArgumentHelp("The HDF5 file to write; an npz with mu and sigma where it ends in .npz.", valueName: "file"))
  var output: String

  @OptionGroup var stage: StageOptions

  func run() throws {
    StageProgram.run(
      SidScore.program, on: output, options: stage, writing: [OutputPlace(output)], needing: LinearAlgebraCore.wanted
    ) { context in
      var inputs: [String: Provenance.Input] = [:]
      for (index, part) in parts.enumerated() { inputs["part-\(index + 1)"] = try Provenance.Input(part) }
      let work = PassStage(
        stage: "merge", output: output,
        provenance: Provenance(
          program: SidScore.program + " merge", inputs: inputs, options: [:], kernels: LinearAlgebra.kernels),
        context: context)
      if try work.isFinished(reread: { try RecordContent(statisticsOf: output) }) { return }
      let merge = try StatisticsMerge(parts)
      if context.options.dryRun {
        return Estimate(
          work: "merge: statistics of \(merge.result.statistics.imageCount) images", flops: 0,
          peakMemoryBytes: 64 * merge.result.statistics.covariance.count,
          diskBytes: 8 * merge.result.statistics.covariance.count
        ).print()
      }
      Threads.use(context.threads)
      try work.publish(merge.result, images: merge.images)
    }
  }
}
