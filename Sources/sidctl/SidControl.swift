import ArgumentParser
import Diagnostics
import Foundation
import Spool
import Stage

/// The client of a spool.
@main
struct SidControl: CommandLineProgram {
  static let configuration = CommandConfiguration(
    commandName: "sidctl",
    abstract: "Submit jobs to a spool and look at them.",
    version: Version.line("sidctl"),
    subcommands: [
      Submit.self, Status.self, Watch.self, Log.self, Hold.self, Release.self, Cancel.self, Retry.self, Prune.self,
      Verify.self, Check.self, Seal.self, MachineFacts.self,
    ])

  /// Runs the work of a subcommand; a `Failure` becomes one line and the exit status.
  static func run(_ body: () throws -> Void) throws {
    do {
      try ProgramArguments.requireText()
      do {
        try body()
      } catch let status as ExitCode {
        // What was found counts where it was told.
        try StandardOutput.check()
        throw status
      }
      try StandardOutput.check()
    } catch let failure as Failure {
      StandardError.write("sidctl: \(failure)\n")
      throw ExitCode(failure.status.rawValue)
    }
  }
}

/// Where the spool is.
struct SpoolOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The spool's folder. (default: SID_SPOOL of the environment, else /var/spool/sid)", valueName: "dir"))
  var spool: String?

  func client() throws -> SpoolClient {
    try SpoolClient(spool ?? ProgramArguments.variable("SID_SPOOL") ?? "/var/spool/sid")
  }
}
