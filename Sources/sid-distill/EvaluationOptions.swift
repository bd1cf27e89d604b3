import ArgumentParser
import Models
import OptionValues
import Scoring

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
    CommonValues.referenceConvention, as: InputConvention.self,
    help:
      "How the images behind an npz reference became the network's input. (default: tensorflow for NVIDIA's files, by their names)"
  )
  var referenceConvention: InputConvention?

  @Option(
    CommonValues.referenceCount,
    help: "The number of images behind an npz reference. (default: known of NVIDIA's files, by their names)")
  var referenceCount: Int?

  @Option(
    repeating: DistillValues.evaluateMetrics, as: Metric.self,
    help: ArgumentHelp(
      "What else is measured of the same images: kid, is, pr or fd-infinity; may be repeated.", valueName: "metric"))
  var evaluateMetrics: [Metric] = []

  @Option(
    DistillValues.evaluateKimg,
    help: "Thousands of images between two evaluations. (default: a twentieth of the duration)")
  var evaluateKimg: Double?

  @Option(
    DistillValues.evaluateSeeds,
    help:
      "Seeds of the images that are evaluated, 50,000 of them for a FID as published; keep them apart from those that are reported."
  )
  var evaluateSeeds = "1000000-1004999"

  @Option(DistillValues.stopAtFD, help: "End as soon as an evaluation is at most this. (default: never)")
  var stopAtFD: Double?

  @Option(DistillValues.snapshotKimg, help: "Thousands of images between two snapshots of the average, NAME-KIMG.h5.")
  var snapshotKimg = 2500.0

  @Option(DistillValues.stateKimg, help: "Thousands of images between two saves of the training state.")
  var stateKimg = 10_000.0

  @Option(DistillValues.stateMinutes, help: "Minutes between two saves of the training state; whichever comes first.")
  var stateMinutes = 15.0

  /// What is measured: the Frechet distance, and what else was asked for.
  var settings: MetricSettings {
    var metrics = [Metric.fid]
    for metric in evaluateMetrics where !metrics.contains(metric) { metrics.append(metric) }
    return MetricSettings(metrics)
  }

  /// What an npz reference does not say.
  var npz: NpzConventions { NpzConventions(convention: referenceConvention, count: referenceCount) }
}
