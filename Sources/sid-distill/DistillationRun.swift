import Compute
import Diagnostics
import Distillation
import HDF5
import Images
import Models
import Records
import Sampling
import Stage
import Training
import TrainingData
import TrainingStage

/// One run of the program: the distillation of a teacher, as the frame of trainings runs it.
struct DistillationRun: StagedTraining {
  let command: DistillCommand
  let context: StageContext
  let teacher: Network
  let settings: DistillationSettings

  init(_ command: DistillCommand, _ context: StageContext) throws {
    self.command = command
    self.context = context
    teacher = try Network(contentsOf: command.teacher)
    var settings = try command.training.settings(teacher, origin: command.teacher)
    settings.adversarial = command.adversarial.settings
    self.settings = settings
    let range = teacher.configuration.sigmaRange
    guard range.contains(Double(settings.initSigma)) else {
      throw Failure(
        .usage, "--init-sigma \(settings.initSigma)",
        "\(command.teacher) knows the noise levels \(range.lowerBound) to \(range.upperBound)")
    }
    KernelSet.use(command.kernels.kernels)
    WeightCache.limitBytes = settings.checkpointsActivations ? 0 : WeightCache.trainingLimitBytes
  }

  let names = TrainingNames(
    stage: "distill", work: "distilling", kimgFigure: "distilled_kimg", secondsFigure: "distillation_seconds",
    distanceFigure: "fd_distillation", plotTitle: "Frechet distance of one-step samples",
    seriesTitle: "average of the generator")
  var output: String { command.output }
  var statePath: String { command.state }
  var evaluation: EvaluationOptions { command.evaluation }
  var subject: String { command.teacher }
  var durationKimg: Double { settings.durationKimg }
  var durationImages: Int { settings.durationImages }
  var expectedNetworks: [TrainingState.ExpectedNetwork] { TrainingState.distillationNetworks }
  var cut: MicroBatches { settings.cut }
  var specifications: [ParameterSpecification] { teacher.specifications }
  var expected: ExpectedInputs { command.expected }
  var tellsCost: Bool { false }
  var log: (any TrainingLog)? { nil }

  func output(of state: TrainingState) -> Network { state.generatorEMA }

  func provenance() throws -> Provenance {
    var inputs = ["teacher": try Provenance.Input(command.teacher)]
    var options = command.training.record(settings).merging(command.kernels.record) { $1 }
    options.merge(command.adversarial.record) { $1 }
    if let dataset = command.adversarial.dataset { inputs["dataset"] = try Provenance.Input(dataset) }
    if let labels = command.training.labels { inputs["labels"] = try Provenance.Input(labels) }
    if let generator = command.training.initialGenerator {
      inputs["initial-generator"] = try Provenance.Input(generator)
    }
    try addEvaluation(to: &inputs, &options)
    return Provenance(program: context.program, inputs: inputs, options: options, kernels: KernelSet.name)
  }

  func resumable(_ provenance: Provenance) -> Provenance {
    Self.resumable(provenance, hasDecay: settings.learningRateDecayStartKimg != nil)
  }

  func makeEvaluator() throws -> Evaluator? {
    guard evaluation.evaluate else { return nil }
    return try Evaluator(
      evaluation, sampler: .oneStep(OneStepSampler(initSigma: Double(settings.initSigma))),
      configuration: teacher.configuration, batch: settings.microbatch, origin: command.teacher)
  }

  func makeMeans() throws -> TrainingMeans {
    noteLateStarts()
    let dataset = try self.dataset()
    let order = dataset.map { DatasetOrder(count: $0.count, batch: settings.batch, seed: settings.seed) }
    let real = try realImages(dataset, order)
    let distillation = Distillation(
      teacher: teacher, settings: settings,
      draws: SeededDraws(
        seed: settings.seed, imageShape: teacher.imageShape, labels: try labels(dataset, order),
        augmentations: SeededAugmentations(settings, imageShape: teacher.imageShape)),
      realImages: real)
    return TrainingMeans(details: Self.details(dataset)) { try distillation.loop(from: $0, ranks: $1) }
  }

  func recordDetails() throws -> [String: JSONValue] { Self.details(try dataset()) }

  /// What the record tells of the images whose labels were taken.
  private static func details(_ dataset: ImageDataset?) -> [String: JSONValue] {
    guard let images = dataset?.images else { return [:] }
    return [
      "labels": [
        "images": .int(images.count), "left_out": .object(images.leftOut.counts.mapValues { .int($0) }),
      ]
    ]
  }

