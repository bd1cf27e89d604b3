import Synchronization

/// Whether this process was asked to stop, for work that knows nothing of signals: long loops call `check` between two pieces
/// of which none takes more than a moment.
///
/// Only the frame of a stage asks for it, once for the whole process. Where nobody does, such as in the daemon, nothing ever
/// throws. What writes the state that a stopped run goes on from must not check.
public enum Interruption {
  // A lock-free atomic, because signal handlers write it.
  private static let requested = Atomic<Bool>(false)

  /// True from the first request on.
  public static var isRequested: Bool { requested.load(ordering: .relaxed) }

  /// Asks all work of this process to stop; may be called by a signal handler once `isRequested` was read.
  public static func request() { requested.store(true, ordering: .relaxed) }

  /// Ends the work at hand where a stop was asked for.
  /// - Throws: `Interrupted`.
  public static func check() throws { if isRequested { throw Interrupted() } }
}

/// Thrown by work that was asked to stop and left nothing half done. It is no `Failure`, so that nobody takes it for a defect
/// of the file that was being read.
public struct Interrupted: Error {
  /// Work ended because of `Interruption.request`.
  public init() {}
}
