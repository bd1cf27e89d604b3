import ArgumentParser
import Diagnostics
import Spool

struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the jobs of a spool, or one of them with its figures.",
    discussion: "Exit status: 0; 66 no such job or spool; 75 the job waits to be accepted.")

  @Argument(help: ArgumentHelp("A job's ID, reference (NAME-7f3a) or name: the last of that name.", valueName: "job"))
  var job: String?

  @OptionGroup var location: SpoolOption

  @Flag(help: "Print JSON: a list of jobs, or one job.")
  var json = false

  func run() throws {
    try SidControl.run {
      let client = try location.client()
      let jobs = try job.map { [try client.job($0)] } ?? client.jobs()
      if json {
        print(try StatusReport.json(jobs))
      } else {
        print(StatusReport.table(jobs, waiting: job == nil ? try client.waiting() : []))
        if job != nil, let figures = jobs.first.flatMap(StatusReport.figures) { print("\n\(figures)") }
      }
    }
  }
}
