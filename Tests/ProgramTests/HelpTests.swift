import Foundation
import TestSupport
import Testing

@Suite("The help of every program")
struct HelpTests {
  static let commands = [
    ["sid-bench"], ["sid-convert"], ["sid-convert", "convert"], ["sid-convert", "dataset"], ["sid-convert", "list"],
    ["sid-convert", "verify"],
    ["sid-train"], ["sid-train", "train"], ["sid-train", "verify"],
    ["sid-distill"], ["sid-distill", "distill"], ["sid-distill", "verify"],
    ["sid-sample"], ["sid-sample", "sample"], ["sid-sample", "merge"], ["sid-sample", "verify"],
    ["sid-sample", "export"],
    ["sid-report"], ["sid-score"],
    ["sid-score", "score"], ["sid-score", "reference"], ["sid-score", "merge"], ["sid-spoold"], ["sidctl"],
    ["sidctl", "submit"],
    ["sidctl", "status"],
    ["sidctl", "watch"], ["sidctl", "log"], ["sidctl", "hold"], ["sidctl", "release"], ["sidctl", "cancel"],
    ["sidctl", "retry"], ["sidctl", "prune"], ["sidctl", "verify"], ["sidctl", "check"],
  ]

  @Test("is the snapshot", arguments: commands)
  func matchesSnapshot(command: [String]) throws {
    // The width of the help and the default spool come from the environment.
    let outcome = try Programs.run(
      command[0], command.dropFirst() + ["--help"], environment: ["COLUMNS": "80", "SID_SPOOL": "/var/spool/sid"])
    #expect(outcome.status == 0)
    let path = Fixtures.path("help/\(command.joined(separator: "-")).txt")
    if ProcessInfo.processInfo.environment["SID_RECORD_SNAPSHOTS"] != nil {
      try Data(outcome.output.utf8).write(to: URL(fileURLWithPath: path))
    }
    let snapshot = try? String(contentsOfFile: path, encoding: .utf8)
    #expect(outcome.output == snapshot, "SID_RECORD_SNAPSHOTS=1 swift test records a change that is meant")
  }
}
