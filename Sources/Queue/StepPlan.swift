import Diagnostics
import JobFolder

/// A step as the queue sees it.
package struct StepPlan: Sendable, Equatable {
  /// The step's name.
  package let name: String
  /// The kind of step, which slots are counted by.
  package let stage: String
  /// The program that runs it, for messages.
  package let program: String
  /// Whether it is the daemon's own (the checksums) and none of the job file's.
  package let isOwn: Bool
  /// How long it may run in all its attempts, as the job says; nil for no limit.
  package let timeoutSeconds: Double?

  /// - Parameters: as the properties.
  package init(name: String, stage: String, program: String, isOwn: Bool = false, timeoutSeconds: Double? = nil) {
    (self.name, self.stage, self.program) = (name, stage, program)
    (self.isOwn, self.timeoutSeconds) = (isOwn, timeoutSeconds)
  }
}

/// What stands in the place of a job's `status.json`.
package enum FoundStatus: Sendable, Equatable {
  /// A status.
  case known(JobStatus)
  /// Nothing, or what is none: why, and what the job file says in its place.
  case damaged(Failure, restored: JobStatus)

  /// What is known, or what the job file says.
  package var status: JobStatus {
    switch self {
    case .known(let status), .damaged(_, restored: let status): status
    }
  }

  /// What is known.
  package var known: JobStatus? { if case .known(let status) = self { status } else { nil } }
}

/// What stands in the folder of a job in `active/`: which of its steps are done.
package struct JobLook: Sendable, Equatable {
  /// All steps in their order, the daemon's own last.
  package let steps: [StepPlan]
  /// The daemon's own.
  var lastStep: StepPlan { steps[steps.count - 1] }
  /// The first of them that is not done; nil where all are.
  package let next: Int?
  /// What keeps the step that was asked about from being done, in words; nil where nothing does, or none was.
  package let problem: String?
  /// What its status says.
  package let status: JobStatus

  /// - Parameters: as the properties.
  package init(steps: [StepPlan], next: Int?, problem: String?, status: JobStatus) {
    precondition(!steps.isEmpty, "a job without the daemon's own step")
    (self.steps, self.next, self.problem, self.status) = (steps, next, problem, status)
  }
}
