import ArgumentParser
import Diagnostics
import Distillation
import Files
import Models
import OptionValues
import Stage
import TrainingData
import TrainingStage

/// Distills a teacher into a one-step generator by Score identity Distillation.
struct DistillCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "distill",
    abstract: "Distill a teacher into a generator (this is what happens without a subcommand).")

  @Option(help: "The teacher: a network file made by sid-convert.")
  var teacher: String

  @Option(
    help:
      "The generator to publish: the last average. Beside it appear NAME.json, and with --evaluate NAME-best.h5, NAME-curve.png."
  )
  var output: String

  @Option(help: "The training state, from which an interrupted run goes on.")
  var state: String

  @OptionGroup(title: "Training")
  var training: TrainingOptions

  @OptionGroup(title: "Training")
  var kernels: KernelOptions

  @OptionGroup(title: "Adversarial loss")
  var adversarial: AdversarialOptions

  @OptionGroup(title: "Evaluation and saving")
  var evaluation: EvaluationOptions

  @OptionGroup(title: "Process")
  var expected: ExpectedInputs

  @OptionGroup(title: "Process")
  var options: StageOptions

  func validate() throws {
    try DistillRelations(
      evaluates: evaluation.evaluate, isAdversarial: adversarial.adversarial, digests: expected.digests, has: has
    ).validate()
  }

  /// Whether an option that has to fit others is given, by its name.
  private func has(_ name: String) -> Bool {
    switch name {
    case "features": evaluation.features != nil
    case "reference": evaluation.reference != nil
    case "labels": training.labels != nil
    case "initial-generator": training.initialGenerator != nil
    case TrainingValues.stopAtFD.name: evaluation.stopAtFD != nil
    case TrainingValues.evaluateMetrics.name: !evaluation.evaluateMetrics.isEmpty
    default: adversarial.has(name)
    }
  }

  func run() throws {
    DistillationRun.run(SidDistill.program, output: output, state: state, options: options) {
      try DistillationRun(self, $0)
    }
  }
}

/// What determines the result; the names are those of the published trainer where it has one.
struct TrainingOptions: ParsableArguments {
  private static let published = DistillationSettings()

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

  @Option(TrainingValues.lr, help: "Learning rate of the fake score.")
  var lr = Self.published.fakeScoreLearningRate

  @Option(DistillValues.glr, help: "Learning rate of the generator.")
  var glr = Self.published.generatorLearningRate

  @Option(DistillValues.generatorBeta1, help: "Adam's beta1 of the generator; the fake score's is 0.")
  var generatorBeta1 = Self.published.generatorBeta1

  @Option(
    DistillValues.adamEpsilon,
    help: "Adam's epsilon; the published runs in half precision had 1e-6, which their gradients needed.")
  var adamEpsilon = Self.published.adamEpsilon

  @Option(DistillValues.alpha, help: "Weight of the second term of the generator's loss.")
  var alpha = Self.published.alpha

  @Option(DistillValues.tmax, help: "Largest time of the generator's loss, thousandths of the noise schedule.")
  var tmax = Self.published.tmax

  @Option(DistillValues.initSigma, help: "Noise level at which the generator is evaluated.")
  var initSigma = Self.published.initSigma

  @Option(TrainingValues.emaHalfLifeKimg, help: "Half-life of the generator's average, thousands of images.")
  var emaHalfLifeKimg = Self.published.emaHalfLifeKimg

  @Option(TrainingValues.emaRampupRatio, help: "Half-life as a share of the images seen so far, while that is shorter.")
  var emaRampupRatio = Self.published.emaRampupRatio

  @Option(
    TrainingValues.lrDecayStartKimg,
    help:
      "From here both learning rates fall linearly, thousands of images; not part of the published method. (default: never)"
  )
  var lrDecayStartKimg: Double?

  @Option(TrainingValues.lrDecayFinal, help: "The share of the learning rates that is left at the end of the decay.")
  var lrDecayFinal = Self.published.learningRateDecayFinal

  @Option(TrainingValues.dropout, help: "Dropout probability of the trained networks.")
  var dropout = Self.published.dropout

  @Option(
    TrainingValues.augment,
    help:
      "Probability of EDM's augmentations of the fake score's images; 0 for none. (default: \(Self.published.augment), or 0 where the teacher takes no augmentation labels)"
  )
  var augment: Float?

