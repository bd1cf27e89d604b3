import Compute
import Denoising
import Diagnostics
import Foundation
import HDF5
import Images
import Models
import Records
import Sampling
import Stage
import Training
import TrainingData
import TrainingStage

/// One run of the program: the training of a teacher, as the frame of trainings runs it.
struct TeacherRun: StagedTraining {
  let command: TrainCommand
  let context: StageContext
  let settings: TeacherSettings
  /// The network that the training begins with.
  let initial: Network
  private let dataset: ImageDataset
  private let labels: [Int]?
  private let levels: DenoisingTraining
  let log: (any TrainingLog)?

  init(_ command: TrainCommand, _ context: StageContext) throws {
    (self.command, self.context) = (command, context)
    dataset = try ImageDataset(contentsOf: command.dataset)
    let shape = dataset.images.shape
    guard shape.height == shape.width else {
      throw Failure(
        .dataError, command.dataset, "its images are \(shape); square ones are expected",
        remedy: "make squares of them with sid-convert dataset --resolution")
    }
    labels = command.network.conditional ? try dataset.labels() : nil
    if command.network.conditional, labels == nil {
      throw Failure(.dataError, command.dataset, "the data set has no classes", remedy: "leave --conditional out")
    }
    let images = NetworkOptions.Images(
      path: command.dataset, resolution: shape.width, channels: shape.channels,
      classes: labels.map { ($0.max() ?? 0) + 1 } ?? 0)
    let (options, published) = (command.training, TeacherSettings())
    let pipelineLabels = AugmentationPipeline(probability: 1).labelCount
    KernelSet.use(command.kernels.kernels)
    if let path = command.network.transfer {
      let network = try Network(contentsOf: path)
      try command.network.requireFit(network.configuration, images, origin: path)
      let known = network.configuration.augmentDim
      settings = options.settings(augment: known == 0 ? 0 : published.augment, isTransfer: true)
      guard settings.augment == 0 || known == pipelineLabels else {
        throw Failure(
          .usage, "--augment", "\(path) takes \(known) augmentation labels, not those of EDM's pipeline",
          remedy: "give --augment 0")
      }
      initial = network.with(dropout: settings.dropout)
    } else {
      settings = options.settings(augment: published.augment, isTransfer: false)
      let configuration = try command.network.configuration(
        images, augmentLabels: settings.augment > 0 ? pipelineLabels : 0, dropout: settings.dropout)
      // Before the weights of one that cannot be trained are drawn.
      _ = try DenoisingTraining.required(for: configuration, origin: command.network.config ?? command.output)
      initial = try Network(
        configuration: configuration, initialSeed: settings.seed, origin: command.network.config ?? "the network")
    }
    levels = try DenoisingTraining.required(
      for: initial.configuration, origin: command.network.transfer ?? command.network.config ?? command.output)
    WeightCache.limitBytes = settings.checkpointsActivations ? 0 : WeightCache.trainingLimitBytes
    let tick = command.tickKimg ?? min(50, settings.durationKimg / 100)
    log = TeacherLog(
      (command.output as NSString).deletingPathExtension + ".stats.jsonl", batch: settings.batch, tickKimg: tick,
      durationImages: settings.durationImages, schedule: settings.schedule)
  }

  var names: TrainingNames {
    TrainingNames(
      stage: "train", work: "training on", kimgFigure: "trained_kimg", secondsFigure: "training_seconds",
      distanceFigure: "fd_training", plotTitle: "Frechet distance of samples in \(evaluateSteps) steps",
      seriesTitle: "average of the teacher")
  }
  var output: String { command.output }
  var statePath: String { command.state }
  var evaluation: EvaluationOptions { command.evaluation }
  var subject: String { command.dataset }
  var durationKimg: Double { settings.durationKimg }
  var durationImages: Int { settings.durationImages }
  var expectedNetworks: [TrainingState.ExpectedNetwork] { TrainingState.teacherNetworks }
  var cut: MicroBatches { settings.cut }
  var specifications: [ParameterSpecification] { initial.specifications }
  var expected: ExpectedInputs { command.expected }
  var tellsCost: Bool { true }
  private var evaluateSteps: Int { command.evaluateSteps ?? 18 }

  func output(of state: TrainingState) -> Network { state.teacherEMA }

  func provenance() throws -> Provenance {
    var inputs = ["dataset": try Provenance.Input(command.dataset)]
    if let config = command.network.config { inputs["config"] = try Provenance.Input(config) }
    if let transfer = command.network.transfer { inputs["transfer"] = try Provenance.Input(transfer) }
    var options = settings.record.merging(command.kernels.record) { $1 }
    // The whole architecture, whichever options said it.
    options["network"] = try initial.configuration.json()
    options["conditional"] = command.network.conditional ? "true" : nil
    try addEvaluation(to: &inputs, &options)
    if command.evaluation.evaluate { options["evaluate-steps"] = "\(evaluateSteps)" }
    return Provenance(program: context.program, inputs: inputs, options: options, kernels: KernelSet.name)
  }

  func resumable(_ provenance: Provenance) -> Provenance {
    Self.resumable(provenance, hasDecay: settings.learningRateDecayStartKimg != nil)
  }

  func makeEvaluator() throws -> Evaluator? {
    guard evaluation.evaluate else { return nil }
    return try Evaluator(
      evaluation, sampler: .heun(HeunSampler(steps: evaluateSteps)), configuration: initial.configuration,
      batch: settings.microbatch, origin: command.dataset)
  }

  func makeMeans() throws -> TrainingMeans {
    if let note = dataset.images.note { context.note(note) }
    let training = try TeacherTraining(
      initial.configuration, settings: settings,
      draws: DatasetDraws(
        dataset.images, labels: labels, classes: initial.configuration.labelDim, training: levels, settings: settings),
      origin: command.dataset)
    return TrainingMeans(details: try recordDetails()) { try training.loop(from: $0, ranks: $1) }
  }

  func recordDetails() throws -> [String: JSONValue] {
    [
      "dataset": [
        "images": .int(dataset.count), "classes": .int(initial.configuration.labelDim),
        "left_out": .object(dataset.images.leftOut.counts.mapValues { .int($0) }),
      ],
      "parameters": .int(initial.specifications.reduce(0) { $0 + ($1.isTrainable ? $1.shape.reduce(1, *) : 0) }),
    ]
  }

  func freshState() throws -> TrainingState { TrainingState(teacher: initial, settings: settings) }

  func adopt(_ state: TrainingState, from file: HDF5File) throws -> TrainingState {
    if let transfer = command.network.transfer {
      throw Failure(
        .usage, "--transfer \(transfer)", "\(command.state) has a network of its own, which goes on",
        remedy: "leave the option out, or give another --state")
    }
    var state = state
    try state.adopt(settings, origin: command.state)
    let rate = settings.schedule(afterImages: max(0, state.imagesSeen - settings.batch))
    try note(file, TrainingState.teacher + "_optimizer", "learning_rate", "--lr giving", isNow: rate)
    return state
  }

  /// One forward and one backward pass, which is worth two.
  var cost: TrainingCost {
    let (one, checkpoints) = (initial.cost, settings.checkpointsActivations)
    return TrainingCost(
      initial, flopsPerImage: (checkpoints ? 4 : 3) * one.flops, constantSets: 0,
      trainedSets: TrainingState(teacher: initial, settings: settings).networks.reduce(0) { $0 + $1.weightSets },
      preparedNetworks: 1, keptFloats: checkpoints ? one.checkpointedFloats + one.largestKeptFloats : one.keptFloats,
      microbatch: settings.microbatch, isAugmented: settings.augment > 0)
  }
}
