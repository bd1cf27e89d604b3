import Compute
import Diagnostics
import Distillation
import Foundation
import HDF5
import Images
import Models
import Stage

/// One run of the program: starts or goes on, trains, measures, saves, publishes.
struct DistillationRun {
  private let command: SidDistill
  private let context: StageContext
  private let teacher: Network
  private let settings: DistillationSettings

  init(_ command: SidDistill, _ context: StageContext) throws {
    self.command = command
    self.context = context
    // Options that make no sense are refused before anything is read.
    _ = try command.training.settings()
    try command.evaluation.check()
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
    if context.options.dryRun { return try estimate().print() }
    let wanted = try provenance()
    try command.expected.check(wanted)
    let existing = try FinishedOutput.check(
      command.output, wanted: wanted, overwrite: context.options.overwrite, existingProvenance: Self.provenance(of:))
    if existing == .same { return context.note("\(command.output): already made from these inputs and options") }
    try Machine.requireMemory(
      try estimate().peakMemoryBytes, for: "distilling \(command.teacher)",
      remedy: "give a smaller --microbatch or --checkpoint-activations"
    )
    var (state, progress) = try start(wanted)
    let distiller = Distiller(
      teacher: teacher, settings: settings, state: state ?? TrainingState(teacher: teacher, settings: settings),
      draws: SeededDraws(
        seed: settings.seed, imageShape: teacher.imageShape, labels: try labels(),
        augmentations: SeededAugmentations(settings, imageShape: teacher.imageShape)))
    state = nil  // the distiller's copy must be the only one, or every update would copy
    try train(distiller, &progress, wanted)
    try publish(distiller.state, progress, wanted)
  }

  // MARK: Training

  /// What a run carries besides the networks.
  private struct Progress {
    var curve = Curve()
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
    let curve = Curve(json: try file.root.stringAttribute("curve")) ?? Curve()
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

