import ArgumentParser
import CSystemd
import Diagnostics
import Foundation
import Spool
import Stage

/// The daemon of a spool, in the foreground.
@main
struct SpoolDaemon: CommandLineProgram {
  static let configuration = CommandConfiguration(
    commandName: "sid-spoold",
    abstract: "Run the jobs that are dropped into a spool.",
    discussion: """
      Creates the spool's folders, accepts job files dropped into incoming/, runs their steps as stage programs, and \
      leaves each job in done/ or failed/. SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU stop it, but for those that \
      were ignored when it was started (nohup): the stages at work save their state and the jobs go on at the next start. \
      So they do after a crash. Options here take precedence over the configuration file.
      Exit status: 0 stopped; 66 no such file or no folder of stage programs; 73 the spool cannot be created; \
      75 another daemon works on the spool; 78 the configuration is wrong.
      """,
    version: Version.line("sid-spoold"))

  @Option(
    name: .customLong("configuration"),
    help: ArgumentHelp("The configuration file (YAML); see spoold.yaml(5).", valueName: "file"))
  var configurationFile: String?

  @Option(
    help: ArgumentHelp(
      "The spool's folder; created where it is missing. (default: SID_SPOOL of the environment, else /var/spool/sid)",
      valueName: "dir"))
  var spool: String?

  @Option(
    help: ArgumentHelp(
      "Beneath what job files name their inputs; may be repeated, searched in order. (default: inputs/ of the spool and the installed pipeline/)",
      valueName: "dir"))
  var inputRoot: [String] = []

  @Option(help: ArgumentHelp("Where the stage programs are. (default: beside this program)", valueName: "dir"))
  var programDirectory: String?

  @Flag(help: "End when no job is left.")
  var exitWhenIdle = false

  @Option(
    help: ArgumentHelp("How many steps run at once. (default: 1)", valueName: "steps"))
  var slots: Int?

  @Option(
    help: ArgumentHelp("How often a step is tried without making progress. (default: 5)", valueName: "attempts"))
  var maxAttempts: Int?

  @Option(
    help: ArgumentHelp(
      "The pause before a second attempt, in seconds; it doubles up to an hour. (default: 30)", valueName: "s"))
  var retryBaseSeconds: Double?

  @Option(
    help: ArgumentHelp(
      "How long a stage has to save its state when it is stopped, in seconds. (default: 90)", valueName: "s"))
  var stopTimeoutSeconds: Double?

  func validate() throws {
    for (name, value) in [("max-attempts", maxAttempts), ("slots", slots)] {
      guard value.map({ $0 >= 1 }) ?? true else {
        throw ValidationError("--\(name): at least 1 expected, found \(value ?? 0)")
      }
    }
    for (name, value) in [("retry-base-seconds", retryBaseSeconds), ("stop-timeout-seconds", stopTimeoutSeconds)] {
      guard value.map({ $0.isFinite && $0 >= 0 }) ?? true else {
        throw ValidationError("--\(name): 0 or more expected, found \(value ?? 0)")
      }
    }
  }

  func run() throws {
    do {
      try ProgramArguments.requireText()
      let console = Console(hasTimestamps: !Journal.isConnected, journal: Journal.send)
      try Daemon(try options(), console: console, watchdogSeconds: Self.watchdogSeconds) { sd_notify(0, $0) }.run()
    } catch let failure as Failure {
      StandardError.write("\(Journal.isConnected ? "<3>" : "")sid-spoold: \(failure)\n")
      throw ExitCode(failure.status.rawValue)
    }
  }

  private func options() throws -> DaemonOptions {
    var options = DaemonOptions(spool: try ProgramArguments.variable("SID_SPOOL") ?? "/var/spool/sid")
    if let configurationFile { options = try DaemonOptions(configuration: configurationFile) }
    options.spool = spool ?? options.spool
    if !inputRoot.isEmpty { options.inputRoots = inputRoot }
    options.programDirectory = programDirectory ?? options.programDirectory
    options.slots.total = slots ?? options.slots.total
    options.retry.mostAttempts = maxAttempts ?? options.retry.mostAttempts
    options.retry.baseSeconds = retryBaseSeconds ?? options.retry.baseSeconds
    options.stopTimeoutSeconds = stopTimeoutSeconds ?? options.stopTimeoutSeconds
    options.exitsWhenIdle = exitWhenIdle
    return options
  }

  /// How often the service manager wants to hear from the main loop: half of what it waits.
  private static var watchdogSeconds: Double? {
    var microseconds: UInt64 = 0
    return sd_watchdog_enabled(0, &microseconds) > 0 ? Double(microseconds) / 2e6 : nil
  }
}
