import Diagnostics
import Foundation
import Spool
import TestSupport
import Testing

@Suite("spoold.yaml")
struct ConfigurationTests {
  @Test(
    "that says nothing leaves everything as it is",
    arguments: ["", "# a comment\n", "   \n# a\n\t\n  # b\n", "\u{FEFF}\n"])
  func nothing(text: String) throws {
    let folder = try TemporaryFolder()
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.file("spoold.yaml")))
    #expect(try DaemonOptions(configuration: folder.file("spoold.yaml")).spool == "/var/spool/sid")
  }
}