  @Option(
    DistillValues.pMean,
    help: "Mean of ln sigma of the noise levels at which the fake score learns; short runs want a higher one.")
  var pMean = Self.published.fakeScorePMean

  @Option(DistillValues.pStd, help: "Standard deviation of ln sigma of those noise levels.")
  var pStd = Self.published.fakeScorePStd

  @Option(TrainingValues.lossScale, help: "Factor of the fake score's loss.")
  var lossScale = Self.published.fakeScoreLossScale

  @Option(DistillValues.generatorLossScale, help: "Factor of the generator's loss.")
  var generatorLossScale = Self.published.generatorLossScale

  @Option(TrainingValues.durationKimg, help: "Thousands of images to train on.")
  var durationKimg = Self.published.durationKimg

  @Option(help: "A data set (EDM zip) whose class labels give frequencies and order. (default: classes drawn evenly)")
  var labels: String?

  @Option(
    help:
      "A generator of the same teacher, or of one of its architecture, to go on from (SiD^2A: SiD's, with --adversarial). (default: the teacher) (--sid_model)"
  )
  var initialGenerator: String?

  @Option(TrainingValues.seed, help: "Seed of every random number.")
  var seed = Self.published.seed

  /// The settings as given.
  var settings: DistillationSettings {
    var s = DistillationSettings()
    s.batch = batch
    s.microbatch = min(microbatch ?? 64, batch)
    s.gradientGroups = gradientGroups
    s.fakeScoreLearningRate = lr
    s.generatorLearningRate = glr
    s.generatorBeta1 = generatorBeta1
    s.adamEpsilon = adamEpsilon
    s.alpha = alpha
    s.tmax = tmax
    s.initSigma = initSigma
    s.emaHalfLifeKimg = emaHalfLifeKimg
    s.emaRampupRatio = emaRampupRatio
    s.learningRateDecayStartKimg = lrDecayStartKimg
    s.learningRateDecayFinal = lrDecayFinal
    s.dropout = dropout
    s.augment = augment ?? s.augment
    s.fakeScorePMean = pMean
    s.fakeScorePStd = pStd
    s.fakeScoreLossScale = lossScale
    s.generatorLossScale = generatorLossScale
    s.durationKimg = durationKimg
    s.seed = seed
    s.checkpointsActivations = checkpointActivations
    return s
  }

  /// The settings for a teacher: without augmentation labels it cannot tell augmented images from others.
  ///
  /// The official trainer augments for such a teacher all the same, and its generator learns the augmentations.
  func settings(_ teacher: Network, origin: String) throws -> DistillationSettings {
    var s = settings
    let labels = teacher.configuration.augmentDim
    if augment == nil && labels == 0 { s.augment = 0 }
    guard s.augment == 0 || labels == AugmentationPipeline(probability: s.augment).labelCount else {
      throw Failure(
        .usage, "--augment", "\(origin) takes \(labels) augmentation labels, not those of EDM's pipeline",
        remedy: "give --augment 0")
    }
    return s
  }

  /// What changes the result, by option name, for the provenance.
  func record(_ settings: DistillationSettings) -> [String: String] {
    var options = [
      "batch": "\(batch)", "microbatch": "\(settings.microbatch)", "lr": "\(lr)", "glr": "\(glr)",
      "g-beta1": "\(generatorBeta1)", "adam-eps": "\(adamEpsilon)",
      "alpha": "\(alpha)", "tmax": "\(tmax)", "init-sigma": "\(initSigma)", "ema-halflife-kimg": "\(emaHalfLifeKimg)",
      "ema-rampup-ratio": "\(emaRampupRatio)", "lr-decay-start-kimg": lrDecayStartKimg.map { "\($0)" } ?? "never",
      "lr-decay-final": "\(lrDecayFinal)", "dropout": "\(dropout)", "augment": "\(settings.augment)",
      "loss-scale": "\(lossScale)",
      "generator-loss-scale": "\(generatorLossScale)", "duration-kimg": "\(durationKimg)", "seed": "\(seed)",
    ]
    // States and generators of versions without these options are those of the default.
    if pMean != Self.published.fakeScorePMean { options["p-mean"] = "\(pMean)" }
    if pStd != Self.published.fakeScorePStd { options["p-std"] = "\(pStd)" }
    if gradientGroups != Self.published.gradientGroups { options["gradient-groups"] = "\(gradientGroups)" }
    return options
  }
}
