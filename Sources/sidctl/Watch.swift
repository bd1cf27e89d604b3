import ArgumentParser
import Diagnostics
import Foundation
import Spool

struct Watch: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Follow a job until it is done or has failed.",
    discussion: """
      Prints the folder of the finished job.
      Exit status: 0 done; 1 failed or held; 66 no such job or spool.
      """)

  @Argument(help: ArgumentHelp("A job's ID, reference (NAME-7f3a) or name: the last of that name.", valueName: "job"))
  var job: String

  @OptionGroup var location: SpoolOption

  func run() throws {
    try SidControl.run { try Self.follow(job, try location.client()) }
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
