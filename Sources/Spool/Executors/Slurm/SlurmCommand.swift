import CLinux
import Diagnostics
import Foundation

/// What a command of Slurm has said.
package struct SlurmAnswer: Sendable, Equatable {
  /// How it ended; nil where its time was over, and what it has done is not known.
  package var status: Int32?
  /// What it printed, as far as it fits.
  package var output: String
  /// What it complained of, in one line.
  package var complaint: String

  /// - Parameters: as the properties.
  package init(status: Int32?, output: String = "", complaint: String = "") {
    (self.status, self.output, self.complaint) = (status, output, complaint)
  }

  var isSuccess: Bool { status == 0 }
}

/// Speaks to Slurm: `sbatch`, `squeue`, `scontrol`, `scancel`, `sacct`.
package protocol SlurmCommands: AnyObject {
  /// Runs a command to its end.
  /// - Parameter lock: a descriptor that it holds for as long as it lives.
  /// - Throws: a `Failure`, `unavailable` where it is not installed here.
  func run(_ command: [String], holding lock: Int32?) throws -> SlurmAnswer

  /// Begins a question that `answer` tells the answer to; one at a time.
  func ask(_ command: [String]) throws
  /// The answer, once it is there.
  func answer() -> SlurmAnswer?
  /// Becomes readable when it may be.
  var descriptor: Int32? { get }
}

/// Speaks to Slurm by its programs, found by PATH.
package final class SlurmPrograms: SlurmCommands {
  /// Shorter than half of what the service manager waits for the daemon.
  private static let mostSeconds = 20.0
  private var question: SlurmProcess?

  /// Nothing is asked before it is to be.
  package init() {}

  package func run(_ command: [String], holding lock: Int32?) throws -> SlurmAnswer {
    let process = try SlurmProcess(command, holding: lock, mostSeconds: Self.mostSeconds)
    while true {
      if let answer = process.answer() { return answer }
      process.wait()
    }
  }

  package func ask(_ command: [String]) throws {
    question = try SlurmProcess(command, holding: nil, mostSeconds: Self.mostSeconds)
  }

  package func answer() -> SlurmAnswer? {
    guard let answer = question?.answer() else { return nil }
    question = nil
    return answer
  }

  package var descriptor: Int32? { question?.output }
}

/// A command of Slurm at work. No shell is between, what it prints is bounded, and it ends in time.
private final class SlurmProcess {
  private static let mostBytes = 16 << 20
  /// Where a command holds the lock that it need not know.
  private static let lockDescriptor: Int32 = 3

  private let process: pid_t
  private let deadline: ContinuousClock.Instant
  let output: Int32
  private let errors: Int32
  private var outputBytes: [UInt8] = []
  private var errorBytes: [UInt8] = []
  private var isOver = false

