import Diagnostics
import HDF5
import Models
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
    let pass = try images.map {
      try FeaturePass($0, network: network, convention: convention, keeping: kept, selection: selection)
    }
    let given = try images == nil ? samplesStatistics(convention) : nil
    let realPass = try realImages.map {
      try FeaturePass(
        $0, network: network, convention: convention, keeping: settings.needsReferenceFeatures ? .features : [],
        selection: .first(nil))
    }
    let numbers =
      (kept.contains(.features) ? network.featureCount : 0) + (kept.contains(.scores) ? network.scoreCount ?? 0 : 0)
    guard try work.begin([realPass, pass].compactMap { $0 }, network: network, kept: numbers) else { return }
    work.noteLeftOut(images, realImages)
    if let realPass {
      scorer = try makeScorer(
        featureSet(work.gather(realPass, part: PassStage.referencePart), convention, origin: command.reference))
    }
    let scored = try given ?? pass.map { try featureSet(work.gather($0), convention, origin: command.samples) }
    guard let scorer, let scored else { throw Failure(.software, command.samples, "nothing to score") }
    let scores = try scorer.scores(of: scored, isResampled: command.resample != nil, origin: command.samples)
    if command.keepFeatures, let images {
      let digest = try images.sha256()
      try HDF5File.publish(companion(of: command.output, extension: "features.h5")) { file in
        try scored.write(to: file, images: [digest])
        try work.stamp(file)
      }
    }
    for note in scores.flatMap(\.notes) { work.context.note(note) }
    try publish(scores, convention: convention)
  }

  private var selection: ImageSelection {
    command.resample.map { .resampled($0, seed: command.resampleSeed) } ?? .first(command.count)
  }

  private func knownReference() throws -> FeatureSet? {
    guard realImages == nil else {
      guard command.source.npz == NpzConventions() else {
        throw Failure(
          .usage, command.reference, "--reference-convention and --reference-count are for npz files of statistics",
          remedy: "use --convention")
      }
      return nil
    }
    return try FeatureSet(reference: command.reference, npz: command.source.npz)
  }

  private func makeScorer(_ reference: FeatureSet) throws -> ImageScorer {
    try ImageScorer(
      network: network, featureNetworkSHA256: digest, features: command.features, reference: reference,
      origin: command.reference, convention: command.source.convention, settings: settings)
  }

  /// Statistics that were given in place of images.
  private func samplesStatistics(_ convention: InputConvention) throws -> FeatureSet {
    guard command.count == nil, command.resample == nil, !command.keepFeatures else {
      throw Failure(
        .usage, command.samples, "--count, --resample and --keep-features are for images; these are statistics of them")
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

  private func publish(_ scores: [Score], convention: InputConvention) throws {
    var details: [String: JSONValue] = [
      "feature_network": .string(digest), "input_convention": .string(convention.rawValue),
      "metrics": .object(Dictionary(uniqueKeysWithValues: scores.map { ($0.figure, Self.summary($0)) })),
    ]
    if let first = scores.first {
      details["definition"] = .string(first.definition)
      details["images"] = .int(first.imageCount)
      details["reference_images"] = first.referenceImageCount.map { .int($0) }
    }
    if let images { details["left_out"] = PassStage.census(images).leftOut }
    if let realImages { details["reference_left_out"] = PassStage.census(realImages).leftOut }
    try work.publish(
      figures: Dictionary(uniqueKeysWithValues: scores.map { ($0.figure, .double($0.value)) }), details: details
    ) { try Score.write(scores, featureNetworkSHA256: digest, convention: convention, to: $0) }
  }

  private static func summary(_ score: Score) -> JSONValue {
    var fields: [String: JSONValue] = [
      "value": .double(score.value), "definition": .string(score.definition), "images": .int(score.imageCount),
    ]
    fields["reference_images"] = score.referenceImageCount.map { .int($0) }
    if let uncertainty = score.uncertainty {
      fields[uncertainty.kind.rawValue] = .double(uncertainty.value)
      fields["uncertainty"] = .string(uncertainty.origin)
    }
    if !score.notes.isEmpty { fields["notes"] = .array(score.notes.map { .string($0) }) }
    return .object(fields)
  }
}
