import Foundation
import TestSupport
import Testing

/// What would stop a stage at its end stops it at its beginning: none of these has inputs that exist.
@Suite("Every stage program looks at its output's place first")
struct OutputPlaceProgramTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A command line of every program that writes, with a place for the output's name.
  static let commands: [(program: String, arguments: [String])] = [
    ("sid-convert", ["none.pkl", "--output", "OUTPUT"]),
    ("sid-convert", ["none.pkl", "--to", "torch", "--output", "OUTPUT"]),
    ("sid-train", ["--dataset", "none.zip", "--state", "state.h5", "--output", "OUTPUT"]),
    ("sid-train", ["--dataset", "none.zip", "--output", "out.h5", "--state", "OUTPUT"]),
    ("sid-distill", ["--teacher", "none.h5", "--state", "state.h5", "--output", "OUTPUT"]),
    ("sid-distill", ["--teacher", "none.h5", "--output", "out.h5", "--state", "OUTPUT"]),
    ("sid-sample", ["--network", "none.h5", "--seeds", "0-3", "--output", "OUTPUT"]),
    ("sid-sample", ["export", "none.h5", "--to", "npz", "--output", "OUTPUT"]),
    ("sid-sample", ["merge", "OUTPUT"]),
    ("sid-score", ["--samples", "none.h5", "--reference", "none.h5", "--features", "none.h5", "--output", "OUTPUT"]),
    ("sid-score", ["reference", "--dataset", "none.zip", "--features", "none.h5", "--output", "OUTPUT"]),
    ("sid-score", ["merge", "none.h5", "--output", "OUTPUT"]),
    ("sid-bench", ["--network", "digits", "--work", "sample", "--write-network", "OUTPUT"]),
  ]

  func run(_ index: Int, _ output: String, _ more: [String]) throws -> Programs.Outcome {
    let (program, arguments) = Self.commands[index]
    return try Programs.run(
      program, arguments.map { $0 == "OUTPUT" ? output : $0 } + (program == "sid-bench" ? [] : more),
      folder: folder.path)
  }

  @Test("An empty name is a wrong command line, of a dry run as well", arguments: commands.indices)
  func emptyName(index: Int) throws {
    for more in [[], ["--overwrite"], ["--dry-run"]] {
      let outcome = try run(index, "", more)
      #expect(outcome.status == 64 && outcome.errors.contains("empty"), "\(Self.commands[index]): \(outcome.errors)")
    }
  }

  @Test("A dangling link, a folder and a missing folder are named before anything is read", arguments: commands.indices)
  func inTheWay(index: Int) throws {
    symlink("nowhere", folder.file("dangling.h5"))
    mkdir(folder.file("folder.h5"), 0o755)
    for (output, says) in [
      ("dangling.h5", "symbolic link"), ("folder.h5", "folder is in the way"), ("none/x.h5", "folder does not exist"),
    ] {
      for more in [[], ["--overwrite"]] {
        let outcome = try run(index, output, more)
        #expect(outcome.status == 73, "\(Self.commands[index]): \(outcome.errors)")
        #expect(outcome.errors.contains(says) && outcome.errors.contains(output), "\(outcome.errors)")
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["dangling.h5", "folder.h5"])
  }

  @Test("sid-report, whose page has a name of its own, and the exports of sid-sample")
  func others() throws {
    symlink("nowhere", folder.file("dangling.html"))
    symlink("nowhere", folder.file("a-png"))
    func status(_ program: String, _ arguments: [String]) throws -> Int32 {
      try Programs.run(program, arguments, folder: folder.path).status
    }
    #expect(try status("sid-report", ["--job", "none", "--output", ""]) == 64)
    #expect(try status("sid-report", ["--job", "none", "--output", "dangling.html", "--overwrite"]) == 73)
    #expect(
      try status("sid-sample", ["--network", "none.h5", "--seeds", "0", "--output", "a.h5", "--export", "png"]) == 73)
    #expect(try status("sid-sample", ["export", "a.h5", "--to", "png", "--overwrite"]) == 73)
    #expect(try status("sid-sample", ["export", "a.h5", "--to", "npz"]) == 66)
  }
}
