import ArgumentParser
import Compute
import Diagnostics
import Models
import Scoring
import Stage

/// `sid-score --samples FILE --reference FILE --features FILE --output FILE`.
struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Measure the Frechet distance (this is what happens without a subcommand).",
    discussion: "NAME.json beside the output NAME.h5 holds the figure.")

  @Option(
    help: ArgumentHelp(
      "The images: a samples file of sid-sample, or a data set zip in EDM's layout.", valueName: "file"))
  var samples: String

  @Option(help: ArgumentHelp("Statistics of the real images, made by sid-score reference.", valueName: "file"))
  var reference: String

  @Option(help: ArgumentHelp("The feature network that the statistics were made with.", valueName: "file"))
  var features: String

  @Option(help: ArgumentHelp("The HDF5 file to write.", valueName: "file"))
  var output: String

  @Option(help: ArgumentHelp("The name of the figure in the summary: a-z, 0-9 and _.", valueName: "name"))
  var figure = "fd"

  @Option(help: ArgumentHelp("Score the first so many images (default: all).", valueName: "images"))
  var count: Int?

  @Option(
    help: ArgumentHelp(
      "Score so many images drawn with replacement (default: each image once). On the real images this is the floor "
        + "that so many perfect samples would reach.", valueName: "images"))
  var resample: Int?

  @Option(
    name: .customLong("resample-seed"), help: ArgumentHelp("Seed of the drawing with --resample.", valueName: "seed"))
  var resampleSeed: UInt64 = 0

  @OptionGroup var expected: ExpectedInputs
  @OptionGroup var stage: StageOptions

  func validate() throws {
    let letters = Set("abcdefghijklmnopqrstuvwxyz0123456789_")
    guard !figure.isEmpty, figure.count <= 64, figure.allSatisfy({ letters.contains($0) }) else {
      throw ValidationError("--figure must be up to 64 of a-z, 0-9 and _, found \"\(figure)\"")
    }
    let taken: Set = [
      "format", "format_version", "feature_network", "figures", "created_by", "provenance", "archive", "contact_sheet",
      "job", "id", "started", "finished", "steps",
    ]
    if taken.contains(figure) { throw ValidationError("--figure \(figure) is a name of the score file's own fields") }
    if count != nil, resample != nil { throw ValidationError("--count and --resample exclude each other") }
    if let count, count < 2 { throw ValidationError("--count must be at least 2, found \(count)") }
    if let resample, resample < 2 { throw ValidationError("--resample must be at least 2, found \(resample)") }
  }

  func run() throws {
    StageProgram.run(SidScore.program, options: stage) { context in
      let work = MomentsStage(stage: "score", output: output, provenance: try provenance(), context: context)
      try expected.check(work.provenance)
      if try work.isFinished() { return }
      let scorer = try ImageScorer(
        features: features, reference: reference, settings: MetricSettings([.fid], figure: figure))
      let selection = resample.map { ImageSelection.resampled($0, seed: resampleSeed) } ?? .first(count)
      guard
        let moments = try work.moments(
          ImageCollection(samples), network: scorer.network, convention: scorer.convention, selection: selection)
      else {
        return
      }
      let statistics = try FeatureStatistics(
        moments, featureNetworkSHA256: scorer.featureNetworkSHA256, convention: scorer.convention, origin: samples)
      let scores = try scorer.scores(
        of: FeatureSet(statistics: statistics), isResampled: resample != nil, origin: samples)
      try work.publish(
        figures: Dictionary(uniqueKeysWithValues: scores.map { ($0.figure, .double($0.value)) }),
        details: [
          "definition": .string(scores[0].definition), "images": .int(statistics.imageCount),
          "reference_images": .int(scorer.reference.statistics.imageCount),
          "feature_network": .string(scorer.featureNetworkSHA256),
        ]
      ) {
        try Score.write(
          scores, featureNetworkSHA256: scorer.featureNetworkSHA256, convention: scorer.convention, to: $0)
      }
    }
  }

  private func provenance() throws -> Provenance {
    var options = ["figure": figure]
    options["count"] = count.map { String($0) }
    options["resample"] = resample.map { String($0) }
    options["resample-seed"] = resample.map { _ in String(resampleSeed) }
    return Provenance(
      program: SidScore.program,
      inputs: [
        "samples": try Provenance.Input(samples), "reference": try Provenance.Input(reference),
        "features": try Provenance.Input(features),
      ], options: options, kernels: KernelSet.name)
  }
}
