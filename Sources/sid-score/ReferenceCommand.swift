import ArgumentParser
import Compute
import Diagnostics
import Files
import Models
import OptionValues
import Records
import Scoring
import Stage

/// `sid-score reference --dataset PATH --features FILE --output FILE`.
struct ReferenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reference",
    abstract: "Make the statistics of images that samples are compared with.",
    discussion: """
      With --share, several machines take a share each and sid-score merge puts the shares together, to the bits of one \
      machine that took all images.
      """)

  @Option(
    help: ArgumentHelp(
      "The images: a data set zip in EDM's layout, a samples file, an npz with arr_0, a tar or a folder of PNG or PNM images, "
        + "or a folder of such files; or statistics to be written in another form.", valueName: "path"))
  var dataset: String

  @Option(help: ArgumentHelp("The feature network, made by sid-convert.", valueName: "file"))
  var features: String

  @Option(
    help: ArgumentHelp("The HDF5 file to write; an npz with mu and sigma where it ends in .npz.", valueName: "file"))
  var output: String

  @OptionGroup var source: SourceOptions

  @Flag(
    name: .customLong("keep-features"),
    help: "Keep the features of every image in the file: KID, precision and recall need them.")
  var keepFeatures = false

  @Option(
    ScoreValues.share,
    help: ArgumentHelp("Take the i-th of n shares of the images, in segments of 4,096.", valueName: "i/n"))
  var share: WorkShare?

  @OptionGroup var expected: ExpectedInputs
  @OptionGroup var stage: StageOptions

  func validate() throws {
    try ReferenceRelations(digests: expected.digests).validate()
    if PassStage.isNpz(output), keepFeatures || share != nil {
      throw ValidationError(
        "an npz holds statistics alone: give --output a name in .h5 for --keep-features and --share")
    }
  }

  func run() throws {
    StageProgram.run(
      SidScore.program, on: output, options: stage, writing: [OutputPlace(output)], needing: LinearAlgebraCore.wanted
    ) { context in
      let digest = try SHA256.hexDigest(ofFile: features)
      let images = try ReferenceKind(dataset, needsFeatures: keepFeatures) == .images ? ImageCollection(dataset) : nil
      let imagesDigest = try images?.sha256() ?? SHA256.hexDigest(ofFile: dataset)
      var options = source.provenance
      if keepFeatures { options["keep-features"] = "true" }
      options["share"] = share?.description
      let provenance = Provenance(
        program: SidScore.program + " reference",
        inputs: [
          "dataset": try Provenance.Input(dataset, sha256: imagesDigest),
          "features": try Provenance.Input(features, sha256: digest),
        ], options: options, kernels: LinearAlgebra.kernels)
      let work = PassStage(stage: "reference", output: output, provenance: provenance, context: context)
      try expected.check(work.provenance)
      if try work.isFinished(reread: { try RecordContent(statisticsOf: output).counting(images) }) { return }
      let network = try FeatureNetwork(contentsOf: features)
      guard let images else { return try convert(network, digest, work) }
      let convention = try network.convention(source.convention, features: features)
      let whole = try FeaturePass(
        images, network: network, convention: convention, keeping: keepFeatures ? [.features, .scores] : [],
        selection: .first(nil))
      let pass = try share.map { try whole.requiredShare($0) } ?? whole
      let numbers = keepFeatures ? network.featureCount + (network.scoreCount ?? 0) : 0
      guard try work.begin([pass], network: network, kept: numbers) else { return }
      work.noteLeftOut(images)
      let gathered = try work.gather(pass)
      if share != nil {
        let content = RecordContent(shareOfImages: gathered.moments.count).counting(images)
        return try work.publish(content) { file in
          try StatisticsPart.write(
            gathered, images: imagesDigest, featureNetworkSHA256: digest, convention: convention, to: file)
        }
      }
      let statistics = try FeatureStatistics(
        gathered.moments, featureNetworkSHA256: digest, convention: convention, origin: dataset)
      try work.publish(
        FeatureSet(statistics: statistics, features: gathered.features, scores: gathered.scores),
        images: [imagesDigest],
        of: images)
    }
  }

  /// Writes statistics in another form.
  private func convert(_ network: FeatureNetwork, _ digest: String, _ work: PassStage) throws {
    guard share == nil, !keepFeatures else {
      throw Failure(.usage, dataset, "--share and --keep-features are for images; these are statistics of them")
    }
    let set = try FeatureSet(reference: dataset, npz: source.npzReference.conventions)
    // Checks that they belong to the network; an npz does not say, and takes the one that is named.
    let scorer = try ImageScorer(
      network: network, featureNetworkSHA256: digest, features: features, reference: set, origin: dataset,
      convention: source.convention)
    guard try work.begin([], network: network) else { return }
    try work.publish(
      FeatureSet(
        statistics: scorer.reference.statistics.withNetwork(digest), features: set.features, scores: set.scores),
      images: [])
  }
}
