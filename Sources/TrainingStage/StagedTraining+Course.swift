import Compute
import Diagnostics
import Files
import Foundation
import HDF5
import MPIRanks
import Records
import Scoring
import Stage
import Training

extension StagedTraining {
  /// The program: one process, or one rank of several.
  /// - Parameters:
  ///   - program: its name.
  ///   - output: the network to publish.
  ///   - state: where the state is saved.
  ///   - options: of every stage.
  ///   - make: reads the options of this run and what it begins with.
  public static func run(
    _ program: String, output: String, state: String, options: StageOptions, make: (StageContext) throws -> Self
  ) -> Never {
    StageProgram.run(
      program, on: output, options: options,
      writing: [OutputPlace(output), OutputPlace(state, option: "--state")], needing: LinearAlgebraCore.wanted,
      confinedAs: { try RankLaunch().profile }
    ) { context in
      let launch = try RankLaunch()
      var context = context
      context.isMuted = !launch.isFirst
      // What others have made is read before MPI starts its threads and opens its ports.
      let prepared = Result {
        let run = try make(context)
        return (run, try run.prepared(isFirst: launch.isFirst))
      }
      let ranks = try launch.join()
      defer { ranks.leave() }
      let (run, work) = try ranks.together { try prepared.get() }
      try run.carryOut(work, with: ranks)
    }
  }

  /// Reads what the run works with and finds out what there is to do. Nothing but the state's lock is written.
  private func prepared(isFirst: Bool) throws -> TrainingWork {
    if context.options.dryRun { return .estimate(try makeEvaluator()) }
    let wanted = try provenance()
    try expected.check(wanted)
    let existing = try FinishedOutput.check(
      output, wanted: wanted, overwrite: context.options.overwrite, existingProvenance: Self.provenance(of:))
    if existing == .same { return .complete(wanted) }
    let evaluator = try makeEvaluator()
    // Before anything large is read.
    try Machine.requireMemory(
      cost.estimate(self, evaluator, Place(context)).peakMemoryBytes, for: "\(names.work) \(subject)",
      remedy: "give a smaller --microbatch or --checkpoint-activations")
    let means = try makeMeans()
    let lock = isFirst ? try StateLock(of: statePath) : nil
    let (state, progress) = try start(wanted)
    return .train(
      TrainingStart(
        lock: lock, wanted: wanted, evaluator: evaluator, means: means, state: state, progress: progress))
  }

  /// Does what there is to do, on every rank.
  private func carryOut(_ work: TrainingWork, with ranks: any JoinedRanks) throws {
    let place = Place(ranks, context)
    Threads.use(place.threads)
    switch work {
    case .estimate(let evaluator):
      try ranks.together { if ranks.isFirst { cost.estimate(self, evaluator, place, isTimed: true).print() } }
    case .complete(let wanted):
      try ranks.together {
        guard ranks.isFirst else { return }
        try completeRecord(wanted)
        StateLock.removeAbandoned(of: statePath)
        context.note("\(output): already made from these inputs and options")
      }
    case .train(let start): try train(start, ranks, place)
    }
  }

  private func train(_ start: TrainingStart, _ ranks: any JoinedRanks, _ place: Place) throws {
    try ranks.requireSame(start, origin: statePath)
    if ranks.count > 1 {
      context.note("\(ranks.count) ranks, here \(place.ranks) of \(place.threads) threads, \(StageProfile.ofRanks())")
    }
    if place.ranks > 1 {
      // Each of them has read its networks by now.
      let held = place.ranks * Machine.peakMemoryBytes
      try ranks.together {
        try Machine.requireMemory(
          max(0, cost.estimate(self, start.evaluator, place).peakMemoryBytes - held),
          for: "\(place.ranks) ranks on one machine that go on \(names.work) \(subject)",
          remedy: "start fewer ranks with more --threads, or give a smaller --microbatch or --checkpoint-activations")
      }
    }
    let loop = try ranks.together { try start.means.loop(start.state, ranks) }
    try ranks.together {
      guard ranks.isFirst else { return }
      try recorder.begin(overwrite: context.options.overwrite)
      if start.state.imagesDone == 0, tellsCost {
        context.note("\(output): \(cost.estimate(self, start.evaluator, place, isTimed: true).sentence)")
      }
      try log?.resume(at: start.state.imagesSeen, start.progress.log)
    }
    let observer = StagedTrainingObserver(self, start, imagesDone: loop.imagesDone, isFirst: ranks.isFirst)
    guard try loop.run(cadence, observer) == .finished else {
      var failure = StopRequest.failure(output)
      failure.isTold = !ranks.isFirst
      throw failure
    }
    try ranks.together {
      let progress = try observer.finish()
      if ranks.isFirst { try publish(loop.state, progress, start.wanted, details: start.means.details) }
    }
  }

