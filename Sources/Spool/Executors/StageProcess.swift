import Queue
import CLinux
import Diagnostics
import Files
import Foundation

/// The process of a stage.
struct StageProcess {
  /// Where the stage finds its progress pipe.
  static let progressDescriptor: Int32 = 3
  /// Where the stage holds the lock of the job's folder, which it need not know.
  private static let lockDescriptor: Int32 = 4

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
    let variables = try Self.environment(roots)
    var pipeEnds: [Int32] = [-1, -1]
    guard pipe(&pipeEnds) == 0 else {
      throw Failure(.temporaryFailure, program, "no pipe: \(String(cString: strerror(errno)))")
    }
    defer { close(pipeEnds[1]) }
    for end in pipeEnds { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(pipeEnds[0], F_SETFL, O_NONBLOCK)

    // The descriptors to hand over are moved out of the way of the numbers they will have.
    let sources = [log, pipeEnds[1], lock.descriptor].map { fcntl($0, F_DUPFD_CLOEXEC, 16) }
    let code = errno
    defer { for source in sources where source >= 0 { close(source) } }
    guard sources.allSatisfy({ $0 >= 0 }) else {
      close(pipeEnds[0])
      throw Failure(.temporaryFailure, program, "no descriptor for it: \(String(cString: strerror(code)))")
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, sources[0], 1)
    posix_spawn_file_actions_adddup2(&actions, sources[0], 2)
    posix_spawn_file_actions_adddup2(&actions, sources[1], Self.progressDescriptor)
    posix_spawn_file_actions_adddup2(&actions, sources[2], Self.lockDescriptor)
    _ = sid_spawn_closing_from(&actions, Self.lockDescriptor + 1)
    _ = sid_spawn_in_folder(&actions, folder)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    var defaults = sigset_t()
    sigfillset(&defaults)
    // A daemon that was to outlive its terminal wants that for its stages, too. It stops them by SIGTERM.
    if PoliteSignals.isIgnored(SIGHUP) { sigdelset(&defaults, SIGHUP) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    let name = (program as NSString).lastPathComponent
    var argv = ([name] + arguments).map { strdup($0) } + [nil]
    var environment = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in argv + environment { free(text) } }
    var process: pid_t = 0
    let spawnCode = posix_spawn(&process, program, &actions, &attributes, &argv, &environment)
    guard spawnCode == 0 else {
      close(pipeEnds[0])
      let reason = String(cString: strerror(spawnCode))
      switch spawnCode {
      case ENOENT, EACCES, ENOEXEC:
        throw Failure(.unavailable, program, "cannot be run: \(reason)", remedy: "install it beside sid-spoold")
      default:
        throw Failure(.temporaryFailure, program, "cannot be started: \(reason)")
      }
    }
    self.process = process
    self.progress = pipeEnds[0]
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
    var environment = [
      "LC_ALL": "C.UTF-8", "SID_PARENT_PID": String(getpid()), "SID_INPUT_ROOTS": folders,
      // Its threads would be there before the stage confines itself.
      "OPENBLAS_NUM_THREADS": "1",
    ]
    for name in ["PATH", "LD_LIBRARY_PATH", "HOME", "TZ", "OPENBLAS_CORETYPE", "SID_KERNELS"] {
      environment[name] = ProcessInfo.processInfo.environment[name]
    }
    return environment
  }
}
