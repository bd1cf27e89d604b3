import Compute
import Diagnostics
import Distillation
import Foundation
import HDF5
import Images
import MPIRanks
import Models
import Scoring
import Stage
import Training

/// One run of the program: starts or goes on, trains, measures, saves, publishes.
struct DistillationRun {
  let command: DistillCommand
  let context: StageContext
  let teacher: Network
  let settings: DistillationSettings

  /// What there is to do.
  enum Work {
    /// To say what it would cost.
    case estimate(Evaluator?)
    /// To complete the record of a generator that is there.
    case complete(Provenance)
    /// To train from a state on.
    case train(Start)
  }

  /// Where a training starts or goes on, and what it needs.
  struct Start {
    let wanted: Provenance
    let evaluator: Evaluator?
    let dataset: ImageDataset?
    let distillation: Distillation
    let state: TrainingState
    let progress: Progress
  }

  init(_ command: DistillCommand, _ context: StageContext) throws {
    self.command = command
    self.context = context
    teacher = try Network(contentsOf: command.teacher)
    var settings = try command.training.settings(teacher, origin: command.teacher)
    settings.adversarial = command.adversarial.settings
    self.settings = settings
  }

  /// Reads what the run works with and finds out what there is to do. Nothing is written.
  func prepared() throws -> (DistillationRun, Work) {
    let range = teacher.configuration.sigmaRange
    guard range.contains(Double(settings.initSigma)) else {
      throw Failure(
        .usage, "--init-sigma \(settings.initSigma)",
        "\(command.teacher) knows the noise levels \(range.lowerBound) to \(range.upperBound)")
    }
    KernelSet.use(named: command.kernels.kernels.rawValue)
    WeightCache.limitBytes = settings.checkpointsActivations ? 0 : WeightCache.trainingLimitBytes
    if context.options.dryRun { return (self, .estimate(try makeEvaluator())) }
    let wanted = try provenance()
    try command.expected.check(wanted)
    let existing = try FinishedOutput.check(
      command.output, wanted: wanted, overwrite: context.options.overwrite, existingProvenance: Self.provenance(of:))
    if existing == .same { return (self, .complete(wanted)) }
    let evaluator = try makeEvaluator()
    // Before anything large is read.
    try Machine.requireMemory(
      estimate(evaluator, Place(context)).peakMemoryBytes, for: "distilling \(command.teacher)",
      remedy: "give a smaller --microbatch or --checkpoint-activations")
    if let adversarial = settings.adversarial, adversarial.generatorStartKimg >= settings.durationKimg {
      context.note(
        "--generator-start-kimg \(adversarial.generatorStartKimg) is not before the end, --duration-kimg "
          + "\(settings.durationKimg): the generator does not learn, only the fake score does")
    } else if let adversarial = settings.adversarial, adversarial.adversarialStartKimg >= settings.durationKimg {
      context.note(
        "--adversarial-start-kimg \(adversarial.adversarialStartKimg) is not before the end, --duration-kimg "
          + "\(settings.durationKimg): the generator learns from SiD's loss alone")
    }
    let dataset = try (command.adversarial.dataset ?? command.training.labels).map { try ImageDataset(contentsOf: $0) }
    let order = dataset.map { DatasetOrder(count: $0.count, batch: settings.batch, seed: settings.seed) }
    let real = try realImages(dataset, order)
    let distillation = Distillation(
      teacher: teacher, settings: settings,
      draws: SeededDraws(
        seed: settings.seed, imageShape: teacher.imageShape, labels: try labels(dataset, order),
        augmentations: SeededAugmentations(settings, imageShape: teacher.imageShape)),
      realImages: real)
    let (state, progress) = try start(wanted)
    return (
      self,
      .train(
        Start(
          wanted: wanted, evaluator: evaluator, dataset: dataset, distillation: distillation, state: state,
          progress: progress))
    )
  }

  /// Does what there is to do, on every rank.
  func carryOut(_ work: Work, with ranks: any JoinedRanks) throws {
    let place = Place(ranks, context)
    Threads.use(place.threads)
    switch work {
    case .estimate(let evaluator):
      try ranks.together { if ranks.isFirst { estimate(evaluator, place).print() } }
    case .complete(let wanted):
      try ranks.together {
        guard ranks.isFirst else { return }
        try completeRecord(wanted)
        context.note("\(command.output): already made from these inputs and options")
      }
    case .train(let start): try train(start, ranks, place)
    }
  }

