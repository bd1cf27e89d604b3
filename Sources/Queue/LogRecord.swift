import Diagnostics
import JobFolder

/// Something worth a line, with what a journal keeps apart.
public struct LogRecord: Sendable, Equatable {
  /// How urgent it is, by syslog's numbers.
  public enum Priority: Int, Sendable {
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
  }

  /// How urgent it is.
  public var priority = Priority.info
  /// What has happened, without the job.
  public var message: String
  /// The job it is about.
  public var job: String?
  /// The step of the job.
  public var step: String?
  /// The stage of the step.
  public var stage: String?

  package init(
    _ message: String, _ priority: Priority = .info, job: JobID? = nil, step: String? = nil, stage: String? = nil
  ) {
    (self.priority, self.message, self.job, self.step, self.stage) = (
      priority, message.oneLine, job?.description, step, stage
    )
  }
}
