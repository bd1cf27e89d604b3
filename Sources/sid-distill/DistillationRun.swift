import Compute
import Diagnostics
import Distillation
import Foundation
import HDF5
import Images
import Models
import Scoring
import Stage

/// One run of the program: starts or goes on, trains, measures, saves, publishes.
struct DistillationRun {
  let command: SidDistill
  let context: StageContext
  let teacher: Network
  let settings: DistillationSettings

  init(_ command: SidDistill, _ context: StageContext) throws {
    self.command = command
    self.context = context
    Threads.use(context.threads)
    teacher = try Network(contentsOf: command.teacher)
    settings = try command.training.settings(teacher, origin: command.teacher)
  }

  func run() throws {
    let range = teacher.configuration.sigmaRange
    guard range.contains(Double(settings.initSigma)) else {
      throw Failure(
        .usage, "--init-sigma \(settings.initSigma)",
        "\(command.teacher) knows the noise levels \(range.lowerBound) to \(range.upperBound)")
    }
    KernelSet.use(named: command.kernels.kernels.rawValue)
    WeightCache.limitBytes = settings.checkpointsActivations ? 0 : WeightCache.trainingLimitBytes
    if context.options.dryRun { return estimate(try makeEvaluator()).print() }
    let wanted = try provenance()
    try command.expected.check(wanted)
    let existing = try FinishedOutput.check(
      command.output, wanted: wanted, overwrite: context.options.overwrite, existingProvenance: Self.provenance(of:))
    if existing == .same {
      try completeRecord(wanted)
      return context.note("\(command.output): already made from these inputs and options")
    }
    let evaluator = try makeEvaluator()
    try Machine.requireMemory(
      estimate(evaluator).peakMemoryBytes, for: "distilling \(command.teacher)",
      remedy: "give a smaller --microbatch or --checkpoint-activations"
    )
    var (state, progress) = try start(wanted)
    let dataset = try command.training.labels.map { try ImageDataset(contentsOf: $0) }
    try recorder.begin(overwrite: context.options.overwrite)
    let distiller = Distiller(
      teacher: teacher, settings: settings, state: state ?? TrainingState(teacher: teacher, settings: settings),
      draws: SeededDraws(
        seed: settings.seed, imageShape: teacher.imageShape, labels: try labels(dataset),
        augmentations: SeededAugmentations(settings, imageShape: teacher.imageShape)))
    state = nil  // the distiller's copy must be the only one, or every update would copy
    try train(distiller, evaluator, &progress, wanted)
    try publish(distiller.state, progress, wanted, labelsOf: dataset?.images)
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
  private func start(_ wanted: Provenance) throws -> (state: TrainingState?, progress: Progress) {
    let path = command.state
    guard access(path, F_OK) == 0, !command.options.overwrite else {
      return (TrainingState(teacher: teacher, settings: settings), Progress())
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
    let state = try TrainingState(reading: file, batch: settings.batch)
    try check(state)
    let curve = EvaluationCurve(json: try file.root.stringAttribute("curve")) ?? EvaluationCurve()
    context.note("\(path): going on at \(imagesDone(state)) images")
    let continues = file.root.hasAttribute("continues") ? try file.root.stringAttribute("continues") : nil
    return (
      state, Progress(curve: curve, seconds: try file.root.doubleAttribute("seconds"), continues: continues)
    )
  }

  /// A state that sid-convert made of another trainer's: the options of this run hold from here on.
  private func adopt(_ file: HDF5File, _ provenance: Provenance) throws -> (
    state: TrainingState?, progress: Progress
  ) {
    var state = try TrainingState(reading: file, batch: settings.batch)
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

  /// Refuses a state that cannot be one of this run.
  private func check(_ state: TrainingState) throws {
    let path = command.state
    guard state.generator.specifications == teacher.specifications else {
      throw Failure(.dataError, path, "its networks have another architecture than the teacher")
    }
    let pending = state.pending
    guard pending.imagesDone <= settings.batch, (0...pending.imagesDone).contains(pending.countedImages),
      state.imagesSeen % settings.batch == 0
    else { throw Failure(.dataError, path, "its counters do not belong to a training with --batch \(settings.batch)") }
    guard state.imagesSeen <= settings.durationImages else {
      throw Failure(
        .cannotCreate, path, "has seen \(state.imagesSeen) images already, more than --duration-kimg asks for",
        remedy: "give a longer --duration-kimg, or another --state")
    }
  }

  private func train(
    _ distiller: Distiller, _ evaluator: Evaluator?, _ progress: inout Progress, _ wanted: Provenance
  ) throws {
    let total = settings.durationImages
    let reporter = context.progress("distill", total: total, unit: "images", alreadyDone: imagesDone(distiller.state))
    var metrics: [String: Double] = [:]
    var lastSaved = ContinuousClock.now
    var clock = ContinuousClock.now

    func measureTime() {
      progress.seconds += (ContinuousClock.now - clock) / .seconds(1)
      clock = .now
    }
    func saveState() throws {
      measureTime()
      try save(distiller.state, progress, wanted)
      lastSaved = .now
      context.note("\(command.state): saved at \(imagesDone(distiller.state)) images")
    }
    /// Measures the average, unless that was done at this point already; false if a stop came in between.
    func evaluate() throws -> Bool {
      let position = kimg(distiller.state)
      guard let evaluator, progress.curve.points.last.map({ $0.kimg < position }) ?? true else { return true }
      let scores: [Score]
      do {
        scores = try evaluator(distiller.state.generatorEMA, origin: command.output)
      } catch is Interrupted {
        return false
      }
      measureTime()
      let point = EvaluationCurve.Point(scores, kimg: position, seconds: progress.seconds)
      let isBest = progress.curve.best.map { point.fd < $0.fd } ?? true
      progress.curve.points.append(point)
      metrics.merge(point.others ?? [:]) { $1 }
      metrics["fd"] = point.fd
      if isBest { try write(distiller.state.generatorEMA, to: bestPath, wanted) }
      return true
    }
    func stop() throws -> Never {
      try saveState()
      throw StopRequest.failure(command.output)
    }

    // Evaluations are due at the start, whenever an interval is passed, and at the end; an interrupted one is made up for.
    var isEvaluationDue = progress.curve.points.isEmpty || isEvaluationPoint(distiller.state)
    while true {
      if isEvaluationDue {
        guard try evaluate() else { try stop() }
        isEvaluationDue = false
      }
      if distiller.isFinished || isGoodEnough(progress.curve) { break }
      if StopRequest.isRequested { try stop() }
      let summary: Distiller.IterationSummary?
      do {
        summary = try distiller.advance()
      } catch {
        // The training left the finite; its state is the last good one.
        try saveState()
        throw error
      }
      reporter.update(done: imagesDone(distiller.state), metrics: metrics)
      guard let summary else { continue }
      metrics["fake_score_loss"] = summary.fakeScoreObjective
      metrics["generator_loss"] = summary.generatorObjective
      isEvaluationDue = isEvaluationPoint(distiller.state)
      if crosses(command.evaluation.snapshotKimg, summary.imagesSeen), !distiller.isFinished {
        try write(
          distiller.state.generatorEMA, to: stem + String(format: "-%06d.h5", Int(kimg(distiller.state))), wanted)
      }
      let minutes = (ContinuousClock.now - lastSaved) / .seconds(60)
      if crosses(command.evaluation.stateKimg, summary.imagesSeen) || minutes >= command.evaluation.stateMinutes
        || distiller.isFinished
      {
        try saveState()
      }
    }
    measureTime()
    reporter.finish()
  }

  /// The output's path without its extension.
  var stem: String { (command.output as NSString).deletingPathExtension }

  /// Images of finished iterations and the share of the one under way.
  private func imagesDone(_ state: TrainingState) -> Int {
    let half = state.pending.phase == .fakeScore ? 0 : settings.batch
    return state.imagesSeen + (half + state.pending.imagesDone) / 2
  }

  private func isEvaluationPoint(_ state: TrainingState) -> Bool {
    guard state.pending.phase == .fakeScore, state.pending.imagesDone == 0 else { return false }
    return crosses(evaluateKimg, state.imagesSeen) || state.imagesSeen >= settings.durationImages
  }

  func kimg(_ state: TrainingState) -> Double { Double(state.imagesSeen) / 1000 }

  var evaluateKimg: Double { command.evaluation.evaluateKimg ?? settings.durationKimg / 20 }

  /// Whether the iteration that ended at `images` passed a multiple of `interval` thousand images.
  private func crosses(_ interval: Double, _ images: Int) -> Bool {
    (Double(images) / (interval * 1000)).rounded(.down)
      > (Double(images - settings.batch) / (interval * 1000)).rounded(.down)
  }

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

  private func labels(_ dataset: ImageDataset?) throws -> any LabelSource {
    let classes = teacher.configuration.labelDim
    guard let dataset else { return UniformLabels(seed: settings.seed, classes: classes) }
    guard classes > 0 else { throw Failure(.usage, "--labels", "\(command.teacher) has no classes") }
    guard let labels = try dataset.labels() else {
      throw Failure(.dataError, dataset.path, "the data set has no labels")
    }
    let count = (labels.max() ?? -1) + 1
    guard count <= classes else {
      throw Failure(.dataError, dataset.path, "it has \(count) classes, the teacher \(classes)")
    }
    if let note = dataset.images.note { context.note(note) }
    return DatasetLabels(labels, classes: classes, batch: settings.batch, seed: settings.seed)
  }
}
