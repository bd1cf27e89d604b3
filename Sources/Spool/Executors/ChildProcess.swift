import CLinux
import Diagnostics
import Files
import Foundation

/// How the daemon starts a program: with standard input empty, a process group of its own, no signal mask, and no descriptors
/// but those it is given.
enum ChildProcess {
  /// A pipe whose reading end never blocks; no child inherits it unless it is given an end.
  /// - Throws: a `Failure` with status `temporaryFailure` that names the program.
  static func pipe(for program: String) throws -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [-1, -1]
    guard Glibc.pipe(&ends) == 0 else {
      throw Failure(.temporaryFailure, program, "no pipe: \(String(cString: strerror(errno)))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    return (ends[0], ends[1])
  }

  /// Starts a program.
  /// - Parameters:
  ///   - program: its path, or a name that is looked for in PATH.
  ///   - arguments: without the program's name.
  ///   - descriptors: what it finds as 1, 2 and so on; they stay open here.
  ///   - folder: where it runs; nil for where this process does.
  ///   - ignored: a signal that it goes on ignoring; all others do what they do at first.
  ///   - remedy: what to do where there is no such program.
  /// - Throws: a `Failure` with status `unavailable` where the program cannot be run, `temporaryFailure` where the machine is
  ///   short of processes, descriptors or memory.
  static func start(
    _ program: String, _ arguments: [String], environment: [String: String], descriptors: [Int32],
    folder: String? = nil, ignored: Int32? = nil, remedy: String
  ) throws -> pid_t {
    // Moved out of the way of the numbers they will have.
    let sources = descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 16) }
    let problem = errno
    defer { for source in sources where source >= 0 { close(source) } }
    guard sources.allSatisfy({ $0 >= 0 }) else {
      throw Failure(.temporaryFailure, program, "no descriptor for it: \(String(cString: strerror(problem)))")
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    for (number, source) in sources.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, source, Int32(number) + 1)
    }
    _ = sid_spawn_closing_from(&actions, Int32(sources.count) + 1)
    if let folder { _ = sid_spawn_in_folder(&actions, folder) }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    var defaults = sigset_t()
    sigfillset(&defaults)
    if let ignored { sigdelset(&defaults, ignored) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    // A terminal's Ctrl-C is the daemon's.
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var argv = ([(program as NSString).lastPathComponent] + arguments).map { strdup($0) } + [nil]
    var variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in argv + variables { free(text) } }
    var process: pid_t = 0
    // A path is not looked for.
    let code = posix_spawnp(&process, program, &actions, &attributes, &argv, &variables)
    guard code != 0 else { return process }
    let reason = String(cString: strerror(code))
    guard [ENOENT, EACCES, ENOEXEC, ENOTDIR].contains(code) else {
      throw Failure(.temporaryFailure, program, "cannot be started: \(reason)")
    }
    throw Failure(.unavailable, program, "cannot be run: \(reason)", remedy: remedy)
  }

  /// Of this process's environment the variables of these names, and what is given.
  static func environment(_ names: [String], _ given: [String: String]) -> [String: String] {
    ProcessInfo.processInfo.environment.filter { names.contains($0.key) }.merging(given) { $1 }
  }
}
