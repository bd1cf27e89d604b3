import ArgumentParser
import OptionValues
import Scoring

/// Options that say what is measured.
struct MetricOptions: ParsableArguments {
  @Option(
    repeating: ScoreValues.metrics,
    help: ArgumentHelp(
      "What is measured: fid, kid, is (Inception Score), pr (precision and recall), fd-infinity; several by commas or by "
        + "repeating the option (default: the Frechet distance, as the figure fd).", valueName: "names"))
  var metrics: [[String]] = []

  @Option(
    ScoreValues.figure,
    help: ArgumentHelp(
      "The name of the Frechet distance in the summary, a-z, 0-9 and _; other figures are called NAME_kid and so on "
        + "(default: fid, kid, is, precision, recall, fid_infinity).", valueName: "name"))
  var figure: String?

  @Option(ScoreValues.kidSubsets, help: ArgumentHelp("Subsets of the kernel distance.", valueName: "n"))
  var kidSubsets = KernelMetric().subsets

  @Option(
    ScoreValues.kidSubsetSize,
    help: ArgumentHelp("Images of each side in a subset of the kernel distance.", valueName: "images"))
  var kidSubsetSize = KernelMetric().subsetSize

  @Option(ScoreValues.isSplits, help: ArgumentHelp("Splits of the Inception Score.", valueName: "n"))
  var isSplits = InceptionScoreMetric().splits

  @Option(
    ScoreValues.prNeighbour,
    help: ArgumentHelp("The neighbour that sets an image's radius in precision and recall.", valueName: "k"))
  var prNeighbour = PrecisionRecallMetric().neighbour

  @Option(
    ScoreValues.prImages,
    help: ArgumentHelp(
      "The most images of each side in precision and recall; the first ones count.", valueName: "images"))
  var prImages = PrecisionRecallMetric().limit

  @Option(
    ScoreValues.bootstrap,
    help: ArgumentHelp(
      "Resamples of the scored images behind a standard error of the Frechet distance; each costs another distance.",
      valueName: "n"))
  var bootstrap = FrechetMetric().bootstraps

  @Option(ScoreValues.seed, help: ArgumentHelp("Seed of subsets, extrapolation and bootstrap.", valueName: "seed"))
  var seed: UInt64 = 0

  /// What is measured, as the library has it.
  var settings: MetricSettings {
    let metrics = metrics.joined().compactMap { Metric(rawValue: $0) }
    var settings = MetricSettings(metrics.isEmpty ? [.fid] : metrics, figure: figure ?? (metrics.isEmpty ? "fd" : nil))
    settings.kernel.subsets = kidSubsets
    settings.kernel.subsetSize = kidSubsetSize
    settings.inception.splits = isSplits
    settings.precisionRecall.neighbour = prNeighbour
    settings.precisionRecall.limit = prImages
    settings.frechet.bootstraps = bootstrap
    settings.seed = seed
    return settings
  }

  /// For the provenance: only what the metrics use.
  var provenance: [String: String] {
    let settings = settings
    func has(_ metric: Metric) -> Bool { settings.metrics.contains(metric) }
    var options: [String: String] = [:]
    if settings.metrics == [.fid], let name = settings.figure {
      options["figure"] = name
    } else {
      options["metrics"] = settings.metrics.map(\.rawValue).joined(separator: ",")
      options["figure"] = settings.figure
    }
    if has(.kid) { (options["kid-subsets"], options["kid-subset-size"]) = ("\(kidSubsets)", "\(kidSubsetSize)") }
    if has(.inceptionScore) { options["is-splits"] = "\(isSplits)" }
    if has(.precisionRecall) { (options["pr-neighbour"], options["pr-images"]) = ("\(prNeighbour)", "\(prImages)") }
    if bootstrap > 0 { options["bootstrap"] = "\(bootstrap)" }
    if has(.kid) || has(.extrapolated) || bootstrap > 0 { options["seed"] = "\(seed)" }
    return options
  }
}
