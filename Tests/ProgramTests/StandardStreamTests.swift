import Foundation
import TestSupport
import Testing

@Suite("Where stdout or stderr cannot be written")
struct StandardStreamTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Runs a program through a shell, which makes its descriptors.
  private func shell(_ program: String, _ arguments: String) throws -> Programs.Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "\"\(Programs.path(program))\" \(arguments)"]
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    let (output, errors) = (Pipe(), Pipe())
    (process.standardOutput, process.standardError) = (output, errors)
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let printed = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let isSignal = process.terminationReason == .uncaughtSignal
    return Programs.Outcome(
      status: process.terminationStatus + (isSignal ? 128 : 0), output: printed, errors: text)
  }

  @Test("an error line that is lost changes no status, and nothing traps")
  func errors() throws {
    for stream in ["2>/dev/full", "2>&-", "2>&- >&-"] {
      #expect(try shell("sidctl", "status nothing --spool \(folder.file("none")) \(stream)").status == 66, "\(stream)")
      #expect(try shell("sid-spoold", "--spool /proc/none/x \(stream)").status != 132, "\(stream)")
      #expect(try shell("sid-convert", "list missing.pkl \(stream)").status == 66, "\(stream)")
    }
  }

  @Test("the daemon goes on, and stops as ever")
  func daemon() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try spool.drop("job: one\nsteps:\n  - convert: { source: teacher.pkl }\n")
    let arguments = spool.daemonArguments.map { "'\($0)'" }.joined(separator: " ")
    for stream in ["2>/dev/full", "2>&-", "2>&1 >/dev/full | true"] {
      #expect(try shell("sid-spoold", arguments + " --exit-when-idle " + stream).status == 0, "\(stream)")
    }
    #expect(spool.jobs("done").count == 1)
  }

  @Test("output that is lost counts as not done, help too")
  func output() throws {
    let network = Fixtures.path("golden/checkpoints/edm_ddpmpp_cond.pkl")
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    for (program, arguments) in [
      ("sid-convert", "list '\(network)'"), ("sidctl", "status --spool '\(spool.spool)'"),
      ("sidctl", "check --spool '\(spool.spool)'"), ("sid-sample", "--help"), ("sid-spoold", "--version"),
    ] {
      let full = try shell(program, arguments + " >/dev/full")
      #expect(full.status == 74 && full.errors.hasPrefix("\(program): standard output: cannot write: "), "\(full)")
      #expect(try shell(program, arguments + " >&-").status == 74, "\(program)")
      #expect(try [0, 1].contains(shell(program, arguments).status), "the control")
    }
  }

  @Test("a reader that is gone is an error, no death by a signal")
  func pipe() throws {
    let network = Fixtures.path("golden/checkpoints/edm_ddpmpp_cond.pkl")
    let outcome = try shell("sid-convert", "list '\(network)' | true; echo done")
    #expect(outcome.output == "done\n" && !outcome.errors.contains("signal"))
    let status = try shell("sid-convert", "list '\(network)' 2>status.txt | sleep 0; sleep 0.3; cat status.txt >&2")
    #expect(status.errors.isEmpty || status.errors.contains("Broken pipe"), "\(status.errors)")
  }

  @Test("a closed descriptor is not taken by an output, which progress would be written to")
  func closedDescriptors() throws {
    let network = Fixtures.path("golden/checkpoints/edm_ddpmpp_cond.pkl")
    #expect(try shell("sid-convert", "'\(network)' --output whole.h5").status == 0)
    #expect(try shell("sid-convert", "'\(network)' --output closed.h5 <&- >&- 2>&-").status == 0)
    let files = try ["whole.h5", "closed.h5"].map { try Data(contentsOf: URL(fileURLWithPath: folder.file($0))) }
    #expect(files[0] == files[1])
  }
}
