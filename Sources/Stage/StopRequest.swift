import CLinux
import Diagnostics
import Foundation
import Synchronization

/// Whether somebody asked this process to stop: by one of `PoliteSignals`, or because the daemon that started it died.
///
/// A stage looks at it after each micro-batch, saves its state, and throws `StopRequest.failure`.
public enum StopRequest {
  // A lock-free atomic, because a signal handler reads it.
  private static let parent = Atomic<Int32>(0)

  /// True from the first request on.
  public static var isRequested: Bool { Interruption.isRequested }

  /// What a stage throws once its state is saved: exit status 75, the same command continues.
  /// - Parameter output: the output that is not finished.
  public static func failure(_ output: String) -> Failure {
    Failure(.temporaryFailure, output, "stopped before it was finished", remedy: "the same command continues")
  }

  /// Throws `failure` if a stop was requested; for loops whose progress is on disk at this point.
  public static func check(_ output: String) throws {
    if isRequested { throw failure(output) }
  }

  /// Takes the polite signals from here on, but for those that are ignored. A second SIGINT ends the process at once.
  static func installHandlers() {
    // The first access initializes the globals; a handler must not be the one to do it.
    _ = (isRequested, parent.load(ordering: .relaxed))
    for number in PoliteSignals.heeded {
      handle(number, flags: number == SIGINT ? Int32(bitPattern: UInt32(SA_RESETHAND)) : 0) { _ in
        Interruption.request()
      }
    }
    // A reader of the progress pipe that went away is no reason to stop.
    signal(SIGPIPE, SIG_IGN)
    // Whoever ignores the end of children hands that down, and the system would keep from this process how its own ended.
    signal(SIGCHLD, SIG_DFL)
  }

  /// Ties this process to the one that started it: its death requests a stop.
  ///
  /// The kernel signals the death of the parent's *thread*, so the handler asks whether the process is still there.
  /// - Parameter pid: the parent as it named itself.
  /// - Returns: false if the parent was already gone.
  static func follow(parent pid: Int32) -> Bool {
    parent.store(pid, ordering: .relaxed)
    let number = sid_parent_death_signal()
    handle(number) { _ in
      if getppid() != StopRequest.parent.load(ordering: .relaxed) { Interruption.request() }
    }
    return sid_set_parent_death_signal(number) == 0 && getppid() == pid
  }

  private static func handle(_ number: Int32, flags: Int32 = 0, _ handler: @convention(c) (Int32) -> Void) {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = handler
    action.sa_flags = SA_RESTART | flags
    sigaction(number, &action, nil)
    // A parent that starts this process from a worker thread of Dispatch hands down a mask that blocks everything.
    var unblocked = sigset_t()
    sigemptyset(&unblocked)
    sigaddset(&unblocked, number)
    sigprocmask(SIG_UNBLOCK, &unblocked, nil)
  }
}
