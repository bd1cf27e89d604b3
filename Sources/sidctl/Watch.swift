import ArgumentParser
import Diagnostics
import Foundation
import Spool

struct Watch: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Follow a job until it is done or has failed, or all jobs of a spool.",
    discussion: """
      Prints the folder of the finished job. Without a job: a table of all that wait or are being run, drawn anew on a \
      terminal until it is interrupted.
      Exit status: 0 done; 1 failed or held; 66 no such job or spool.
      """)

  @Argument(help: ArgumentHelp("A job's ID, reference (NAME-7f3a) or name: the last of that name.", valueName: "job"))
  var job: String?

  @OptionGroup var location: SpoolOption

  func run() throws {
    try SidControl.run {
      let client = try location.client()
      if let job { return try Self.follow(job, client) }
      guard isatty(STDOUT_FILENO) == 1 else {
        throw Failure(.usage, "watch", "without a job it draws on a terminal", remedy: "sidctl status prints a table")
      }
      try client.watchTable { try StandardOutput.write(Array($0.utf8)) }
    }
  }

  static func follow(_ job: String, _ client: SpoolClient) throws {
    let console = Console(hasTimestamps: false)
    let end = try client.watch(job, console: console)
    switch end.state {
    case .done:
      console.line("\(end.id): done")
      print(end.folder)
    default:
      console.line("\(end.id): \(end.state.rawValue): \(end.status?.reason ?? end.folder)")
      throw ExitCode(1)
    }
  }
}
