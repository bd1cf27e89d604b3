/// What users may take of a spool; 0 stands for no limit.
public struct QueueLimits: Sendable, Equatable {
  /// What a job's priority may be.
  public static let priorities = -20...20
  /// The largest job file that is read, in bytes.
  public static let largestJobFileBytes = 64 << 10

  /// Jobs of one user that wait, are held or are being run.
  public var jobsPerUser = 0
  /// Jobs that wait, are held or are being run.
  public var queuedJobs = 0
  /// Refused files of one user that are kept in `failed/`; beyond it the oldest are removed.
  public var refusedPerUser = 0
  /// Bytes of one user's jobs in the spool, whatever their state.
  public var bytesPerUser = 0
  /// The highest priority that anybody but root may ask for.
  public var highestPriority = QueueLimits.priorities.upperBound
  /// The largest job file, in bytes.
  public var jobFileBytes = QueueLimits.largestJobFileBytes
  /// No step starts while less than this is free on the spool's disk, in bytes.
  public var freeSpace = 0
  /// What must be free again before steps start, in bytes.
  public var freeSpaceResume = 0

  /// No limits but the size of a job file.
  public init() {}
}

/// How long finished jobs are kept; 0 stands for ever.
public struct Retention: Sendable, Equatable {
  /// After so many days one is removed.
  public var days = 0.0
  /// Of all that are kept, in bytes; beyond it the oldest are removed. The last one stays, whatever its size.
  public var bytes = 0

  /// For ever.
  public init() {}

  /// Whether anything is removed at all.
  package var isLimited: Bool { days > 0 || bytes > 0 }
}
