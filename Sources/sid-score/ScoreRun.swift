import Diagnostics
import HDF5
import Models
import OptionValues
import Scoring
import Stage

/// The work of `sid-score score`.
struct ScoreRun {
  let command: ScoreCommand
  let settings: MetricSettings
  /// The scored images, unless their statistics were given.
  let images: ImageCollection?
  /// The reference's images, unless its statistics were given.
  let realImages: ImageCollection?
  let work: PassStage
  let network: FeatureNetwork
  /// The SHA-256 of the network's file.
  let digest: String

  func run() throws {
    let known = try knownReference()
    let convention =
      try known?.statistics.convention
      ?? network.convention(
        command.source.convention, features: command.features)
    var scorer = try known.map { try makeScorer($0) }
    try settings.requireNetwork(network, features: command.features)
    let kept = settings.kept.union(command.keepFeatures ? [.features, .scores] : [])
      .union(command.sets > 1 ? .features : [])
    let pass = try images.map {
      try FeaturePass($0, network: network, convention: convention, keeping: kept, selection: selection)
    }
    let numbers =
      (kept.contains(.features) ? network.featureCount : 0) + (kept.contains(.scores) ? network.scoreCount ?? 0 : 0)
    let shares = ScoreShares(work: work)
    if let share = command.share, let images, let pass {
      guard let part = shares.part(share, of: pass),
        try work.begin([part], network: network, kept: numbers, isShare: true)
      else { return }
      work.noteLeftOut(images)
      return try shares.make(
        share, by: part, images: images.sha256(), featureNetworkSHA256: digest, convention: convention)
    }
    let parts = try pass.flatMap { pass in try command.shares.map { try shares.parts($0, of: pass) } }
    let sets = try command.sets > 1 ? images.map { try ImageSets(command.sets, of: $0, selection: selection) } : nil
    let given = try images == nil ? samplesStatistics(convention) : nil
    let realPass = try realImages.map {
      try FeaturePass(
        $0, network: network, convention: convention, keeping: settings.needsReferenceFeatures ? .features : [],
        selection: .first(nil))
    }
    let passes = [realPass, parts == nil ? pass : nil].compactMap { $0 }
    guard try work.begin(passes, network: network, kept: numbers) else { return }
    work.noteLeftOut(images, realImages)
    if let realPass {
      scorer = try makeScorer(
        featureSet(work.gather(realPass, part: PassStage.referencePart), convention, origin: command.reference))
    }
    let scored =
      try given ?? parts.map { try StatisticsMerge($0).result }
      ?? pass.map { try featureSet(work.gather($0), convention, origin: command.samples) }
    guard let scorer, let scored else { throw Failure(.software, command.samples, "nothing to score") }
    let isResampled = command.resample != nil
    let scores =
      try sets.map {
        try scorer.scores(of: scored, in: $0, isResampled: isResampled, origin: command.samples)
      } ?? scorer.scores(of: scored, isResampled: isResampled, origin: command.samples)
    if command.keepFeatures, let images, !work.isMade(command.featuresOutput) {
      let digest = try images.sha256()
      try HDF5File.publish(command.featuresOutput) { file in
        try scored.write(to: file, images: [digest])
        try work.stamp(file)
      }
    }
    for note in scores.flatMap(\.notes) { work.context.note(note) }
    let content = RecordContent(scores, featureNetworkSHA256: digest, convention: convention.rawValue)
      .leavingOut(images, reference: realImages)
    try work.publish(content, companions: command.companions) {
      try Score.write(scores, featureNetworkSHA256: digest, convention: convention, to: $0)
    }
  }

  private var selection: ImageSelection {
    command.resample.map { .resampled($0, seed: command.resampleSeed) } ?? .first(command.count)
  }

  private func knownReference() throws -> FeatureSet? {
    guard realImages == nil else {
      guard command.source.npzReference.conventions == NpzConventions() else {
        throw Failure(
          .usage, command.reference, "--reference-convention and --reference-count are for npz files of statistics",
          remedy: "use --convention")
      }
      return nil
    }
    return try FeatureSet(reference: command.reference, npz: command.source.npzReference.conventions)
  }

  private func makeScorer(_ reference: FeatureSet) throws -> ImageScorer {
    try ImageScorer(
      network: network, featureNetworkSHA256: digest, features: command.features, reference: reference,
      origin: command.reference, convention: command.source.convention, settings: settings)
  }

  /// Statistics that were given in place of images.
  private func samplesStatistics(_ convention: InputConvention) throws -> FeatureSet {
    guard command.count == nil, command.resample == nil, command.sets == 1, !command.keepFeatures,
      command.share == nil, command.shares == nil
    else {
      throw Failure(
        .usage, command.samples,
        "--count, --resample, --sets, --keep-features, --share and --shares are for images; these are statistics of them"
      )
    }
    let set = try FeatureSet(contentsOf: command.samples)
    try set.statistics.requireNetwork(
      digest, convention: convention, features: command.features, origin: command.samples)
    return set
  }

  private func featureSet(_ gathered: GatheredImages, _ convention: InputConvention, origin: String) throws
    -> FeatureSet
  {
    FeatureSet(
      statistics: try FeatureStatistics(
        gathered.moments, featureNetworkSHA256: digest, convention: convention, origin: origin),
      features: gathered.features, scores: gathered.scores)
  }
}