  /// The state of a new run, or the saved one if there is one that this run may go on from.
  private func start(_ wanted: Provenance) throws -> (TrainingState, TrainingProgress) {
    guard access(statePath, F_OK) == 0, !context.options.overwrite else {
      return (try freshState(), TrainingProgress())
    }
    let file = try HDF5File.open(statePath)
    guard let existing = Provenance(json: try file.root.stringAttribute("provenance")) else {
      throw Failure(.dataError, statePath, "its attribute \"provenance\" cannot be read")
    }
    if existing.program == "sid-convert" { return try takeOver(file, existing) }
    if let difference = resumable(wanted).difference(from: resumable(existing)) {
      throw Failure(
        .cannotCreate, statePath, "belongs to another run: \(difference)",
        remedy: "choose another --state, or give --overwrite to start anew")
    }
    let state = try read(file)
    try check(state)
    context.note("\(statePath): going on at \(state.imagesDone) images")
    var progress = TrainingProgress()
    progress.curve = EvaluationCurve(json: try file.root.stringAttribute("curve")) ?? EvaluationCurve()
    progress.samples = try SampleHistory(reading: file.root, path: statePath)
    progress.seconds = try file.root.doubleAttribute("seconds")
    if file.root.hasAttribute("continues") { progress.continues = try file.root.stringAttribute("continues") }
    if file.root.hasAttribute("log") { progress.log = try file.root.stringAttribute("log") }
    return (state, progress)
  }

  private func read(_ file: HDF5File) throws -> TrainingState {
    try TrainingState(reading: file, networks: expectedNetworks, cut: cut) {
      context.note(
        "\(statePath): was stopped within a batch by a version that added gradients in another order; the step under "
          + "way begins again")
    }
  }

  /// A state that sid-convert made of another trainer's: the options of this run hold from here on.
  private func takeOver(_ file: HDF5File, _ provenance: Provenance) throws -> (TrainingState, TrainingProgress) {
    let state = try adopt(try read(file), from: file)
    try check(state)
    context.note(
      "\(statePath): going on with the run of \(provenance.inputs["source"]?.path ?? "another trainer") at "
        + "\(state.imagesSeen) images")
    return (state, TrainingProgress(continues: provenance.json))
  }

  private func check(_ state: TrainingState) throws {
    try state.check(specifications, durationImages: durationImages, origin: statePath)
  }

  private var cadence: TrainingCadence {
    TrainingCadence(
      durationImages: durationImages, evaluateKimg: evaluateKimg, snapshotKimg: evaluation.snapshotKimg,
      stateKimg: evaluation.stateKimg, stateMinutes: evaluation.stateMinutes)
  }

  /// Tells where a state of another trainer had another option than this run.
  public func note(_ file: HDF5File, _ group: String, _ attribute: String, _ option: String, isNow value: Double) throws
  {
    let saved = try file.root.group(group).doubleAttribute(attribute)
    if saved != value { context.note("\(statePath): was trained with \(option) \(saved); it goes on with \(value)") }
  }

  /// The output's path without its extension.
  public var stem: String { (output as NSString).deletingPathExtension }

  func kimg(_ state: TrainingState) -> Double { Double(state.imagesSeen) / 1000 }

  /// Thousands of images between two evaluations.
  public var evaluateKimg: Double { evaluation.evaluateKimg ?? durationKimg / 20 }

  func isGoodEnough(_ curve: EvaluationCurve) -> Bool {
    guard let limit = evaluation.stopAtFD, let last = curve.points.last, last.kimg > 0 else { return false }
    return last.fd <= limit
  }
}
