import ArgumentParser
import Scoring

/// Options that say what is measured.
struct MetricOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What is measured: fid, kid, is (Inception Score), pr (precision and recall), fd-infinity; several by commas or by "
        + "repeating the option (default: the Frechet distance, as the figure fd).", valueName: "names"))
  var metrics: [String] = []

  @Option(
    help: ArgumentHelp(
      "The name of the Frechet distance in the summary, a-z, 0-9 and _; other figures are called NAME_kid and so on "
        + "(default: fid, kid, is, precision, recall, fid_infinity).", valueName: "name"))
  var figure: String?

  @Option(name: .customLong("kid-subsets"), help: ArgumentHelp("Subsets of the kernel distance.", valueName: "n"))
  var kidSubsets = 100

  @Option(
    name: .customLong("kid-subset-size"),
    help: ArgumentHelp("Images of each side in a subset of the kernel distance.", valueName: "images"))
  var kidSubsetSize = 1000

  @Option(name: .customLong("is-splits"), help: ArgumentHelp("Splits of the Inception Score.", valueName: "n"))
  var isSplits = 10

  @Option(
    name: .customLong("pr-neighbour"),
    help: ArgumentHelp("The neighbour that sets an image's radius in precision and recall.", valueName: "k"))
  var prNeighbour = 3

  @Option(
    name: .customLong("pr-images"),
    help: ArgumentHelp(
      "The most images of each side in precision and recall; the first ones count.", valueName: "images"))
  var prImages = 50_000

  @Option(
    help: ArgumentHelp(
      "Resamples of the scored images behind a standard error of the Frechet distance; each costs another distance.",
      valueName: "n"))
  var bootstrap = 0

  @Option(help: ArgumentHelp("Seed of subsets, extrapolation and bootstrap.", valueName: "seed"))
  var seed: UInt64 = 0

  func validate() throws {
    _ = try parsed()
    if let figure {
      let letters = Set("abcdefghijklmnopqrstuvwxyz0123456789_")
      guard !figure.isEmpty, figure.count <= 64, figure.allSatisfy({ letters.contains($0) }) else {
        throw ValidationError("--figure must be up to 64 of a-z, 0-9 and _, found \"\(figure)\"")
      }
      let taken: Set = [
        "format", "format_version", "feature_network", "input_convention", "figures", "created_by", "provenance",
        "archive", "contact_sheet", "job", "id", "started", "finished", "steps",
      ]
      if taken.contains(figure) { throw ValidationError("--figure \(figure) is a name of the score file's own fields") }
    }
    for (name, value, range) in [
      ("kid-subsets", kidSubsets, 1...100_000), ("kid-subset-size", kidSubsetSize, 2...1_000_000),
      ("is-splits", isSplits, 1...10_000), ("pr-neighbour", prNeighbour, 1...1000),
      ("pr-images", prImages, 2...100_000_000), ("bootstrap", bootstrap, 0...100_000),
    ] where !range.contains(value) {
      throw ValidationError("--\(name) must be from \(range.lowerBound) to \(range.upperBound), found \(value)")
    }
    if bootstrap == 1 { throw ValidationError("--bootstrap must be 0 or at least 2") }
  }

  /// What is measured, as the library has it.
  var settings: MetricSettings {
    let metrics = (try? parsed()) ?? []
    var settings = MetricSettings(metrics.isEmpty ? [.fid] : metrics, figure: figure ?? (metrics.isEmpty ? "fd" : nil))
    settings.kernelSubsets = kidSubsets
    settings.kernelSubsetSize = kidSubsetSize
    settings.inceptionSplits = isSplits
    settings.neighbour = prNeighbour
    settings.manifoldImages = prImages
    settings.bootstraps = bootstrap
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

  private func parsed() throws -> [Metric] {
    var result: [Metric] = []
    for name in metrics.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
      guard let metric = Metric(rawValue: name.trimmingPrefix(while: { $0 == " " }).description) else {
        throw ValidationError(
          "--metrics must be of \(Metric.allCases.map(\.rawValue).joined(separator: ", ")), found \"\(name)\"")
      }
      guard !result.contains(metric) else { throw ValidationError("--metrics names \(metric.rawValue) twice") }
      result.append(metric)
    }
    return result
  }
}
