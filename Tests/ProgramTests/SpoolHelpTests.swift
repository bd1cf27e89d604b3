import Foundation
import TestSupport
import Testing

@Suite("The help of sid-spoold and sidctl")
struct SpoolHelpTests {
  private func help(_ program: String, _ arguments: [String]) throws -> String {
    // The width of the help and the default spool come from the environment.
    let outcome = try Programs.run(program, arguments, environment: ["COLUMNS": "80", "SID_SPOOL": "/var/spool/sid"])
    #expect(outcome.status == 0)
    return outcome.output
  }

  @Test(
    "is the snapshot",
    arguments: [
      ("sid-spoold", ["--help"]), ("sidctl", ["--help"]), ("sidctl", ["submit", "--help"]),
      ("sidctl", ["status", "--help"]),
      ("sidctl", ["watch", "--help"]),
    ])
  func matchesSnapshot(_ program: String, _ arguments: [String]) throws {
    let name = ([program] + arguments.filter { !$0.hasPrefix("-") }).joined(separator: "-")
    let path = Fixtures.path("help/\(name).txt")
    let help = try help(program, arguments)
    if ProcessInfo.processInfo.environment["SID_RECORD_SNAPSHOTS"] != nil {
      try FileManager.default.createDirectory(atPath: Fixtures.path("help"), withIntermediateDirectories: true)
      try Data(help.utf8).write(to: URL(fileURLWithPath: path))
    }
    let snapshot = try? String(contentsOfFile: path, encoding: .utf8)
    #expect(help == snapshot, "SID_RECORD_SNAPSHOTS=1 swift test records a change that is meant")
  }

  @Test("The daemon and its client link no numerics and no HDF5", arguments: ["sid-spoold", "sidctl"])
  func keepsTheWall(_ program: String) throws {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/ldd")
    process.arguments = [Programs.path(program)]
    process.standardOutput = pipe
    try process.run()
    let libraries = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(libraries.contains("libc.so"))
    for library in ["blas", "hdf5", "png", "archive"] { #expect(!libraries.contains(library)) }
  }
}