  init(_ command: [String], holding lock: Int32?, mostSeconds: Double) throws {
    let name = command[0]
    var ends: [[Int32]] = []
    func closeAll() { for end in ends.joined() { close(end) } }
    for _ in 0..<2 {
      var pair: [Int32] = [-1, -1]
      guard pipe(&pair) == 0 else {
        let reason = String(cString: strerror(errno))
        closeAll()
        throw Failure(.temporaryFailure, name, "no pipe: \(reason)")
      }
      for end in pair { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      _ = fcntl(pair[0], F_SETFL, O_NONBLOCK)
      ends.append(pair)
    }
    // Out of the way of the numbers they will have.
    let sources = (ends.map { $0[1] } + (lock.map { [$0] } ?? [])).map { fcntl($0, F_DUPFD_CLOEXEC, 16) }
    defer { for source in sources where source >= 0 { close(source) } }
    guard sources.allSatisfy({ $0 >= 0 }) else {
      closeAll()
      throw Failure(.temporaryFailure, name, "no descriptor for it")
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    for (number, source) in sources.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, source, Int32(number) + 1)
    }
    _ = sid_spawn_closing_from(&actions, lock == nil ? Self.lockDescriptor : Self.lockDescriptor + 1)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    var defaults = sigset_t()
    sigfillset(&defaults)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    // A terminal's Ctrl-C is the daemon's.
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var argv = command.map { strdup($0) } + [nil]
    var environment = Self.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in argv + environment { free(text) } }
    var process: pid_t = 0
    let code = posix_spawnp(&process, name, &actions, &attributes, &argv, &environment)
    for pair in ends { close(pair[1]) }
    guard code == 0 else {
      for pair in ends { close(pair[0]) }
      let reason = String(cString: strerror(code))
      guard [ENOENT, EACCES, ENOEXEC, ENOTDIR].contains(code) else {
        throw Failure(.temporaryFailure, name, "cannot be started: \(reason)")
      }
      throw Failure(
        .unavailable, name, "cannot be run: \(reason)",
        remedy: "install Slurm's programs (slurm-client) on this machine, in the daemon's PATH")
    }
    self.process = process
    (output, errors) = (ends[0][0], ends[1][0])
    deadline = .now + .seconds(mostSeconds)
  }

  deinit {
    if !isOver { end() }
    close(output)
    close(errors)
  }

  /// Sleeps until it may have said something, or for a while.
  func wait() {
    var descriptors = [output, errors].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    poll(&descriptors, 2, 20)
    // One that has closed both is readable for ever.
    if descriptors.allSatisfy({ $0.revents & Int16(POLLHUP) != 0 }) { usleep(1000) }
  }

  /// What it has said, where it has ended or its time is over.
  func answer() -> SlurmAnswer? {
    read(output, into: &outputBytes)
    read(errors, into: &errorBytes)
    var status: Int32 = 0
    let ended = waitpid(process, &status, WNOHANG)
    if ended == 0, let patience = Self.patience(errorBytes) {
      // sbatch goes on asking by itself, for minutes; nothing was submitted.
      end()
      return SlurmAnswer(status: 1, complaint: patience)
    }
    if ended == 0 || (ended < 0 && errno == EINTR) {
      guard ContinuousClock.now >= deadline else { return nil }
      end()
      return SlurmAnswer(status: nil, complaint: "gave no answer in time")
    }
    isOver = true
    read(output, into: &outputBytes)
    read(errors, into: &errorBytes)
    let signal = status & 0x7F
    let lines = String(decoding: errorBytes, as: UTF8.self).split(separator: "\n").suffix(4)
      .map { $0.trimmingCharacters(in: .whitespaces) }
    return SlurmAnswer(
      status: ended < 0 ? 70 : signal != 0 ? 128 + signal : status >> 8 & 0xFF,
      output: String(decoding: outputBytes, as: UTF8.self),
      complaint: String(lines.joined(separator: "; ").oneLine.prefix(600)))
  }

  /// What sbatch says when the queue is full and it waits.
  private static func patience(_ errors: [UInt8]) -> String? {
    guard !errors.isEmpty else { return nil }
    return String(decoding: errors, as: UTF8.self).split(separator: "\n").first { $0.contains("sleeping and retrying") }
      .map { String($0).oneLine }
  }

  private func end() {
    isOver = true
    kill(-process, SIGKILL)
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
  }

  private func read(_ descriptor: Int32, into bytes: inout [UInt8]) {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      bytes += buffer.prefix(min(count, max(0, Self.mostBytes - bytes.count)))
    }
  }

  /// What Slurm's programs, and by them the jobs, see of the daemon's environment.
  private static var environment: [String: String] {
    var environment = ["LC_ALL": "C.UTF-8"]
    for name in [
      "PATH", "LD_LIBRARY_PATH", "HOME", "USER", "LOGNAME", "TZ", "SLURM_CONF", "OPENBLAS_CORETYPE", "SID_KERNELS",
    ] {
      environment[name] = ProcessInfo.processInfo.environment[name]
    }
    return environment
  }
}