  private func train(_ distiller: Distiller, _ progress: inout Progress, _ wanted: Provenance) throws {
    let evaluator = try makeEvaluator(distiller.state.generatorEMA)
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
      guard
        let fd = try evaluator(
          distiller.state.generatorEMA, origin: command.output, shouldStop: { StopRequest.isRequested })
      else {
        return false
      }
      let isBest = progress.curve.best.map { fd < $0.fd } ?? true
      measureTime()
      progress.curve.points.append(.init(kimg: position, seconds: progress.seconds, fd: fd))
      metrics["fd"] = fd
      if isBest { try write(distiller.state.generatorEMA, to: stem + "-best.h5", wanted) }
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
  private var stem: String { (command.output as NSString).deletingPathExtension }

  /// Images of finished iterations and the share of the one under way.
  private func imagesDone(_ state: TrainingState) -> Int {
    let half = state.pending.phase == .fakeScore ? 0 : settings.batch
    return state.imagesSeen + (half + state.pending.imagesDone) / 2
  }

  private func isEvaluationPoint(_ state: TrainingState) -> Bool {
    guard state.pending.phase == .fakeScore, state.pending.imagesDone == 0 else { return false }
    return crosses(evaluateKimg, state.imagesSeen) || state.imagesSeen >= settings.durationImages
  }

  private func kimg(_ state: TrainingState) -> Double { Double(state.imagesSeen) / 1000 }

  private var evaluateKimg: Double { command.evaluation.evaluateKimg ?? settings.durationKimg / 20 }

  /// Whether the iteration that ended at `images` passed a multiple of `interval` thousand images.
  private func crosses(_ interval: Double, _ images: Int) -> Bool {
    (Double(images) / (interval * 1000)).rounded(.down)
      > (Double(images - settings.batch) / (interval * 1000)).rounded(.down)
  }

  private func isGoodEnough(_ curve: Curve) -> Bool {
    guard let limit = command.evaluation.stopAtFD, let last = curve.points.last, last.kimg > 0 else { return false }
    return last.fd <= limit
  }

  private func makeEvaluator(_ network: Network) throws -> Evaluator? {
    let e = command.evaluation
    guard e.evaluate, let features = e.features, let reference = e.reference else { return nil }
    return try Evaluator(
      features: features, reference: reference, seeds: e.evaluateSeeds, initSigma: settings.initSigma,
      network: network, batch: settings.microbatch, origin: command.teacher)
  }

  private func labels() throws -> any LabelSource {
    let classes = teacher.configuration.labelDim
    guard let path = command.training.labels else { return UniformLabels(seed: settings.seed, classes: classes) }
    guard classes > 0 else { throw Failure(.usage, "--labels", "\(command.teacher) has no classes") }
    let dataset = try ImageDataset(contentsOf: path)
    guard let labels = dataset.labels else { throw Failure(.dataError, path, "the data set has no labels") }
    guard dataset.labelDimension <= classes else {
      throw Failure(.dataError, path, "it has \(dataset.labelDimension) classes, the teacher \(classes)")
    }
    return DatasetLabels(labels, classes: classes, batch: settings.batch, seed: settings.seed)
  }

  // MARK: Files

  private func save(_ state: TrainingState, _ progress: Progress, _ wanted: Provenance) throws {
    try HDF5File.publish(command.state) { file in
      try state.write(to: file)
      try stamp(file, wanted)
      try file.root.setAttribute("curve", progress.curve.json)
      if let continues = progress.continues { try file.root.setAttribute("continues", continues) }
      try file.root.setAttribute("seconds", progress.seconds)
    }
  }

  private func write(_ network: Network, to path: String, _ wanted: Provenance) throws {
    try HDF5File.publish(path) { file in
      try network.write(to: file)
      try stamp(file, wanted)
    }
  }

  private func stamp(_ file: HDF5File, _ wanted: Provenance) throws {
    try file.root.setAttribute("created_by", "\(context.program) \(Version.package)")
    try file.root.setAttribute("provenance", wanted.json)
  }

  /// Publishes the figures first and the generator last: the generator's name says that all is done.
  private func publish(_ state: TrainingState, _ progress: Progress, _ wanted: Provenance) throws {
    let plotPath = stem + "-curve.png"
    let curve = progress.curve
    if curve.points.count > 1 {
      let plot = LinePlot(
        title: "Frechet distance of one-step samples", xLabel: "thousands of images", yLabel: "Frechet distance",
        series: [.init("average of the generator", curve.points.map { ($0.kimg, $0.fd) })])
      try plot.write(to: plotPath)
    }
    var figures: [String: JSONValue] = [
      "distilled_kimg": .double(kimg(state)), "distillation_seconds": .double(progress.seconds),
    ]
    if let last = curve.points.last { figures["fd_distillation_last"] = .double(last.fd) }
    if let best = curve.best { figures["fd_distillation_best"] = .double(best.fd) }
    if curve.points.count > 1 {
      figures["curve_plot"] = .string((plotPath as NSString).lastPathComponent)
    }
    try publishSummary(
      output: command.output, stage: "distill", figures: figures,
      details: [
        "curve": .array(
          curve.points.map {
            .object(["kimg": .double($0.kimg), "seconds": .double($0.seconds ?? 0), "fd": .double($0.fd)])
          })
      ])
    try HDF5File.publish(command.output) { file in
      try state.generatorEMA.write(to: file)
      try stamp(file, wanted)
      try file.root.setAttribute("curve", curve.withoutTimes.json)
      if let continues = progress.continues { try file.root.setAttribute("continues", continues) }
    }
  }

  private static func provenance(of path: String) throws -> String? {
    try HDF5File.open(path).root.stringAttribute("provenance")
  }

  private func provenance() throws -> Provenance {
    let e = command.evaluation
    var inputs = ["teacher": try Provenance.Input(command.teacher)]
    var options = command.training.record(settings).merging(command.kernels.record) { $1 }
    if let labels = command.training.labels { inputs["labels"] = try Provenance.Input(labels) }
    if e.evaluate, let features = e.features, let reference = e.reference {
      inputs["features"] = try Provenance.Input(features)
      inputs["reference"] = try Provenance.Input(reference)
      options["evaluate-kimg"] = "\(evaluateKimg)"
      options["evaluate-seeds"] = e.evaluateSeeds
      if let limit = e.stopAtFD { options["stop-at-fd"] = "\(limit)" }
    }
    return Provenance(program: context.program, inputs: inputs, options: options, kernels: KernelSet.name)
  }

  /// What a state must have in common with a run that goes on from it: all, but without a decay of the learning rates the
  /// duration may change.
  private static func resumable(_ provenance: Provenance, _ settings: DistillationSettings) -> Provenance {
    guard settings.learningRateDecayStartKimg == nil else { return provenance }
    var options = provenance.options
    options["duration-kimg"] = nil
    // Where the distance decides the end, so do the points at which it is measured.
    if options["stop-at-fd"] == nil { options["evaluate-kimg"] = nil }
    return Provenance(
      program: provenance.program, version: provenance.version, inputs: provenance.inputs, options: options,
      kernels: provenance.kernels)
  }

  // MARK: Estimate

  /// The share of the speed of large matrix products that a training reaches.
  private static let expectedEfficiency = 0.4

  /// Eleven forward passes' worth of work an image: one and three for the fake score's step; three, two and two for the
  /// generator's.
  private func estimate() throws -> Estimate {
    let cost = teacher.cost
    let weights = 4 * teacher.parameterCount
    let firstMoments = settings.generatorBeta1 > 0 ? 1 : 0
    // Teacher, fake score, generator, average and the second moments; gradients of earlier micro-batches.
    let sets = 6 + firstMoments + (settings.microbatch < settings.batch ? 1 : 0)
    // Three networks, read forward and backward, in the form of the convolutions.
    let prepared = min(6 * teacher.preparedWeightBytes, WeightCache.limitBytes)
    let shape = teacher.imageShape
    let warp =
      settings.augment > 0
      ? warpCost(height: shape[0], width: shape[1], channels: shape[2]) : (flops: 0, scratchFloats: 0)
    // The generator's step keeps its own pass and those of both score networks. While they are unwound its gradients take
    // their place.
    let kept =
      settings.checkpointsActivations
      ? 3 * cost.checkpointedFloats + cost.largestKeptFloats : cost.keptFloats + 2 * cost.frozenFloats
    let passing = 2 * cost.largestBlockFloats + teacher.configuration.labelDim
    let activations =
      4 * Double(settings.microbatch) * Double(kept + passing)
      + 4 * Double(max(cost.attentionGradientFloats, warp.scratchFloats) * context.threads)
    let unwinding = max(activations, Double(weights) + 4 * Double(settings.microbatch * passing))
    // The state is written beside the old one; then come the generator, the best one and the snapshots.
    let stateSets = 2 * (6 + firstMoments)
    let snapshots = Int(min(settings.durationKimg / command.evaluation.snapshotKimg, 1e6))
    let flops = (11 * cost.flops + warp.flops) * Double(settings.durationImages)
    return Estimate(
      work:
        "\(settings.durationImages) images of \(teacher.configuration.imgResolution)x\(teacher.configuration.imgResolution) pixels",
      flops: flops,
      peakMemoryBytes: byteCount(
        Double(NetworkCost.processBytes + sets * weights)
          + NetworkCost.memoryFactor * (Double(prepared) + unwinding)),
      diskBytes: byteCount(Double(stateSets + 2 + snapshots) * Double(weights)),
      hours: flops / (Threads.measuredFlops(threads: context.threads) * Self.expectedEfficiency) / 3600)
  }
}
