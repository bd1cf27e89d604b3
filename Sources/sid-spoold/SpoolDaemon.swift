import ArgumentParser
import CSystemd
import Diagnostics
import Foundation
import Spool
import Stage

/// The daemon of a spool, in the foreground.
@main
struct SpoolDaemon: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sid-spoold",
    abstract: "Run the jobs that are dropped into a spool.",
    discussion: """
      Creates the spool's folders, accepts job files dropped into incoming/, runs their steps one after the other as \
      stage programs, and leaves each job in done/ or failed/. SIGTERM and SIGINT stop it: the stage at work saves its \
      state and the job goes on at the next start. So it does after a crash.
      Exit status: 0 stopped; 66 no folder of stage programs; 73 the spool cannot be created; \
      75 another daemon works on the spool.
      """,
    version: Version.line("sid-spoold"))

  @Option(help: ArgumentHelp("The spool's folder; created where it is missing.", valueName: "dir"))
  var spool: String = ProcessInfo.processInfo.environment["SID_SPOOL"] ?? "/var/spool/sid"

  @Option(
    help: ArgumentHelp(
      "Beneath what job files name their inputs; may be repeated, searched in order. (default: inputs/ of the spool and the installed pipeline/)",
      valueName: "dir"))
  var inputRoot: [String] = []

  @Option(help: ArgumentHelp("Where the stage programs are. (default: beside this program)", valueName: "dir"))
  var programDirectory: String?

  @Flag(name: [.customLong("exit-when-idle"), .customLong("once")], help: "End when no job is left.")
  var exitWhenIdle = false

  @Option(help: ArgumentHelp("How often a step is tried without making progress.", valueName: "attempts"))
  var maxAttempts = 5

  @Option(
    help: ArgumentHelp("The pause before a second attempt, in seconds; it doubles up to an hour.", valueName: "s"))
  var retryBaseSeconds = 30.0

  @Option(help: ArgumentHelp("How long a stage has to save its state when it is stopped, in seconds.", valueName: "s"))
  var stopTimeoutSeconds = 90.0

  func validate() throws {
    guard maxAttempts >= 1 else { throw ValidationError("--max-attempts: at least 1 expected, found \(maxAttempts)") }
    for (name, value) in [("retry-base-seconds", retryBaseSeconds), ("stop-timeout-seconds", stopTimeoutSeconds)] {
      guard value.isFinite, value >= 0 else { throw ValidationError("--\(name): 0 or more expected, found \(value)") }
    }
  }

  func run() throws {
    var options = DaemonOptions(spool: spool, inputRoots: inputRoot, programDirectory: programDirectory)
    options.retry.mostAttempts = maxAttempts
    options.retry.baseSeconds = retryBaseSeconds
    options.stopTimeoutSeconds = stopTimeoutSeconds
    options.exitsWhenIdle = exitWhenIdle
    do {
      try Daemon(options, console: Console(hasTimestamps: true)) { sd_notify(0, $0) }.run()
    } catch let failure as Failure {
      FileHandle.standardError.write(Data("sid-spoold: \(failure)\n".utf8))
      throw ExitCode(failure.status.rawValue)
    }
  }
}
