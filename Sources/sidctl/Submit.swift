import ArgumentParser
import Diagnostics
import Foundation
import Spool

struct Submit: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check a job file and submit it.",
    discussion: """
      Prints the job's reference, NAME-7f3a, which the other commands take.

      --set changes an option of a step, named by its name or, where there is one step of it, by its stage: \
      --set generator.batch=64 --set 'samples.seeds=0-99'. The value is YAML, a single value or a list in brackets. What \
      is submitted is the changed file, with the changes in a comment at its end.

      Exit status: 0 submitted; 64 an override is wrong; 65 the job file is wrong; 66 no such file or spool.
      """)

  @Argument(help: ArgumentHelp("The job file (YAML).", valueName: "file"))
  var file: String

  @OptionGroup var location: SpoolOption

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Change an option of a step; may be repeated.", valueName: "step.key=value"))
  var overrides: [String] = []

  @Flag(help: "Print the job file as it would be submitted, and submit nothing.")
  var print = false

  @Flag(help: "Follow the job to its end, as sidctl watch does.")
  var watch = false

  func run() throws {
    try SidControl.run {
      let overrides = try overrides.map { try JobOverride($0) }
      if self.print {
        try StandardOutput.write(try SpoolClient.jobFile(file, overrides: overrides))
        return
      }
      let client = try location.client()
      let reference = try client.submit(file, overrides: overrides)
      Swift.print(reference)
      fflush(nil)
      if watch { try Watch.follow(reference, client) }
    }
  }
}
