import ArgumentParser
import CLinux
import Diagnostics
import Files
import Foundation
import Processor

/// The frame of a stage program: what happens before and after its own work.
public enum StageProgram {
  /// Runs the work of a stage and ends the process with its exit status.
  ///
  /// Checks the processor, takes the stop signals, dies with the daemon where `SID_PARENT_PID` names it, and is confined to
  /// the input roots and the folder it runs in where `SID_INPUT_ROOTS` names them. An error becomes one line on stderr, `PROGRAM: FILE: PROBLEM; REMEDY`.
  /// - Parameters:
  ///   - program: the program's name, for example "sid-sample".
  ///   - subject: what it makes or looks at, which a stop leaves unfinished.
  ///   - options: the common options as parsed.
  ///   - outputs: everything that the user names to be written; looked at before the work, of a dry run the names alone.
  ///   - environment: says what has to stand in the environment before the program's libraries are loaded; where that is
  ///     anything, the program starts itself again.
  ///   - profile: what its confinement leaves open.
  ///   - body: the work. A `Failure` it throws decides the exit status; `Interrupted` counts as stopped (75), any other error
  ///     as a defect (70).
  public static func run(
    _ program: String, on subject: String, options: StageOptions, writing outputs: [OutputPlace],
    needing environment: () throws -> [String: String] = { [:] },
    confinedAs profile: () throws -> StageProfile = { .alone }, body: (StageContext) throws -> Void
  ) -> Never {
    run(program, on: subject, needing: environment, confinedAs: profile) {
      for output in outputs { try options.dryRun ? output.requireName() : output.require() }
      try body(StageContext(program: program, options: options))
    }
  }

  /// The same for a program that computes but is no stage of a job and has options of its own.
  public static func run(
    _ program: String, on subject: String, needing environment: () throws -> [String: String] = { [:] },
    confinedAs profile: () throws -> StageProfile = { .alone }, body: () throws -> Void
  ) -> Never {
    do {
      try prepare(program, needing: environment, confinedAs: profile)
      try body()
      try StandardOutput.check()
    } catch {
      let failure = Self.failure(from: error, on: subject)
      if !failure.isTold { StandardError.write("\(program): \(failure)\n") }
      end(failure.status)
    }
    end(.success)
  }

  /// Ends the process without what libraries do at exit: a thread that still works, as at a digest that nobody waits for any
  /// more, would find them taken down under it and crash. Every file was closed by whoever wrote it.
  private static func end(_ status: ExitStatus) -> Never {
    fflush(nil)
    _exit(status.rawValue)
  }

  private static func prepare(
    _ program: String, needing wanted: () throws -> [String: String], confinedAs profile: () throws -> StageProfile
  ) throws {
    let environment = ProcessInfo.processInfo.environment
    _ = try InstructionSet.chosen(environment)
    StopRequest.installHandlers()
    try ProgramArguments.requireText()
    let missing = try wanted()
    if !missing.isEmpty { try StartAgain.now(with: missing) }
    // A program that started itself again is called after the link by which it did.
    sid_name_thread(program)
    try StageConfinement.enter(environment, profile(), program: program)
    if let text = environment["SID_PARENT_PID"] {
      guard let pid = Int32(text), pid > 0 else {
        throw Failure(.usage, "SID_PARENT_PID", "a process id was expected, found \"\(text)\"")
      }
      guard StopRequest.follow(parent: pid) else {
        throw Failure(.temporaryFailure, "process \(pid)", "the daemon that started this stage is gone")
      }
    }
  }

  private static func failure(from error: any Error, on subject: String) -> Failure {
    switch error {
    case let failure as Failure: failure
    case is Interrupted: StopRequest.failure(subject)
    case let error as CocoaError where error.code == .fileWriteOutOfSpace:
      Failure(.temporaryFailure, "disk", "no space left", remedy: "free some space and run it again")
    default: Failure(.software, "internal error", String(describing: error), remedy: "please report this")
    }
  }
}

/// What the frame hands to the work of a stage.
public struct StageContext: Sendable {
  /// The program's name.
  public let program: String
  /// The common options.
  public let options: StageOptions
  /// Whether another process tells the user what this one has to say, too.
  public var isMuted = false

  /// Worker threads to use: `--threads`, or every core this process may use.
  public var threads: Int { options.threads ?? Machine.availableThreads }

  /// A reporter for one piece of work.
  /// - Parameters:
  ///   - stage: what the piece of work is called, for example "sample".
  ///   - total: how many units it has.
  ///   - unit: what is counted, in the plural: "images".
  ///   - alreadyDone: units that an earlier run has done; they do not count for the rate.
  public func progress(_ stage: String, total: Int, unit: String, alreadyDone: Int = 0) -> ProgressReporter {
    ProgressReporter(stage: stage, total: total, unit: unit, alreadyDone: alreadyDone, options: options)
  }

  /// Writes one line for the user to stderr: `PROGRAM: TEXT`.
  public func note(_ text: String) {
    if !isMuted { StandardError.write("\(program): \(text)\n") }
  }
}
