import ArgumentParser
import Compute
import Diagnostics
import Files
import Models
import Scoring
import Stage

/// `sid-score reference --dataset ZIP --features FILE --output FILE`.
struct ReferenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reference",
    abstract: "Make the statistics of real images that samples are compared with.")

  @Option(help: ArgumentHelp("The real images: a data set zip in EDM's layout.", valueName: "zip"))
  var dataset: String

  @Option(help: ArgumentHelp("The feature network, made by sid-convert.", valueName: "file"))
  var features: String

  @Option(help: ArgumentHelp("The HDF5 file to write.", valueName: "file"))
  var output: String

  @OptionGroup var expected: ExpectedInputs
  @OptionGroup var stage: StageOptions

  func run() throws {
    StageProgram.run(SidScore.program, options: stage) { context in
      let digest = try SHA256.hexDigest(ofFile: features)
      let provenance = Provenance(
        program: SidScore.program + " reference",
        inputs: [
          "dataset": try Provenance.Input(dataset), "features": try Provenance.Input(features, sha256: digest),
        ], options: [:], kernels: KernelSet.name)
      let work = MomentsStage(stage: "reference", output: output, provenance: provenance, context: context)
      try expected.check(provenance)
      if try work.isFinished() { return }
      let network = try FeatureNetwork(contentsOf: features)
      guard let moments = try work.moments(ImageCollection(dataset), network: network, selection: .first(nil)) else {
        return
      }
      let statistics = try FeatureStatistics(moments, featureNetworkSHA256: digest, origin: dataset)
      try work.publish(
        figures: [:],
        details: [
          "num_images": .int(statistics.imageCount), "features": .int(statistics.featureCount),
          "variance": .double(statistics.variance), "feature_network": .string(digest),
          "rank": .int(try covarianceRank(statistics.covariance, size: statistics.featureCount)),
        ]
      ) { try statistics.write(to: $0) }
    }
  }
}
