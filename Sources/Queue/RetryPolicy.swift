import Diagnostics
import JobFolder

/// When a step is tried again.
///
/// An attempt is counted on disk before the step starts. The count begins anew whenever the step comes farther than it ever
/// was: what goes forward ends some day. What does not is given up after `mostAttempts`, so a step that takes the machine
/// down each time is not retried for ever. An attempt that ended only because the daemon died, while the machine stayed
/// up, says little about the step: it counts a quarter. One that ended because the daemon was told to stop does not count.
public struct RetryPolicy: Sendable, Equatable {
  /// The pause after the first attempt; it doubles with each.
  public var baseSeconds: Double
  /// The longest pause.
  public var longestSeconds: Double
  /// How many attempts without progress a step has.
  public var mostAttempts: Int

  /// How many deaths of the daemon weigh as much as one attempt.
  static let interruptionsPerAttempt = 4

  /// - Parameters:
  ///   - baseSeconds: the pause after the first attempt; it doubles with each.
  ///   - longestSeconds: the longest pause.
  ///   - mostAttempts: how many attempts without progress a step has.
  public init(baseSeconds: Double = 30, longestSeconds: Double = 3600, mostAttempts: Int = 5) {
    self.baseSeconds = baseSeconds
    self.longestSeconds = longestSeconds
    self.mostAttempts = mostAttempts
  }

  /// The pause after so many attempts.
  package func pauseSeconds(afterAttempts attempts: Int) -> Double {
    var pause = baseSeconds
    for _ in 1..<max(1, min(attempts, 64)) { pause = min(longestSeconds, pause * 2) }
    return min(longestSeconds, pause)
  }

  /// Whether the step may be started once more.
  package func allowsAnother(_ status: JobStatus) -> Bool {
    status.attempts < mostAttempts && status.interruptions < mostAttempts * Self.interruptionsPerAttempt
  }
}

/// How a stage's process ended.
public enum StageOutcome: Sendable, Equatable {
  /// It exited with this status.
  case exited(Int32)
  /// This signal ended it.
  case signaled(Int32)
  /// It could not be started for now.
  case notStarted(String)
  /// Whoever was to run it takes nothing at present; the attempt does not count.
  case refused(String)
  /// Whoever ran it has ended it, or lost it.
  case ended(String)

  /// Whether the same command may succeed later: I/O errors, temporary failures, death by a signal.
  package var mayBeRetried: Bool {
    switch self {
    case .exited(let status): status == ExitStatus.ioError.rawValue || status == ExitStatus.temporaryFailure.rawValue
    case .signaled, .notStarted, .refused, .ended: true
    }
  }

  package var description: String {
    switch self {
    case .exited(let status): "exit status \(status)"
    case .signaled(let signal): "killed by signal \(signal)"
    case .notStarted(let reason), .refused(let reason), .ended(let reason): reason
    }
  }
}