  func freshState() throws -> TrainingState {
    TrainingState(teacher: teacher, initialGenerator: try initialGenerator(), settings: settings)
  }

  func adopt(_ state: TrainingState, from file: HDF5File) throws -> TrainingState {
    if let generator = command.training.initialGenerator {
      throw Failure(
        .usage, "--initial-generator \(generator)", "\(command.state) has a generator of its own, which goes on",
        remedy: "leave the option out, or give another --state")
    }
    var state = state
    try state.adopt(settings, origin: command.state)
    try note(file, "fake_score_optimizer", "learning_rate", "--lr", isNow: settings.fakeScoreLearningRate)
    try note(file, "generator_optimizer", "learning_rate", "--glr", isNow: settings.generatorLearningRate)
    try note(file, "generator_optimizer", "epsilon", "--adam-eps", isNow: settings.adamEpsilon)
    return state
  }

  /// Eleven forward passes' worth of work an image: one and three for the fake score's step; three, two and two for the
  /// generator's.
  var cost: TrainingCost {
    let one = teacher.cost
    // The generator's step keeps its own pass and those of both score networks.
    let kept =
      settings.checkpointsActivations
      ? 3 * one.checkpointedFloats + one.largestKeptFloats : one.keptFloats + 2 * one.frozenFloats
    // The discriminator's pass over the real images: the encoder, about half of a network, forward and backward.
    return TrainingCost(
      teacher, flopsPerImage: (settings.adversarial == nil ? 11 : 12.5) * one.flops, constantSets: 1,
      trainedSets: TrainingState(teacher: teacher, settings: settings).networks.reduce(0) { $0 + $1.weightSets },
      preparedNetworks: 3, keptFloats: kept, microbatch: settings.microbatch, isAugmented: settings.augment > 0)
  }

  private func dataset() throws -> ImageDataset? {
    try (command.adversarial.dataset ?? command.training.labels).map { try ImageDataset(contentsOf: $0) }
  }

  private func noteLateStarts() {
    guard let adversarial = settings.adversarial else { return }
    if adversarial.generatorStartKimg >= settings.durationKimg {
      context.note(
        "--generator-start-kimg \(adversarial.generatorStartKimg) is not before the end, --duration-kimg "
          + "\(settings.durationKimg): the generator does not learn, only the fake score does")
    } else if adversarial.adversarialStartKimg >= settings.durationKimg {
      context.note(
        "--adversarial-start-kimg \(adversarial.adversarialStartKimg) is not before the end, --duration-kimg "
          + "\(settings.durationKimg): the generator learns from SiD's loss alone")
    }
  }

  /// The generator to begin with, if one is given.
  private func initialGenerator() throws -> Network? {
    guard let path = command.training.initialGenerator else { return nil }
    let generator = try Network(contentsOf: path)
    guard generator.specifications == teacher.specifications else {
      throw Failure(
        .dataError, path, "its network has another architecture than \(command.teacher)",
        remedy: "give a generator that was distilled from a teacher of this architecture")
    }
    return generator
  }

  private func realImages(_ dataset: ImageDataset?, _ order: DatasetOrder?) throws -> DatasetImages? {
    guard settings.adversarial != nil, let dataset, let order else { return nil }
    let shape = dataset.images.shape
    guard [shape.height, shape.width, shape.channels] == teacher.imageShape else {
      throw Failure(
        .dataError, dataset.path,
        "its images are \(shape), those of \(command.teacher) "
          + teacher.imageShape.map { "\($0)" }.joined(separator: "x"),
        remedy: "give the data set that the teacher was trained on")
    }
    return DatasetImages(dataset.images, order: order)
  }

  private func labels(_ dataset: ImageDataset?, _ order: DatasetOrder?) throws -> any LabelSource {
    let classes = teacher.configuration.labelDim
    guard let dataset, let order else { return UniformLabels(seed: settings.seed, classes: classes) }
    guard classes > 0 else {
      if settings.adversarial != nil { return UniformLabels(seed: settings.seed, classes: 0) }
      throw Failure(.usage, "--labels", "\(command.teacher) has no classes")
    }
    guard let labels = try dataset.labels() else {
      throw Failure(.dataError, dataset.path, "the data set has no labels")
    }
    let count = (labels.max() ?? -1) + 1
    guard count <= classes else {
      throw Failure(.dataError, dataset.path, "it has \(count) classes, the teacher \(classes)")
    }
    if let note = dataset.images.note { context.note(note) }
    return DatasetLabels(labels, classes: classes, order: order)
  }
}
