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
  private let reporter: ProgressReporter
  private var progress: DistillationRun.Progress
  private var metrics: [String: Double] = [:]
  private var clock = ContinuousClock.now

  /// - Parameter imagesDone: where the run goes on.
  init(
    _ run: DistillationRun, _ evaluator: Evaluator?, _ progress: DistillationRun.Progress, _ wanted: Provenance,
    imagesDone: Int
  ) {
    (self.run, self.evaluator, self.progress, self.wanted) = (run, evaluator, progress, wanted)
    reporter = run.context.progress(
      "distill", total: run.settings.durationImages, unit: "images", alreadyDone: imagesDone)
  }

  var isStopRequested: Bool { StopRequest.isRequested }

  var isEnough: Bool { run.isGoodEnough(progress.curve) }

  var isFirstEvaluationMissing: Bool { progress.curve.points.isEmpty }

  func evaluate(_ state: TrainingState) throws -> Bool {
    let position = run.kimg(state)
    guard let evaluator, progress.curve.points.last.map({ $0.kimg < position }) ?? true else { return true }
    let scores: [Score]
    do {
      scores = try evaluator(state.generatorEMA, origin: run.command.output)
    } catch is Interrupted {
      return false
    }
    measureTime()
    let point = EvaluationCurve.Point(scores, kimg: position, seconds: progress.seconds)
    let isBest = progress.curve.best.map { point.fd < $0.fd } ?? true
    progress.curve.points.append(point)
    metrics.merge(point.others ?? [:]) { $1 }
    metrics["fd"] = point.fd
    if isBest { try run.write(state.generatorEMA, to: run.bestPath, wanted) }
    return true
  }

  func didAdvance(imagesDone: Int, _ finished: IterationSummary?) {
    // The figures of an iteration are told from the next micro-batch on.
    reporter.update(done: imagesDone, metrics: metrics)
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
    reporter.finish()
    return progress
  }

  private func measureTime() {
    progress.seconds += (ContinuousClock.now - clock) / .seconds(1)
    clock = .now
  }
}
