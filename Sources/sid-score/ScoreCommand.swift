import ArgumentParser
import Compute
import Diagnostics
import Files
import Models
import OptionValues
import Records
import Scoring
import Stage

/// `sid-score --samples FILE --reference FILE --features FILE --output FILE`.
struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Measure the Frechet distance and other metrics (this is what happens without a subcommand).",
    discussion: """
      NAME.json beside the output NAME.h5 holds the figures. The same command with --share 1/3, 2/3 and 3/3 on several \
      machines, and then with --shares 3, makes the file that it makes by itself, to the bit.
      """)

  @Option(
    help: ArgumentHelp(
      "The images: a samples file of sid-sample, a data set zip in EDM's layout, an npz with arr_0, a tar or a folder of "
        + "PNG or PNM images, or a folder of such files; or their statistics, made by sid-score reference.",
      valueName: "path")
  )
  var samples: String

  @Option(
    help: ArgumentHelp(
      "Statistics of the real images, made by sid-score reference or an npz with mu and sigma; or the images themselves.",
      valueName: "path"))
  var reference: String

  @Option(help: ArgumentHelp("The feature network that the statistics were made with.", valueName: "file"))
  var features: String

  @Option(help: ArgumentHelp("The HDF5 file to write.", valueName: "file"))
  var output: String

  @OptionGroup var metric: MetricOptions

  @OptionGroup var source: SourceOptions

  @Option(ScoreValues.count, help: ArgumentHelp("Score the first so many images (default: all).", valueName: "images"))
  var count: Int?

  @Option(
    ScoreValues.resample,
    help: ArgumentHelp(
      "Score so many images drawn with replacement (default: each image once). On the real images this is the floor "
        + "that so many perfect samples would reach.", valueName: "images"))
  var resample: Int?

  @Option(ScoreValues.resampleSeed, help: ArgumentHelp("Seed of the drawing with --resample.", valueName: "seed"))
  var resampleSeed: UInt64 = 0

  @Option(
    ScoreValues.sets,
    help: ArgumentHelp(
      "Divide the scored images, or draws, into so many consecutive sets of equal size: each figure is the mean over the "
        + "sets, and FIGURE_spread their sample standard deviation. Not for --bootstrap.", valueName: "n"))
  var sets = 1

  @Flag(
    name: .customLong("keep-features"),
    help: "Keep statistics and features of the scored images in NAME.features.h5, for other metrics later.")
  var keepFeatures = false

  @Option(
    ScoreValues.share,
    help: ArgumentHelp(
      "Take the i-th of n shares of the scored images, in segments of 4,096, and leave it beside the output for --shares.",
      valueName: "i/n"))
  var share: WorkShare?

  @Option(
    ScoreValues.shares,
    help: ArgumentHelp("Score from the n shares that --share has left; all of them have to be there.", valueName: "n"))
  var shares: Int?

  @OptionGroup var expected: ExpectedInputs
  @OptionGroup var stage: StageOptions

  func validate() throws {
    try ScoreRelations(
      metrics: metric.metrics, count: count, resample: resample, sets: sets, bootstrap: metric.bootstrap,
      isShare: share != nil, hasShares: shares != nil, digests: expected.digests
    ).validate()
  }

  func run() throws {
    StageProgram.run(
      SidScore.program, on: output, options: stage, writing: [OutputPlace(output)], needing: LinearAlgebraCore.wanted
    ) { context in
      let settings = metric.settings
      let kinds = (
        samples: try ReferenceKind(
          samples, needsFeatures: settings.needsFeatures || settings.needsScores || sets > 1),
        reference: try ReferenceKind(reference, needsFeatures: settings.needsReferenceFeatures)
      )
      let images = kinds.samples == .images ? try ImageCollection(samples) : nil
      let realImages = kinds.reference == .images ? try ImageCollection(reference) : nil
      let work = PassStage(
        stage: "score", output: output, provenance: try provenance(images, realImages), context: context,
        hasShares: true)
      try expected.check(work.provenance)
      let reread = { try RecordContent(scoresOf: output).leavingOut(images, reference: realImages) }
      if share == nil, try work.isFinished(companions: companions, reread: reread) { return }
      try ScoreRun(
        command: self, settings: settings, images: images, realImages: realImages, work: work,
        network: FeatureNetwork(contentsOf: features), digest: SHA256.hexDigest(ofFile: features)
      ).run()
    }
  }

  /// Where kept features go.
  var featuresOutput: String { companion(of: output, extension: "features.h5") }

  /// What belongs to the score beside its file.
  var companions: [String] { keepFeatures ? [featuresOutput] : [] }

  private func provenance(_ images: ImageCollection?, _ realImages: ImageCollection?) throws -> Provenance {
    var options = metric.provenance.merging(source.provenance) { $1 }
    options["count"] = count.map { String($0) }
    options["resample"] = resample.map { String($0) }
    options["resample-seed"] = resample.map { _ in String(resampleSeed) }
    if sets > 1 { options["sets"] = String(sets) }
    if keepFeatures { options["keep-features"] = "true" }
    return Provenance(
      program: SidScore.program,
      inputs: [
        "samples": try Provenance.Input(samples, sha256: images?.sha256()),
        "reference": try Provenance.Input(reference, sha256: realImages?.sha256()),
        "features": try Provenance.Input(features),
      ], options: options, kernels: LinearAlgebra.kernels)
  }
}
