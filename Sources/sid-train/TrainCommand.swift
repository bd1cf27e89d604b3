import ArgumentParser
import Denoising
import Files
import OptionValues
import Stage
import TrainingStage

/// Trains a teacher on a data set.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a teacher on a data set (this is what happens without a subcommand).")

  @Option(help: "The images, a data set (EDM zip): square, all of one shape. (--data)")
  var dataset: String

  @Option(
    help:
      "The teacher to publish: the last average. Beside it appear NAME.json, NAME.stats.jsonl, and with --evaluate NAME-best.h5, NAME-curve.png."
  )
  var output: String

  @Option(help: "The training state, from which an interrupted run goes on.")
  var state: String

  @OptionGroup(title: "Network")
  var network: NetworkOptions

  @OptionGroup(title: "Training")
  var training: TrainingOptions

  @OptionGroup(title: "Training")
  var kernels: KernelOptions

  @Option(
    TrainValues.evaluateSteps,
    help:
      "Noise levels of the Heun sampler that makes the images that are evaluated; it runs the network twice at each but the last. (default: 18)"
  )
  var evaluateSteps: Int?

  @Option(
    TrainValues.tickKimg,
    help:
      "Thousands of images between two lines of NAME.stats.jsonl. (default: 50, or a hundredth of the duration if that is less)"
  )
  var tickKimg: Double?

  @OptionGroup(title: "Evaluation and saving")
  var evaluation: EvaluationOptions

  @OptionGroup(title: "Process")
  var expected: ExpectedInputs

  @OptionGroup(title: "Process")
  var options: StageOptions

  func validate() throws {
    try TrainRelations(evaluates: evaluation.evaluate, digests: expected.digests, has: has).validate()
  }

  /// Whether an option that has to fit others is given, by its name.
  private func has(_ name: String) -> Bool {
    switch name {
    case "features": evaluation.features != nil
    case "reference": evaluation.reference != nil
    case TrainingValues.stopAtFD.name: evaluation.stopAtFD != nil
    case TrainingValues.evaluateMetrics.name: !evaluation.evaluateMetrics.isEmpty
    case TrainValues.evaluateSteps.name: evaluateSteps != nil
    default: network.has(name)
    }
  }

  func run() throws {
    TeacherRun.run(SidTrain.program, output: output, state: state, options: options) { try TeacherRun(self, $0) }
  }
}

/// What determines the result; the names are those of the published trainer where it has one.
struct TrainingOptions: ParsableArguments {
  private static let published = TeacherSettings()

  @Option(TrainingValues.batch, help: "Images per iteration.")
  var batch = Self.published.batch

  @Option(
    TrainingValues.microbatch,
    help: "Images per forward and backward pass; bounds the memory. (default: 64, or the batch if that is less)")
  var microbatch: Int?

  @Option(
    TrainingValues.gradientGroups,
    help:
      "Groups of micro-batches whose gradients meet in a fixed order, whatever computes them: so many processes can share a batch."
  )
  var gradientGroups = Self.published.gradientGroups

  @Flag(
    help:
      "Compute what blocks hold inside again for the gradients: less memory for one more forward pass, the same numbers."
  )
  var checkpointActivations = false

  @Option(TrainingValues.lr, help: "Learning rate.")
  var lr = Self.published.learningRate

  @Option(TrainValues.lrRampupKimg, help: "Thousands of images over which the learning rate rises from 0.")
  var lrRampupKimg = Self.published.learningRateRampKimg

  @Option(
    TrainingValues.lrDecayStartKimg,
    help:
      "From here the learning rate falls linearly, thousands of images; not part of the published method. (default: never)"
  )
  var lrDecayStartKimg: Double?

  @Option(TrainingValues.lrDecayFinal, help: "The share of the learning rate that is left at the end of the decay.")
  var lrDecayFinal = Self.published.learningRateDecayFinal

  @Option(TrainingValues.emaHalfLifeKimg, help: "Half-life of the average, thousands of images. (--ema)")
  var emaHalfLifeKimg = Self.published.emaHalfLifeKimg

  @Option(
    TrainingValues.emaRampupRatio,
    help:
      "Half-life as a share of the images seen so far, while that is shorter. (default: 0.05; none with --transfer)")
  var emaRampupRatio: Double?

  @Option(TrainingValues.dropout, help: "Dropout probability.")
  var dropout = Self.published.dropout

  @Option(
    TrainingValues.augment,
    help:
      "Probability of EDM's augmentations; 0 for none. (default: \(Self.published.augment), or 0 where a transferred network takes no augmentation labels)"
  )
  var augment: Float?

  @Option(TrainingValues.lossScale, help: "Factor of the loss. (--ls)")
  var lossScale = Self.published.lossScale

  @Option(TrainingValues.durationKimg, help: "Thousands of images to train on.")
  var durationKimg = Self.published.durationKimg

  @Option(TrainingValues.seed, help: "Seed of every random number.")
  var seed = Self.published.seed

  /// The settings as given.
  /// - Parameters:
  ///   - augment: the probability of the augmentations where the option does not say it.
  ///   - isTransfer: whether the training goes on from another network.
  func settings(augment standard: Float, isTransfer: Bool) -> TeacherSettings {
    var s = TeacherSettings()
    s.batch = batch
    s.microbatch = min(microbatch ?? 64, batch)
    s.gradientGroups = gradientGroups
    s.learningRate = lr
    s.learningRateRampKimg = lrRampupKimg
    s.learningRateDecayStartKimg = lrDecayStartKimg
    s.learningRateDecayFinal = lrDecayFinal
    s.emaHalfLifeKimg = emaHalfLifeKimg
    s.emaRampupRatio = emaRampupRatio ?? (isTransfer ? nil : s.emaRampupRatio)
    s.dropout = dropout
    s.augment = augment ?? standard
    s.lossScale = lossScale
    s.durationKimg = durationKimg
    s.checkpointsActivations = checkpointActivations
    s.seed = seed
    return s
  }
}

extension TeacherSettings {
  /// What changes the result, by option name, for the provenance.
  var record: [String: String] {
    [
      "batch": "\(batch)", "microbatch": "\(microbatch)", "gradient-groups": "\(gradientGroups)",
      "lr": "\(learningRate)",
      "lr-rampup-kimg": "\(learningRateRampKimg)",
      "lr-decay-start-kimg": learningRateDecayStartKimg.map { "\($0)" } ?? "never",
      "lr-decay-final": "\(learningRateDecayFinal)", "ema-halflife-kimg": "\(emaHalfLifeKimg)",
      "ema-rampup-ratio": emaRampupRatio.map { "\($0)" } ?? "none", "dropout": "\(dropout)", "augment": "\(augment)",
      "loss-scale": "\(lossScale)", "duration-kimg": "\(durationKimg)", "seed": "\(seed)",
    ]
  }
}
