import ArgumentParser
import OptionValues
import Scoring
import ScoringStage

/// What is measured and saved on the way.
public struct EvaluationOptions: ParsableArguments {
  /// Whether the average is measured on the way.
  @Flag(
    help: "Measure the Frechet distance of the average's samples on the way; needs --features and --reference."
  )
  public var evaluate = false

  /// The feature network.
  @Option(help: "The feature network, made by sid-convert.")
  public var features: String?

  /// Reference statistics.
  @Option(
    help:
      "Reference statistics: made by sid-score reference, or an npz of mu and sigma, such as NVIDIA's of the EDM paper."
  )
  public var reference: String?

  /// What an npz of reference statistics does not say.
  @OptionGroup public var npzReference: NpzReferenceOptions

  /// What else is measured.
  @Option(
    repeating: TrainingValues.evaluateMetrics, as: Metric.self,
    help: ArgumentHelp(
      "What else is measured of the same images: kid, is, pr or fd-infinity; may be repeated.", valueName: "metric"))
  public var evaluateMetrics: [Metric] = []

  /// Thousands of images between two evaluations; nil for a twentieth of the duration.
  @Option(
    TrainingValues.evaluateKimg,
    help: "Thousands of images between two evaluations. (default: a twentieth of the duration)")
  public var evaluateKimg: Double?

  /// Seeds of the images that are evaluated.
  @Option(
    TrainingValues.evaluateSeeds,
    help:
      "Seeds of the images that are evaluated, 50,000 of them for a FID as published; keep them apart from those that are reported."
  )
  public var evaluateSeeds = "1000000-1004999"

  /// Which class an evaluated image gets; nil for as many of each.
  @Option(
    TrainingValues.evaluateClass,
    help: ArgumentHelp(
      "Class of the images that are evaluated, as sid-sample --class says it; for classes of different sizes a list that "
        + "names each as often as it is among the pictures. (default: balanced)", valueName: "class"))
  public var evaluateClass: ClassText?

  /// The distance that ends the training.
  @Option(TrainingValues.stopAtFD, help: "End as soon as an evaluation is at most this. (default: never)")
  public var stopAtFD: Double?

  /// Thousands of images between two snapshots.
  @Option(TrainingValues.snapshotKimg, help: "Thousands of images between two snapshots of the average, NAME-KIMG.h5.")
  public var snapshotKimg = 2500.0

  /// Thousands of images between two saves of the state.
  @Option(TrainingValues.stateKimg, help: "Thousands of images between two saves of the training state.")
  public var stateKimg = 10_000.0

  /// Minutes between two saves of the state.
  @Option(TrainingValues.stateMinutes, help: "Minutes between two saves of the training state; whichever comes first.")
  public var stateMinutes = 15.0

  /// The defaults.
  public init() {}

  /// What is measured: the Frechet distance, and what else was asked for.
  public var settings: MetricSettings {
    var metrics = [Metric.fid]
    for metric in evaluateMetrics where !metrics.contains(metric) { metrics.append(metric) }
    return MetricSettings(metrics)
  }
}
