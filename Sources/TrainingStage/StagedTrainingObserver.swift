import Diagnostics
import Foundation
import Records
import Scoring
import Stage
import Training

/// What a run shows, measures and writes on the way.
final class StagedTrainingObserver<Run: StagedTraining>: TrainingObserver {
  private let run: Run
  private let evaluator: Evaluator?
  private let wanted: Provenance
  private let reporter: ProgressReporter?
  private var progress: TrainingProgress
  private let isFirst: Bool
  /// What went wrong with the log, told when the state is saved next.
  private var logError: (any Error)?
  private var metrics: [String: Double] = [:]
  private var clock = ContinuousClock.now

  /// - Parameter imagesDone: where the run goes on.
  init(_ run: Run, _ start: TrainingStart, imagesDone: Int, isFirst: Bool) {
    self.isFirst = isFirst
    (self.run, evaluator, progress, wanted) = (run, start.evaluator, start.progress, start.wanted)
    reporter =
      run.context.isMuted
      ? nil
      : run.context.progress(run.names.stage, total: run.durationImages, unit: "images", alreadyDone: imagesDone)
  }

  var isStopRequested: Bool { StopRequest.isRequested }

  var isEnough: Bool { run.isGoodEnough(progress.curve) }

  var isFirstEvaluationMissing: Bool { progress.curve.points.isEmpty }

  func evaluate(_ state: TrainingState, _ ranks: any Ranks) throws -> Bool {
    let position = run.kimg(state)
    guard let evaluator else { return true }
    // Rank 0 alone keeps the curve.
    let isDue = progress.curve.points.last.map { $0.kimg < position } ?? true
    guard try ranks.agree(ranks.isFirst && isDue) else { return true }
    do {
      let gathered = try evaluator.gather(run.output(of: state), ranks, origin: run.output)
      try ranks.together {
        if let gathered {
          try take(evaluator.scores(of: gathered.features, origin: run.output), of: state, at: position)
          keep(gathered.images, evaluator.emptyHistory, at: position)
        }
      }
    } catch is Interrupted {
      return false
    }
    return true
  }

  private func take(_ scores: [Score], of state: TrainingState, at position: Double) throws {
    measureTime()
    let point = EvaluationCurve.Point(scores, kimg: position, seconds: progress.seconds)
    let isBest = progress.curve.best.map { point.fd < $0.fd } ?? true
    progress.curve.points.append(point)
    metrics.merge(point.others ?? [:]) { $1 }
    metrics["fd"] = point.fd
    if isBest { try run.write(run.output(of: state), to: run.bestPath, wanted) }
  }

  private func keep(_ images: [UInt8], _ empty: SampleHistory, at position: Double) {
    // What another version kept of other seeds is not gone on with.
    let fits = progress.samples.map { ($0.seeds, $0.imageShape) == (empty.seeds, empty.imageShape) } ?? false
    if !fits { progress.samples = empty }
    progress.samples?.add(images, kimg: position)
  }

  func didAdvance(imagesDone: Int, _ finished: IterationSummary?) {
    // The figures of an iteration are told from the next micro-batch on.
    reporter?.update(done: imagesDone, metrics: metrics)
    guard let finished else { return }
    for (name, objective) in finished.objectives { metrics[name + "_loss"] = objective }
    guard isFirst, let log = run.log, logError == nil else { return }
    measureTime()
    do { try log.add(finished, seconds: progress.seconds) } catch { logError = error }
  }

  func snapshot(_ state: TrainingState) throws {
    try run.write(
      run.output(of: state), to: run.stem + String(format: "-%06d.h5", Int(run.kimg(state))), wanted)
  }

  func save(_ state: TrainingState) throws {
    measureTime()
    try writeLog()
    try run.save(state, progress, wanted)
    run.context.note("\(run.statePath): saved at \(state.imagesDone) images")
  }

  /// Ends the display; what the run carries besides its networks.
  func finish() throws -> TrainingProgress {
    measureTime()
    reporter?.finish()
    if isFirst { try writeLog() }
    return progress
  }

  /// Before a state that stands behind it.
  private func writeLog() throws {
    if let logError { throw logError }
    progress.log = try run.log?.text()
  }

  private func measureTime() {
    progress.seconds += (ContinuousClock.now - clock) / .seconds(1)
    clock = .now
  }
}
