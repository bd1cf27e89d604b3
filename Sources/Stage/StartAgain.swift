import Diagnostics
import Foundation

/// Starting a program again in its own place, for what its libraries read of the environment when they are loaded.
enum StartAgain {
  /// OpenBLAS starts its threads when it is loaded; this package's work has its own.
  private static let blasThreads = "OPENBLAS_NUM_THREADS"

  /// Whether threads that a library started may be left out by starting again.
  static func leavesThreadsOut(_ environment: [String: String]) -> Bool { environment[blasThreads] != "1" }

  /// Replaces this process by the same program with the same arguments, without the threads of libraries and with these
  /// variables in its environment.
  ///
  /// Returns where that fails.
  /// - Throws: `Interrupted` where a stop was asked for already, which the new program would not know.
  static func now(with variables: [String: String] = [:]) throws {
    setenv(blasThreads, "1", 1)
    for (name, value) in variables { setenv(name, value, 1) }
    // What comes from here on waits until the new program takes it.
    var polite = sigset_t()
    sigemptyset(&polite)
    for number in PoliteSignals.all { sigaddset(&polite, number) }
    var before = sigset_t()
    sigprocmask(SIG_BLOCK, &polite, &before)
    try Interruption.check()
    // As they came: they need not be text.
    execv("/proc/self/exe", CommandLine.unsafeArgv)
    sigprocmask(SIG_SETMASK, &before, nil)
  }
}
