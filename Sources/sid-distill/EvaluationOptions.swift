import ArgumentParser
import Diagnostics
import Models
import Scoring

extension Metric: ExpressibleByArgument {}
extension InputConvention: ExpressibleByArgument {}

/// What is measured and saved on the way.
struct EvaluationOptions: ParsableArguments {
  @Flag(
    help: "Measure the Frechet distance of the average's one-step samples on the way; needs --features and --reference."
  )
  var evaluate = false

  @Option(help: "The feature network, made by sid-convert.")
  var features: String?

  @Option(
    help:
      "Reference statistics: made by sid-score reference, or an npz of mu and sigma, such as NVIDIA's of the EDM paper."
  )
  var reference: String?

  @Option(
    help:
      "How the images behind an npz reference became the network's input. (default: tensorflow for NVIDIA's files, by their names)"
  )
  var referenceConvention: InputConvention?

  @Option(help: "The number of images behind an npz reference. (default: known of NVIDIA's files, by their names)")
  var referenceCount: Int?

  @Option(
    help: ArgumentHelp(
      "What else is measured of the same images: kid, is, pr or fd-infinity; may be repeated.", valueName: "metric"))
  var evaluateMetrics: [Metric] = []

  @Option(help: "Thousands of images between two evaluations. (default: a twentieth of the duration)")
  var evaluateKimg: Double?

  @Option(
    help:
      "Seeds of the images that are evaluated, 50,000 of them for a FID as published; keep them apart from those that are reported."
  )
  var evaluateSeeds = "1000000-1004999"

  @Option(name: .customLong("stop-at-fd"), help: "End as soon as an evaluation is at most this. (default: never)")
  var stopAtFD: Double?

  @Option(help: "Thousands of images between two snapshots of the average, NAME-KIMG.h5.")
  var snapshotKimg = 2500.0

  @Option(help: "Thousands of images between two saves of the training state.")
  var stateKimg = 10_000.0

  @Option(help: "Minutes between two saves of the training state; whichever comes first.")
  var stateMinutes = 15.0

  /// What is measured: the Frechet distance, and what else was asked for.
  var settings: MetricSettings {
    var metrics = [Metric.fid]
    for metric in evaluateMetrics where !metrics.contains(metric) { metrics.append(metric) }
    return MetricSettings(metrics)
  }

  /// What an npz reference does not say.
  var npz: NpzConventions { NpzConventions(convention: referenceConvention, count: referenceCount) }

  /// - Throws: a `Failure` naming the option that is missing or makes no sense.
  func check() throws {
    if evaluate {
      guard features != nil, reference != nil else {
        throw Failure(.usage, "--evaluate", "it needs --features and --reference")
      }
    } else if stopAtFD != nil {
      throw Failure(.usage, "--stop-at-fd", "it needs --evaluate")
    } else if !evaluateMetrics.isEmpty {
      throw Failure(.usage, "--evaluate-metrics", "it needs --evaluate")
    }
    guard referenceCount ?? 2 >= 2 else {
      throw Failure(.usage, "--reference-count", "a covariance needs at least 2 images")
    }
    guard snapshotKimg >= 1 else {
      throw Failure(.usage, "--snapshot-kimg", "\(snapshotKimg) is less than 1, and the names count thousands")
    }
    for (name, value) in [
      ("--state-kimg", stateKimg), ("--state-minutes", stateMinutes),
      ("--evaluate-kimg", evaluateKimg ?? 1),
    ] where !(value > 0) {
      throw Failure(.usage, name, "\(value) is not positive")
    }
  }
}
