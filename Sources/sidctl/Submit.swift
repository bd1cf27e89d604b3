import ArgumentParser
import Diagnostics
import Foundation
import Spool

struct Submit: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check a job file and submit it.",
    discussion: """
      Prints the job's reference, NAME-7f3a, which the other commands take.
      Exit status: 0 submitted; 65 the job file is wrong; 66 no such file or spool.
      """)

  @Argument(help: ArgumentHelp("The job file (YAML).", valueName: "file"))
  var file: String

  @OptionGroup var location: SpoolOption

  @Flag(help: "Follow the job to its end, as sidctl watch does.")
  var watch = false

  func run() throws {
    try SidControl.run {
      let client = try location.client()
      let reference = try client.submit(file)
      print(reference)
      fflush(nil)
      if watch { try Watch.follow(reference, client) }
    }
  }
}
