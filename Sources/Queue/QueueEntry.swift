import Foundation
import JobFolder

/// A job of the queue as the scheduler sees it: small, so that tens of thousands of them cost little.
package struct QueueEntry: Sendable, Equatable {
  /// The job.
  package let id: JobID
  /// The user who submitted it; where that is not known any more, one who may do nothing.
  package var user: UInt32
  /// What goes first: higher before lower.
  package var priority: Int
  /// The jobs that have to be done before it starts.
  package var after: [JobID]
  /// The stage of its next step; nil where only its summary is left.
  package var stage: String?
  /// Whether a step of it was started before.
  package var isStarted: Bool
  /// When it was accepted.
  package var accepted: Date
  /// When it is tried again, where it was deferred.
  package var nextAttempt: Date?

  /// Whose jobs are whose owner is not known.
  package static let nobody: UInt32 = 65_534

  package init(_ id: JobID, _ status: JobStatus) {
    self.id = id
    user = status.uid ?? Self.nobody
    priority = status.priority ?? 0
    after = (status.after ?? []).compactMap { JobID($0) }
    stage = status.nextStage
    isStarted = status.started != nil
    accepted = status.accepted
    nextAttempt = status.nextAttempt
  }

  package init(
    id: JobID, user: UInt32 = 0, priority: Int = 0, after: [JobID] = [], stage: String?, isStarted: Bool = false,
    accepted: Date, nextAttempt: Date? = nil
  ) {
    self.id = id
    self.user = user
    self.priority = priority
    self.after = after
    self.stage = stage
    self.isStarted = isStarted
    self.accepted = accepted
    self.nextAttempt = nextAttempt
  }
}
