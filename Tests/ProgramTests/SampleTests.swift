import Diagnostics
import Foundation
import HDF5
import TestSupport
import Testing

/// `sid-sample` as a user runs it.
@Suite("sid-sample")
struct SampleTests {
  let folder: TemporaryFolder
  let network: String

  init() throws {
    folder = try TemporaryFolder()
    network = folder.file("network.h5")
    try writeNetwork(try loadNetwork("golden/checkpoints/edm_ddpmpp_cond.pkl"), network)
  }

  private func sample(_ arguments: [String]) throws -> Programs.Outcome {
    try Programs.run("sid-sample", ["--network", network] + arguments)
  }

  private func images(_ name: String) throws -> [UInt8] {
    try HDF5File.open(folder.file(name)).root.dataset("images").read(UInt8.self)
  }

  /// Starts the program and waits until its parts folder holds `parts` finished parts.
  private func start(_ arguments: [String], untilParts parts: Int) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Programs.path("sid-sample"))
    process.arguments = ["--network", network] + arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    let deadline = Date(timeIntervalSinceNow: 120)
    while process.isRunning, Date() < deadline {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.file(".a.parts"))) ?? []
      if names.count(where: { $0.hasSuffix(".h5") }) >= parts { break }
      usleep(2000)
    }
    return process
  }

  @Test(
    "The official one-step images of the recorded networks and classes, by exact and by default kernels",
    arguments: [
      ("edm_ddpmpp_uncond", "edm_ddpmpp_uncond", []), ("edm_ddpmpp_cond", "edm_ddpmpp_cond", []),
      ("edm_ddpmpp_cond_class3", "edm_ddpmpp_cond", ["--class", "3"]), ("sida_snapshot", "sida_snapshot", []),
    ], ["exact", "fast"])
  func officialVectors(_ c: (name: String, checkpoint: String, arguments: [String]), kernels: String) throws {
    try writeNetwork(try loadNetwork("golden/checkpoints/\(c.checkpoint).pkl"), network)
    let recorded = try Recorded("golden/onestep/\(c.name).h5")
    let seeds = try recorded.numbers("seeds").map { "\(Int($0))" }.joined(separator: ",")
    let outcome = try sample(
      ["--seeds", seeds, "--output", folder.file("a.h5"), "--kernels", kernels] + c.arguments)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let expected = try recorded.root.dataset("images_uint8_nhwc").read(UInt8.self)
    let differences = zip(try images("a.h5"), expected).map { abs(Int($0) - Int($1)) }
    #expect(differences.count == expected.count && differences.allSatisfy { $0 <= 1 })
    #expect(differences.count { $0 != 0 } * 1000 <= expected.count * (kernels == "exact" ? 1 : 5))
  }

  @Test("The official one-step images come out, with labels, seeds, contact sheet and summary")
  func official() throws {
    let outcome = try sample(["--seeds", "0-15", "--output", folder.file("a.h5"), "--batch", "5"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let recorded = try Recorded("golden/onestep/edm_ddpmpp_cond.h5")
    let expected = try recorded.root.dataset("images_uint8_nhwc").read(UInt8.self)
    let differences = zip(try images("a.h5"), expected).map { abs(Int($0) - Int($1)) }
    #expect(differences.count == expected.count && differences.allSatisfy { $0 <= 1 })
    #expect(differences.count { $0 != 0 } * 1000 <= expected.count)
    let file = try HDF5File.open(folder.file("a.h5"))
    try file.requireFormat(HDF5Format("sid-samples"))
    #expect(try file.root.stringAttribute("created_by").hasPrefix("sid-sample "))
    #expect(
      try file.root.dataset("labels").read(Int64.self) == recorded.root.dataset("class_index_drawn").read(Int64.self))
    #expect(try file.root.dataset("seeds").read(UInt64.self) == Array(0..<16))
    let summary = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: folder.file("a.json"))))
    let figures = try #require((summary as? [String: Any])?["figures"] as? [String: String])
    #expect(figures == ["archive": "a.h5", "contact_sheet": "a.png"])
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(Set(names) == ["network.h5", "a.h5", "a.json", "a.manifest.json", "a.png"])
  }

  @Test("A finished archive is recognised; other options are refused with the difference; --overwrite makes it anew")
  func finishedOutput() throws {
    let output = folder.file("a.h5")
    #expect(try sample(["--seeds", "0-7", "--output", output]).status == 0)
    let before = try images("a.h5")
    let again = try sample(["--seeds", "0-3,4-7", "--output", output, "--batch", "3", "--threads", "1"])
    #expect(again.status == 0 && again.errors.contains("nothing to do"))
    let other = try sample(["--seeds", "0-7", "--class", "3", "--output", output])
    #expect(other.status == 73)
    #expect(other.errors.contains("--class was random and is now 3"))
    #expect(other.errors.split(separator: "\n").count == 1)
    #expect(try images("a.h5") == before)
    #expect(try sample(["--seeds", "0-7", "--class", "3", "--output", output, "--overwrite"]).status == 0)
    #expect(try images("a.h5") != before)
  }

  @Test("Killed twice and run again, the archive is the same and finished parts are not made again")
  func killed() throws {
    let seeds = ["--seeds", "0-599"]
    #expect(try sample(seeds + ["--output", folder.file("whole.h5")]).status == 0)
    let arguments = seeds + ["--output", folder.file("a.h5"), "--checkpoint-images", "16"]
    for parts in [2, 5] {
      let process = try start(arguments, untilParts: parts)
      try #require(process.isRunning, "the run has to be killed before its end")
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      #expect(!FileManager.default.fileExists(atPath: folder.file("a.h5")))
    }
    let last = try sample(arguments)
    #expect(last.status == 0, "\(last.errors)")
    #expect(last.errors.contains("continues after "))
    #expect(try images("a.h5") == images("whole.h5"))
    #expect(!FileManager.default.fileExists(atPath: folder.file(".a.parts")))
  }

  @Test(
    "Every polite signal ends the batch in hand with status 75; the same command continues",
    arguments: PoliteSignals.all)
  func stopped(signal: Int32) throws {
    let seeds = ["--seeds", "0-599"]
    #expect(try sample(seeds + ["--output", folder.file("whole.h5")]).status == 0)
    let arguments = seeds + ["--output", folder.file("a.h5"), "--checkpoint-images", "16"]
    let process = try start(arguments, untilParts: 2)
    try #require(process.isRunning, "the run has to be stopped before its end")
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 75)
    #expect(!FileManager.default.fileExists(atPath: folder.file("a.h5")))
    let last = try sample(arguments)
    #expect(last.status == 0 && last.errors.contains("continues after "))
    #expect(try images("a.h5") == images("whole.h5"))
  }

  @Test("A stage dies with the process that started it")
  func orphaned() throws {
    let outcome = try Programs.run(
      "sid-sample", ["--network", network, "--seeds", "0-3", "--output", folder.file("a.h5")],
      environment: ["SID_PARENT_PID": "1"])
    #expect(outcome.status == 75)
    #expect(outcome.errors.contains("the daemon that started this stage is gone"))

    // A shell starts the stage in the background, names itself as the parent, and is killed.
    let arguments = "--seeds 0-9999 --output \(folder.file("a.h5")) --checkpoint-images 16"
    let script =
      "SID_PARENT_PID=$$ \(Programs.path("sid-sample")) --network \(network) \(arguments) 2>\(folder.file("errors")) "
      + "& echo $! >\(folder.file("pid")); wait"
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = ["-c", script]
    try shell.run()
    func isThere(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder.file(name)) }
    wait { isThere(".a.parts/000000000000-000000000016.h5") }
    kill(shell.processIdentifier, SIGKILL)
    shell.waitUntilExit()
    func errors() -> String { (try? String(contentsOfFile: folder.file("errors"), encoding: .utf8)) ?? "" }
    wait { errors().contains("stopped") }
    #expect(errors().contains("a.h5: stopped before it was finished"))
    #expect(!isThere("a.h5"))
  }

  private func wait(until condition: () -> Bool) {
    let deadline = Date(timeIntervalSinceNow: 60)
    while !condition(), Date() < deadline { usleep(5000) }
  }

  @Test(
    "What cannot be asked for is refused with one line",
    arguments: [
      (["--seeds", "0", "--class", "10"], 64, "classes 0 to 9"),
      (["--seeds", "0", "--network", "/nowhere/n.h5"], 66, "/nowhere/n.h5"),
    ])
  func refused(arguments: [String], status: Int32, says: String) throws {
    var complete = ["--output", folder.file("a.h5")] + arguments
    if !arguments.contains("--network") { complete += ["--network", network] }
    let outcome = try Programs.run("sid-sample", complete)
    #expect(outcome.status == status)
    #expect(outcome.errors.hasPrefix("sid-sample: ") && outcome.errors.contains(says))
    #expect(outcome.errors.split(separator: "\n").count == 1)
    #expect(!FileManager.default.fileExists(atPath: folder.file("a.h5")))
  }

  @Test(
    "An unknown option or value is a usage error",
    arguments: [
      (["--sed", "1"], "Unknown option '--sed'"), (["--steps", "1"], "expected a whole number from 2 to 10000"),
      (["--sampler", "huen"], "expected one of one-step, heun; did you mean \"heun\"?"),
      (["--seeds", "5-1"], "\"5-1\" runs backwards"),
      (["--seeds", "4294967296"], "has seed 4294967296, above 4294967295, the largest of the rng torch-cpu"),
    ])
  func usage(arguments: [String], says: String) throws {
    let seeds = arguments.contains("--seeds") ? [] : ["--seeds", "0"]
    let outcome = try sample(seeds + ["--output", folder.file("a.h5")] + arguments)
    #expect(outcome.status == 64 && outcome.errors.contains(says), "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: folder.file("a.h5")))
  }

  @Test("A dry run prints the figures and makes nothing")
  func dryRun() throws {
    let outcome = try sample(["--seeds", "0-49999", "--sampler", "heun", "--output", folder.file("a.h5"), "--dry-run"])
    #expect(outcome.status == 0)
    for text in ["50000 images, 35 evaluations each", "FLOPs", "peak memory", "disk", "hours"] {
      #expect(outcome.output.contains(text), "\(outcome.output)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["network.h5"])
  }

  @Test("Progress goes to the descriptor as JSON lines")
  func progress() throws {
    let script =
      "exec \(Programs.path("sid-sample")) --network \(network) --seeds 0-31 --output \(folder.file("a.h5")) "
      + "--batch 8 --progress-fd 3 3>\(folder.file("progress")) 2>/dev/null"
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = ["-c", script]
    try shell.run()
    shell.waitUntilExit()
    #expect(shell.terminationStatus == 0)
    let lines = try String(contentsOfFile: folder.file("progress"), encoding: .utf8).split(separator: "\n")
    let last = try JSONSerialization.jsonObject(with: Data(try #require(lines.last).utf8)) as? [String: Any]
    #expect(last?["stage"] as? String == "sample")
    #expect(last?["done"] as? Int == 32 && last?["total"] as? Int == 32)
  }

  @Test("The version is the package's")
  func version() throws {
    #expect(try Programs.run("sid-sample", ["--version"]).output == "sid-sample 0.1.0\n")
  }
}
