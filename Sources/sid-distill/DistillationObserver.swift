import Diagnostics
import Distillation
import Foundation
import Scoring
import Stage
import Training

/// What a run shows, measures and writes on the way.
final class DistillationObserver: TrainingObserver {
  private let run: DistillationRun
  private let evaluator: Evaluator?
  private let wanted: Provenance
  private let reporter: ProgressReporter?
  private var progress: DistillationRun.Progress
  private var metrics: [String: Double] = [:]
  private var clock = ContinuousClock.now

  /// - Parameter imagesDone: where the run goes on.
  init(
    _ run: DistillationRun, _ start: DistillationRun.Start, imagesDone: Int
  ) {
    (self.run, evaluator, progress, wanted) = (run, start.evaluator, start.progress, start.wanted)
    reporter =
      run.context.isMuted
      ? nil
      : run.context.progress("distill", total: run.settings.durationImages, unit: "images", alreadyDone: imagesDone)
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
      let gathered = try evaluator.gather(state.generatorEMA, ranks, origin: run.command.output)
      try ranks.together {
        if let gathered {
          try take(evaluator.scores(of: gathered, origin: run.command.output), of: state, at: position)
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
    if isBest { try run.write(state.generatorEMA, to: run.bestPath, wanted) }
  }

  func didAdvance(imagesDone: Int, _ finished: IterationSummary?) {
    // The figures of an iteration are told from the next micro-batch on.
    reporter?.update(done: imagesDone, metrics: metrics)
    for (name, objective) in finished?.objectives ?? [:] { metrics[name + "_loss"] = objective }
  }

  func snapshot(_ state: TrainingState) throws {
    try run.write(
      state.generatorEMA, to: run.stem + String(format: "-%06d.h5", Int(run.kimg(state))), wanted)
  }

  func save(_ state: TrainingState) throws {
    measureTime()
    try run.save(state, progress, wanted)
    run.context.note("\(run.command.state): saved at \(state.imagesDone) images")
  }

  /// Ends the display; what the run carries besides its networks.
  func finish() -> DistillationRun.Progress {
    measureTime()
    reporter?.finish()
    return progress
  }

  private func measureTime() {
    progress.seconds += (ContinuousClock.now - clock) / .seconds(1)
    clock = .now
  }
}
