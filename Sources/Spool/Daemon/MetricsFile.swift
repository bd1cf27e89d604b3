import Foundation
import JobFolder
import Queue

/// The daemon's metrics, kept in a file.
final class MetricsFile {
  private let path: String?
  private var last = ContinuousClock.now - .seconds(3600)
  /// Whether writing has failed, which is said once.
  private var hasFailed = false
  /// Whether something has happened since the last time.
  var hasNews = true

  /// - Parameter path: nil for nowhere.
  init(_ path: String?) { self.path = path }

  /// How long until something has to be written; nil where there is nothing new.
  var waitSeconds: Double? { path != nil && hasNews ? pauseSeconds : nil }

  private var pauseSeconds: Double { (hasNews ? 1 : 15) - (ContinuousClock.now - last) / .seconds(1) }

  /// Writes them, where it is time.
  /// - Parameters:
  ///   - afterRound: whether the folders were just read: what is told without any news is told then.
  ///   - isLast: whether the daemon ends.
  ///   - log: takes why that cannot be.
  func write(
    _ performer: Performer, afterRound: Bool = false, isLast: Bool = false,
    log: (String, LogRecord.Priority) -> Void
  ) {
    let isDue = (hasNews || afterRound) && pauseSeconds <= 0
    guard let path, isLast || isDue else { return }
    (last, hasNews) = (.now, false)
    do {
      try Self.metrics(performer, isLast: isLast).publish(path)
    } catch {
      if !hasFailed { log("cannot write the metrics: \(error)", .warning) }
      hasFailed = true
    }
  }

  private static func metrics(_ performer: Performer, isLast: Bool) -> Metrics {
    let (queue, folders) = (performer.queue, performer.folders)
    let counters = queue.counters
    var metrics = Metrics()
    metrics.add(
      "sid_jobs", "gauge", "Jobs of the spool, by state.",
      // What cannot be counted now is no 0.
      JobState.allCases.compactMap { state in
        (try? folders.jobs(state).count).map { ([("state", state.rawValue)], Double($0)) }
      })
    let stages = Dictionary(grouping: queue.stagesAtWork) { $0 }
    metrics.add(
      "sid_steps_running", "gauge", "Steps at work, by stage.",
      StageVocabulary.all.map { ([("stage", $0.stage)], Double(stages[$0.stage]?.count ?? 0)) })
    for (name, help, value) in [
      ("accepted", "Jobs accepted", counters.accepted), ("refused", "Job files refused", counters.refused),
      ("done", "Jobs finished", counters.done), ("failed", "Jobs given up or cancelled", counters.failed),
    ] { metrics.add("sid_jobs_\(name)_total", "counter", "\(help) since the daemon started.", [([], Double(value))]) }
    metrics.add(
      "sid_step_seconds_total", "counter", "Time that steps have run since the daemon started, by stage.",
      StageVocabulary.all.map { ([("stage", $0.stage)], counters.seconds[$0.stage] ?? 0) })
    let oldest = queue.waiting.values.map(\.accepted).min().map { max(0, Date().timeIntervalSince($0)) } ?? 0
    metrics.add("sid_queue_oldest_seconds", "gauge", "How long the oldest job has waited.", [([], oldest)])
    metrics.add(
      "sid_spool_free_bytes", "gauge", "Free space on the spool's disk.",
      performer.machine.freeBytes().map { [([], Double($0))] } ?? [])
    metrics.add(
      "sid_spool_paused", "gauge", "Whether steps wait for disk space.", [([], queue.isShortOfSpace ? 1 : 0)])
    metrics.add("sid_up", "gauge", "Whether the daemon runs.", [([], isLast ? 0 : 1)])
    return metrics
  }
}
