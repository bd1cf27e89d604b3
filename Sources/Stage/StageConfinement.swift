import CLinux
import Diagnostics
import Files
import Foundation

/// Which files a stage of a job can open: what users supply is parsed in it, so it shall reach nothing else.
enum StageConfinement {
  /// The variable by which the daemon names the input roots: a JSON array of absolute paths.
  static let variable = "SID_INPUT_ROOTS"
  private static let blasThreads = "OPENBLAS_NUM_THREADS"

  /// What the Swift runtime, OpenBLAS, OpenSSL and this program read of the machine: libraries, users' names, time zones,
  /// limits, processors.
  ///
  /// Of `/proc` all may be read, not this process's part alone: libdispatch looks at its threads under `/proc/TID/stat` while
  /// they wait, and ends the process by a trap where it cannot. What is another process's own there (memory, environment,
  /// descriptors) stays closed: who is under Landlock may not trace a process outside, and reading it counts as that. Root's
  /// leave to do so all the same is given up.
  private static let system = [
    "/usr/lib", "/usr/share/zoneinfo", "/lib", "/lib64", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf",
    "/etc/localtime", "/etc/ssl/openssl.cnf", "/proc", "/sys/devices/system", "/sys/kernel/mm", "/sys/fs/cgroup",
    "/dev/urandom", "/dev/random", "/dev/zero",
  ]

  /// Confines this process to the input roots and the folder it runs in, where the daemon names roots.
  ///
  /// Where the kernel cannot, the process goes on without, and says so.
  /// - Throws: a `Failure` with status `usage` where the variable is malformed, `unavailable` where the kernel refuses.
  static func enter(_ environment: [String: String], program: String) throws {
    guard let text = environment[variable] else { return }
    guard let roots = try? JSONDecoder().decode([String].self, from: Data(text.utf8)) else {
      throw Failure(.usage, variable, "a JSON array of folders was expected, found \"\(text.prefix(200))\"")
    }
    guard FileConfinement.isSupported else {
      return StandardError.write("\(program): not confined to the input roots: no Landlock here\n")
    }
    if !FileConfinement.isOnlyThread, environment[blasThreads] != "1" { try startAgain() }
    // Files without a name go to the job's folder, too.
    setenv("TMPDIR", FileManager.default.currentDirectoryPath, 1)
    guard sid_drop_tracing() == 0 else {
      throw Failure(.unavailable, "capabilities", "cannot be given up: \(String(cString: strerror(errno)))")
    }
    try FileConfinement(readable: system + roots, changeable: [".", "/dev/null"]).enforce()
  }

  /// Starts this program anew without the threads that OpenBLAS starts when it is loaded; this package's work has its own.
  /// - Throws: `Interrupted` where a stop was asked for already, which the new program would not know.
  private static func startAgain() throws {
    setenv(blasThreads, "1", 1)
    // What comes from here on waits until the new program takes it.
    var polite = sigset_t()
    sigemptyset(&polite)
    for number in PoliteSignals.all { sigaddset(&polite, number) }
    var before = sigset_t()
    sigprocmask(SIG_BLOCK, &polite, &before)
    try Interruption.check()
    execv("/proc/self/exe", CommandLine.unsafeArgv)
    // It goes on where that fails, and is refused.
    sigprocmask(SIG_SETMASK, &before, nil)
  }
}
