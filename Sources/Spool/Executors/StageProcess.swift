import Queue
import CLinux
import Diagnostics
import Files
import Foundation

/// The process of a stage.
struct StageProcess {
  /// Where the stage finds its progress pipe. Behind it, without knowing, it holds the lock of the job's folder.
  static let progressDescriptor: Int32 = 3

  /// The process, the leader of its own process group.
  let process: pid_t
  /// The reading end of its progress pipe; it never blocks.
  let progress: Int32

  /// Starts a stage.
  ///
  /// The process has its own group, no signal mask, no signal ignored but SIGHUP where this process ignores it, no descriptors but its log, the progress pipe and the job's lock, and
  /// the few variables of `environment()`. It asks the kernel to die with the thread that called this, so that thread has
  /// to live as long as the daemon.
  /// - Parameters:
  ///   - program: the path of its executable.
  ///   - arguments: without the program's name.
  ///   - folder: the job's folder, where it runs.
  ///   - roots: beneath which it may read; a stage program confines itself to them and to `folder`.
  ///   - log: an open file for stdout and stderr.
  ///   - lock: the lock of the job's folder.
  /// - Throws: a `Failure` with status `unavailable` where the program is missing, `temporaryFailure` where the machine is
  ///   short of processes or memory.
  init(program: String, arguments: [String], folder: String, roots: InputRoots, log: Int32, lock: borrowing FileLock)
    throws
  {
    let ends = try ChildProcess.pipe(for: program)
    defer { close(ends.writing) }
    do {
      process = try ChildProcess.start(
        program, arguments, environment: Self.environment(roots),
        // Its log twice, then what `progressDescriptor` says, and the lock behind it.
        descriptors: [log, log, ends.writing, lock.descriptor], folder: folder,
        // A daemon that was to outlive its terminal wants that for its stages, too. It stops them by SIGTERM.
        ignored: PoliteSignals.isIgnored(SIGHUP) ? SIGHUP : nil, remedy: "install it beside sid-spoold")
    } catch {
      close(ends.reading)
      throw error
    }
    progress = ends.reading
  }

  /// Limits what each process of the stage may take: no core files, and memory of its own.
  /// - Throws: a `Failure` where the kernel refuses.
  func limit(_ limits: StepLimits) throws {
    var wanted: [(Int32, Int)] = [(Int32(RLIMIT_CORE.rawValue), 0)]
    if let bytes = limits.memoryBytes { wanted.append((Int32(RLIMIT_DATA.rawValue), bytes)) }
    for (resource, limit) in wanted {
      let code = sid_limit_resource(process, resource, UInt(limit))
      // One that has ended already needs no limit.
      guard code == 0 || code == ESRCH else { throw Failure.system("process \(process)", "limit", code: code) }
    }
  }

  /// Sends a signal to every process of the stage.
  func signal(_ number: Int32) { kill(-process, number) }

  /// How the process ended, or nil while it runs. To be asked until it says.
  ///
  /// Whatever it left behind in its group is killed: nothing of a stage must outlive it.
  func outcome() -> StageOutcome? {
    var end = siginfo_t()
    if waitid(P_PID, id_t(process), &end, WEXITED | WNOHANG | WNOWAIT) != 0 {
      return errno == EINTR ? nil : .exited(ExitStatus.software.rawValue)
    }
    guard end.si_signo == SIGCHLD else { return nil }
    // While the leader is not reaped its number, and with it the group's, cannot belong to others.
    signal(SIGKILL)
    var status: Int32 = 0
    while waitpid(process, &status, 0) != process {
      guard errno == EINTR else { return .exited(ExitStatus.software.rawValue) }
    }
    let signal = status & 0x7F
    return signal != 0 ? .signaled(signal) : .exited(status >> 8 & 0xFF)
  }

  /// What a stage sees of the daemon's environment: where to find programs and libraries, which kernels shall compute, the
  /// daemon's process, with which it has to die, and where the inputs lie.
  private static func environment(_ roots: InputRoots) throws -> [String: String] {
    let folders = String(decoding: try JSONEncoder().encode(roots.realFolders), as: UTF8.self)
    return ChildProcess.environment(
      ["PATH", "LD_LIBRARY_PATH", "HOME", "TZ", "OPENBLAS_CORETYPE", "SID_KERNELS"],
      [
        "LC_ALL": "C.UTF-8", "SID_PARENT_PID": String(getpid()), "SID_INPUT_ROOTS": folders,
        // Its threads would be there before the stage confines itself.
        "OPENBLAS_NUM_THREADS": "1",
      ])
  }
}
