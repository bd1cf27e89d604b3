import Foundation
import TestSupport
import Testing

/// What a stage of a job can open, whatever its inputs turn out to be.
@Suite("Stages are confined to the input roots and their job's folder")
struct ConfinementTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for name in ["inputs", "outside", "job", "tmp"] {
      try FileManager.default.createDirectory(atPath: folder.file(name), withIntermediateDirectories: false)
    }
    try writeNetwork(try loadNetwork("golden/checkpoints/edm_ddpmpp_cond.pkl"), folder.file("inputs/network.h5"))
    try FileManager.default.copyItem(
      atPath: folder.file("inputs/network.h5"), toPath: folder.file("outside/network.h5"))
    try FileManager.default.createSymbolicLink(atPath: folder.file("link"), withDestinationPath: "/")
    // What a swapped folder or file looks like to a stage that was handed a checked path.
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("inputs/swapped"), withDestinationPath: folder.file("outside"))
  }

  /// Runs `sid-sample` in the job's folder as the daemon does.
  private func sample(
    _ network: String, output: String = "a.h5", roots: String? = nil, isConfined: Bool = true
  ) throws -> Programs.Outcome {
    var environment = ["TMPDIR": folder.file("tmp")]
    if isConfined { environment["SID_INPUT_ROOTS"] = roots ?? "[\"\(folder.file("inputs"))\"]" }
    return try Programs.run(
      "sid-sample", ["--network", folder.file(network), "--seeds", "0-3", "--output", output],
      environment: environment, folder: folder.file("job"))
  }

  @Test("An input in a root is read, the output stands in the job's folder")
  func works() throws {
    let outcome = try sample("inputs/network.h5")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(FileManager.default.fileExists(atPath: folder.file("job/a.h5")))
  }

  @Test("A path that has come to lead out of the roots is not opened")
  func inputs() throws {
    for path in ["inputs/swapped/network.h5", "outside/network.h5"] {
      let outcome = try sample(path)
      #expect(outcome.status != 0)
      #expect(
        outcome.errors.contains("network.h5: cannot") && outcome.errors.contains("Permission denied"), "\(outcome)")
      // The control: nothing else is wrong with it.
      #expect(try sample(path, isConfined: false).status == 0)
    }
  }

  @Test("What libdispatch reads of its threads is readable, another process's own is not")
  func processes() throws {
    // A thread is to Landlock what another process is: its files under /proc/TID are no part of /proc/self.
    for name in ["stat", "status"] {
      let outcome = try sample("link/proc/1/\(name)")
      #expect(outcome.status != 0 && !outcome.errors.contains("Permission denied"), "\(outcome)")
    }
    for name in ["environ", "maps", "mem"] {
      let outcome = try sample("link/proc/\(getpid())/\(name)")
      #expect(outcome.status == 66 && outcome.errors.contains("Permission denied"), "\(outcome)")
    }
  }

  @Test("Nothing is written outside the job's folder")
  func outputs() throws {
    for path in ["outside/a.h5", "inputs/a.h5"] {
      let outcome = try sample("inputs/network.h5", output: folder.file(path))
      #expect(outcome.status == 73, "\(outcome)")
      #expect(!FileManager.default.fileExists(atPath: folder.file(path)))
    }
  }

  @Test("Other folders stay closed though TMPDIR says otherwise, and a name of one character is a name")
  func temporary() throws {
    var environment = ["SID_INPUT_ROOTS": "[\"\(folder.file("inputs"))\"]"]
    for temporary in ["", "/"] {
      environment["TMPDIR"] = temporary
      let outcome = try Programs.run(
        "sid-sample", ["--network", folder.file("outside/network.h5"), "--seeds", "0-3", "--output", "x"],
        environment: environment, folder: folder.file("job"))
      #expect(outcome.status == 66 && outcome.errors.contains("Permission denied"), "\(outcome)")
    }
    let outcome = try Programs.run(
      "sid-sample", ["--network", folder.file("inputs/network.h5"), "--seeds", "0-3", "--output", "x"],
      environment: environment, folder: folder.file("job"))
    #expect(outcome.status == 0 && FileManager.default.fileExists(atPath: folder.file("job/x")), "\(outcome)")
  }

  @Test("Roots that are no list stop the stage")
  func malformed() throws {
    let outcome = try sample("inputs/network.h5", roots: folder.file("inputs"))
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains("SID_INPUT_ROOTS: a JSON array of folders was expected"))
  }
}
