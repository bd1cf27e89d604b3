import JobFolder
import ArgumentParser
import Diagnostics
import Foundation
import Spool
import Stage

struct Log: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print what a job's steps said.",
    discussion:
      "Without --step: the step at work, or the one that failed, or the last one. Exit status: 0; 66 no such job or log."
  )

  @Argument(help: ArgumentHelp("A job's ID, reference (NAME-7f3a) or name: the last of that name.", valueName: "job"))
  var job: String

  @Option(help: ArgumentHelp("The step.", valueName: "step"))
  var step: String?

  @Flag(name: .shortAndLong, help: "Go on printing while the job is being run.")
  var follow = false

  @OptionGroup var location: SpoolOption

  func run() throws {
    try SidControl.run {
      try location.client().log(job, step: step, follow: follow) { try StandardOutput.write(Array($0)) }
    }
  }
}

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare every file of a finished job with its checksum.",
    discussion: """
      What the steps have promised is in their records, NAME.json; a file that one names and that is missing is a problem. \
      SHA256SUMS of the job's folder, which sha256sum -c reads as well, has the rest. sid-sample verify looks deeper into an \
      archive. Exit status: 0 all is as it was; 65 something is not; 66 no such job, or it is not finished.
      """)

  @Argument(help: ArgumentHelp("A job's ID, reference (NAME-7f3a) or name: the last of that name.", valueName: "job"))
  var job: String

  @OptionGroup var location: SpoolOption

  func run() throws {
    try SidControl.run {
      let client = try location.client()
      let found = try client.job(job)
      let problems = try client.verify(found) { print($0) }
      if problems > 0 {
        throw Failure(
          .dataError, found.id.description, "\(problems) files are not what they were",
          remedy: "sidctl retry --from STEP makes them again")
      }
    }
  }
}

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Look for what is wrong with a spool: daemon, permissions, jobs, missing and leftover files, clock, disk.",
    discussion: "Exit status: 0 nothing is; 1 something is a problem; 66 no such spool.")

  @OptionGroup var location: SpoolOption

  func run() throws {
    try SidControl.run {
      let audit = SpoolAudit(try location.client().root)
      for finding in audit.findings { print("\(finding.grade.rawValue): \(finding.text)") }
      if !audit.isSound { throw ExitCode(1) }
    }
  }
}

/// What the kernel of a machine has that confines stages; jobs of Slurm ask on the machine they run on.
struct MachineFacts: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "machine", abstract: "Print what this machine's kernel has that confines stages.", shouldDisplay: false
  )

  func run() throws { print(SlurmMachines.own) }
}

/// The last step of every job, run by the daemon in the job's folder.
struct Seal: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write the checksums of the outputs in this folder.", shouldDisplay: false)

  @Option(name: .customLong("progress-fd"))
  var progressDescriptor: Int32?

  func run() throws {
    StageProgram.run("sidctl", on: Checksums.name) {
      try Checksums.publish(in: FileManager.default.currentDirectoryPath) { done, total in
        guard let progressDescriptor else { return }
        let line = Array("{\"stage\":\"checksums\",\"done\":\(done),\"total\":\(total),\"unit\":\"bytes\"}\n".utf8)
        _ = write(progressDescriptor, line, line.count)
      }
    }
  }
}
