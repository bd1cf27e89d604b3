import Queue
import JobFolder
import Foundation

/// A job in `active/` that this daemon works on.
final class ActiveJob {
  let id: JobID
  let job: JobFile
  let entry: QueueEntry
  /// The step whose attempt was counted.
  var step: JobStep?
  /// What is on disk of that attempt, until its process has started.
  var status: JobStatus?
  /// The process of the step.
  var stage: RunningStage?
  /// Processes of an earlier attempt that have to end first.
  var leftover: Leftover?
  /// Why the step was told to stop.
  var stop: JobFolders.StopReason?
  /// The files in `incoming/` that asked for it, each with its mark, removed when it is done.
  var requests: [String: String] = [:]

  init(id: JobID, job: JobFile, entry: QueueEntry) { (self.id, self.job, self.entry) = (id, job, entry) }

  /// What the scheduler counts.
  var running: Scheduler.Running {
    Scheduler.Running(stage: step?.stage.stage ?? "", user: entry.user, priority: entry.priority)
  }
}