  private func train(_ start: Start, _ ranks: any JoinedRanks, _ place: Place) throws {
    try ranks.requireSame(start, origin: command.state)
    if ranks.count > 1 {
      context.note("\(ranks.count) ranks, here \(place.ranks) of \(place.threads) threads, \(StageProfile.ofRanks())")
    }
    if place.ranks > 1 {
      // Each of them has read its networks by now.
      let held = place.ranks * Machine.peakMemoryBytes
      try ranks.together {
        try Machine.requireMemory(
          max(0, estimate(start.evaluator, place).peakMemoryBytes - held),
          for: "\(place.ranks) ranks on one machine that go on distilling \(command.teacher)",
          remedy: "start fewer ranks with more --threads, or give a smaller --microbatch or --checkpoint-activations")
      }
    }
    let loop = try ranks.together { try start.distillation.loop(from: start.state, ranks: ranks) }
    try ranks.together { if ranks.isFirst { try recorder.begin(overwrite: context.options.overwrite) } }
    let observer = DistillationObserver(self, start, imagesDone: loop.imagesDone)
    guard try loop.run(cadence, observer) == .finished else {
      var failure = StopRequest.failure(command.output)
      failure.isTold = !ranks.isFirst
      throw failure
    }
    let progress = observer.finish()
    try ranks.together {
      if ranks.isFirst { try publish(loop.state, progress, start.wanted, labelsOf: start.dataset?.images) }
    }
  }

  // MARK: Training

  /// What a run carries besides the networks.
  struct Progress {
    var curve = EvaluationCurve()
    var seconds = 0.0
    /// Provenance of the state of another trainer's run that this one goes on from.
    var continues: String?
  }

  /// The state of a new run, or the saved one if there is one that this run may go on from.
  private func start(_ wanted: Provenance) throws -> (TrainingState, Progress) {
    let path = command.state
    guard access(path, F_OK) == 0, !command.options.overwrite else {
      return (
        TrainingState(teacher: teacher, initialGenerator: try initialGenerator(), settings: settings), Progress()
      )
    }
    let file = try HDF5File.open(path)
    guard let existing = Provenance(json: try file.root.stringAttribute("provenance")) else {
      throw Failure(.dataError, path, "its attribute \"provenance\" cannot be read")
    }
    if existing.program == "sid-convert" { return try adopt(file, existing) }
    if let difference = Self.resumable(wanted, settings).difference(from: Self.resumable(existing, settings)) {
      throw Failure(
        .cannotCreate, path, "belongs to another run: \(difference)",
        remedy: "choose another --state, or give --overwrite to start anew")
    }
    let state = try read(file)
    try check(state)
    let curve = EvaluationCurve(json: try file.root.stringAttribute("curve")) ?? EvaluationCurve()
    context.note("\(path): going on at \(state.imagesDone) images")
    let continues = file.root.hasAttribute("continues") ? try file.root.stringAttribute("continues") : nil
    return (
      state,
      Progress(curve: curve, seconds: try file.root.doubleAttribute("seconds"), continues: continues)
    )
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

  private func read(_ file: HDF5File) throws -> TrainingState {
    try TrainingState(reading: file, networks: TrainingState.distillationNetworks, cut: settings.cut) {
      context.note(
        "\(command.state): was stopped within a batch by a version that added gradients in another order; the step under "
          + "way begins again")
    }
  }

  /// A state that sid-convert made of another trainer's: the options of this run hold from here on.
  private func adopt(_ file: HDF5File, _ provenance: Provenance) throws -> (TrainingState, Progress) {
    if let generator = command.training.initialGenerator {
      throw Failure(
        .usage, "--initial-generator \(generator)", "\(command.state) has a generator of its own, which goes on",
        remedy: "leave the option out, or give another --state")
    }
    var state = try read(file)
    try state.adopt(settings, origin: command.state)
    try check(state)
    for (group, attribute, option, value) in [
      ("fake_score_optimizer", "learning_rate", "--lr", settings.fakeScoreLearningRate),
      ("generator_optimizer", "learning_rate", "--glr", settings.generatorLearningRate),
      ("generator_optimizer", "epsilon", "--adam-eps", settings.adamEpsilon),
    ] {
      let saved = try file.root.group(group).doubleAttribute(attribute)
      if saved != value {
        context.note("\(command.state): was trained with \(option) \(saved); it goes on with \(value)")
      }
    }
    context.note(
      "\(command.state): going on with the run of \(provenance.inputs["source"]?.path ?? "another trainer") at "
        + "\(state.imagesSeen) images")
    return (state, Progress(continues: provenance.json))
  }

  private func check(_ state: TrainingState) throws {
    try state.check(teacher.specifications, durationImages: settings.durationImages, origin: command.state)
  }

  private var cadence: TrainingCadence {
    let e = command.evaluation
    return TrainingCadence(
      durationImages: settings.durationImages, evaluateKimg: evaluateKimg, snapshotKimg: e.snapshotKimg,
      stateKimg: e.stateKimg, stateMinutes: e.stateMinutes)
  }

  /// The output's path without its extension.
  var stem: String { (command.output as NSString).deletingPathExtension }

  func kimg(_ state: TrainingState) -> Double { Double(state.imagesSeen) / 1000 }

  var evaluateKimg: Double { command.evaluation.evaluateKimg ?? settings.durationKimg / 20 }

  func isGoodEnough(_ curve: EvaluationCurve) -> Bool {
    guard let limit = command.evaluation.stopAtFD, let last = curve.points.last, last.kimg > 0 else { return false }
    return last.fd <= limit
  }

  private func makeEvaluator() throws -> Evaluator? {
    guard command.evaluation.evaluate else { return nil }
    return try Evaluator(
      command.evaluation, initSigma: settings.initSigma, network: teacher, batch: settings.microbatch,
      origin: command.teacher)
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
