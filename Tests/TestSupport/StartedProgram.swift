import Foundation

/// A program of this package at work, with signals as a shell, `nohup` or a limit may hand them down.
public final class StartedProgram {
  /// Its process.
  public let process = Process()
  private let scratch: TemporaryFolder

  /// The names by which env(1) and kill(1) know signals.
  private static let names: [Int32: String] = [
    SIGTERM: "TERM", SIGINT: "INT", SIGHUP: "HUP", SIGUSR1: "USR1", SIGUSR2: "USR2", SIGXCPU: "XCPU",
    SIGCHLD: "CHLD", StartedProgram.parentDeathSignal: "RTMIN+10",
  ]

  /// What tells a stage that its parent is gone.
  public static var parentDeathSignal: Int32 { __libc_current_sigrtmin() + 10 }

  /// - Parameters:
  ///   - name: the program's name.
  ///   - arguments: without it.
  ///   - ignoring: what it ignores from the start.
  ///   - pending: what was sent to it before its first instruction.
  ///   - processorSeconds: after which the kernel begins to send SIGXCPU.
  ///   - environment: added to this process's environment.
  ///   - folder: its working folder; this process's unless given.
  ///   - input: its standard input; empty unless given.
  /// - Throws: where it cannot be started.
  public init(
    _ name: String, _ arguments: [String], ignoring: [Int32] = [], pending: Int32? = nil, processorSeconds: Int? = nil,
    environment: [String: String] = [:], folder: String? = nil, input: FileHandle = .nullDevice
  ) throws {
    scratch = try TemporaryFolder()
    var command: [String] = []
    if !ignoring.isEmpty {
      command.append("--ignore-signal=" + ignoring.compactMap { Self.names[$0] }.joined(separator: ","))
    }
    if let pending, let signal = Self.names[pending] {
      command += ["--block-signal=" + signal, "/bin/sh", "-c", "kill -\(signal) $$; exec \"$@\"", "sh"]
    }
    if let processorSeconds { command += ["/bin/sh", "-c", "ulimit -S -t \(processorSeconds); exec \"$@\"", "sh"] }
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command + [Programs.path(name)] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    func sink(_ name: String) throws -> FileHandle {
      try Data().write(to: URL(fileURLWithPath: scratch.file(name)))
      return try FileHandle(forWritingTo: URL(fileURLWithPath: scratch.file(name)))
    }
    process.standardInput = input
    process.standardOutput = try sink("output")
    process.standardError = try sink("errors")
    try process.run()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  /// Sends a signal.
  public func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  /// What it has said on standard output.
  public var output: String { text("output") }

  /// What it has said on standard error.
  public var errors: String { text("errors") }

  /// The processor time that it has taken, in seconds.
  public var processorSeconds: Double {
    let line = (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8)) ?? ""
    // Behind the name, which is in parentheses, the times are the twelfth and thirteenth fields.
    let fields = line.split(separator: ")").last?.split(separator: " ").map(String.init) ?? []
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// Signals of a kind, as `/proc` shows them ("SigIgn", "SigCgt").
  public func signals(_ kind: String) -> Set<Int32> { Self.signals(kind, of: process.processIdentifier) }

  /// The same of any process.
  public static func signals(_ kind: String, of pid: pid_t) -> Set<Int32> {
    let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(kind + ":") }
    let mask = line?.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) } ?? 0
    return Set((Int32(1)...64).filter { mask >> UInt64($0 - 1) & 1 == 1 })
  }

  /// Waits until something is so, or the program has ended.
  /// - Returns: whether it is so.
  public func wait(seconds: Double = 60, until isSo: () -> Bool) -> Bool {
    let end = Date() + seconds
    while process.isRunning, Date() < end {
      if isSo() { return true }
      usleep(2000)
    }
    return isSo()
  }

  /// Waits for the end.
  /// - Parameter seconds: a limit for a broken program, which is killed then; not a measure.
  public func end(seconds: Double = 60) -> Programs.Outcome {
    let limit = Date() + seconds
    while process.isRunning, Date() < limit { usleep(2000) }
    if process.isRunning { send(SIGKILL) }
    process.waitUntilExit()
    let isSignal = process.terminationReason == .uncaughtSignal
    return Programs.Outcome(
      status: process.terminationStatus + (isSignal ? 128 : 0), output: text("output"), errors: text("errors"))
  }

  private func text(_ name: String) -> String {
    String(decoding: FileManager.default.contents(atPath: scratch.file(name)) ?? Data(), as: UTF8.self)
  }
}
