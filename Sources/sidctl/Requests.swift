import ArgumentParser
import Diagnostics
import Foundation
import Spool

/// The jobs that a request is about.
struct JobsArgument: ParsableArguments {
  @Argument(
    help: ArgumentHelp("Jobs, by ID, reference (NAME-7f3a) or name: the last of that name.", valueName: "job"))
  var jobs: [String]

  @OptionGroup var location: SpoolOption

  /// Asks the same of every job; the first refusal ends it.
  func ask(_ wish: SpoolClient.Wish) throws {
    try SidControl.run {
      let client = try location.client()
      for text in jobs {
        let job = try client.ask(wish, of: try client.job(text))
        print(job.map { "\($0.id): \($0.state.rawValue)" } ?? "\(text): pruned")
      }
    }
  }
}

private let mayAsk = """
  A job's own submitter and the administrator may ask. The daemon does what is asked at once; a step at work saves its \
  state first. Exit status: 0 done; 64 the job is another user's or in another state, or the daemon refuses; 66 no such job \
  or spool; 75 the daemon does not answer.
  """

struct Hold: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Put jobs aside until they are released.", discussion: mayAsk)
  @OptionGroup var jobs: JobsArgument
  func run() throws { try jobs.ask(.hold) }
}

struct Release: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Let held jobs go on.", discussion: mayAsk)
  @OptionGroup var jobs: JobsArgument
  func run() throws { try jobs.ask(.release) }
}

struct Cancel: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Give jobs up; what they have made stays, and they can be retried.", discussion: mayAsk)
  @OptionGroup var jobs: JobsArgument
  func run() throws { try jobs.ask(.cancel) }
}

struct Retry: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Queue failed, held or finished jobs again.", discussion: mayAsk)

  @OptionGroup var jobs: JobsArgument

  @Option(
    name: .customLong("from"),
    help: ArgumentHelp(
      "Begin with this step: its outputs and those of later steps are removed. (default: go on where it stopped)",
      valueName: "step"))
  var step: String?

  func run() throws { try jobs.ask(.retry(step: step)) }
}

struct Prune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Remove finished jobs for good, with everything they have made.",
    discussion: "A job that somebody reads, whose files are open, is not removed.\n" + mayAsk)

  @Argument(help: ArgumentHelp("Jobs, by ID, reference or name.", valueName: "job"))
  var jobs: [String] = []

  @Option(help: ArgumentHelp("All finished jobs of yours that ended so long ago: 30 d, 12 h.", valueName: "time"))
  var olderThan: String?

  @Flag(help: "With --older-than: failed jobs alone.")
  var failed = false

  @OptionGroup var location: SpoolOption

  func validate() throws {
    guard jobs.isEmpty != (olderThan == nil) else { throw ValidationError("name jobs, or give --older-than") }
    if let olderThan, olderThan.timeInSeconds == nil {
      throw ValidationError("--older-than: a time such as 30 d or 12 h expected, found \(olderThan)")
    }
  }

  func run() throws {
    try SidControl.run {
      let client = try location.client()
      var found = try jobs.map { try client.job($0) }
      if let seconds = olderThan?.timeInSeconds {
        found = try client.finished(failed ? [.failed] : [.done, .failed], olderThanSeconds: seconds).filter {
          geteuid() == 0 || $0.status?.uid == geteuid()
        }
      }
      for job in found {
        try client.ask(.prune, of: job)
        print("\(job.id): pruned")
      }
    }
  }
}
