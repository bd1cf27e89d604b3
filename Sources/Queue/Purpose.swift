import JobFolder

/// What an action is performed for. Where one cannot be, those behind it for the same purpose are dropped.
package enum Purpose: Sendable, Hashable {
  /// A job's next turn.
  case job(JobID)
  /// The answer to a request, by the name of its file in `incoming/`.
  case request(String)
  /// The removal of a finished job.
  case pruning(JobID)
  /// What a crash left between `incoming/` and `queue/`.
  case halfAccepted
  /// What was dropped into `incoming/`.
  case incoming
  /// What is heard of the stages of an executor, by its name.
  case news(String)
  /// The jobs that a daemon before this one left in `active/`.
  case strays
  /// What stands in `queue/`.
  case queue
  /// The spool's folders.
  case folders
  /// How long the finished jobs of a state are kept.
  case retention(JobState)
  /// How many refused files are kept.
  case refusals
  /// What users have used.
  case usage
  /// Something that is worth nothing after a crash, and not missed where it cannot be.
  case progress
}
