import Foundation
import HDF5
import TestSupport
import Testing

/// Archives of shards, as a user makes, closes, checks and converts them.
@Suite("sid-sample: archives")
struct ArchiveTests {
  let folder: TemporaryFolder
  let network: String

  init() throws {
    folder = try TemporaryFolder()
    network = folder.file("network.h5")
    try writeNetwork(try loadNetworkFile(Fixtures.digits("teacher.pkl")), network)
  }

  @discardableResult
  private func sample(_ seeds: String, _ output: String, _ arguments: [String] = [], status: Int32 = 0) throws
    -> Programs.Outcome
  {
    let outcome = try Programs.run(
      "sid-sample", ["--network", network, "--seeds", seeds, "--output", folder.file(output)] + arguments)
    #expect(outcome.status == status, "\(outcome.errors)")
    return outcome
  }

  private func run(_ arguments: [String], status: Int32 = 0) throws -> Programs.Outcome {
    let outcome = try Programs.run("sid-sample", arguments)
    #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
    return outcome
  }

  private func images(_ name: String) throws -> [UInt8] {
    try HDF5File.open(folder.file(name)).root.dataset("images").read(UInt8.self)
  }

  /// Starts a run, kills it after some milliseconds, and says whether it was still running.
  @discardableResult
  private func killed(_ seeds: String, _ output: String, _ arguments: [String], milliseconds: Int) throws -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Programs.path("sid-sample"))
    process.arguments = ["--network", network, "--seeds", seeds, "--output", folder.file(output)] + arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    let deadline = Date(timeIntervalSinceNow: Double(milliseconds) / 1000)
    while process.isRunning, Date() < deadline { usleep(500) }
    let wasRunning = process.isRunning
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    return wasRunning
  }

  @Test("The bytes are the same for every batch, thread count, shard size, history and order of seeds")
  func identity() throws {
    try sample("0-299", "a.h5")
    let expected = try images("a.h5")
    for (index, arguments) in [
      ["--batch", "1", "--threads", "1"], ["--batch", "7", "--threads", "2"], ["--batch", "64", "--threads", "1"],
      ["--batch", "7", "--shard-size", "10"], ["--batch", "64", "--threads", "2", "--shard-size", "1000"],
    ].enumerated() {
      try sample("0-299", "b\(index).h5", arguments)
      #expect(try images("b\(index).h5") == expected, "\(arguments)")
    }
    for milliseconds in [40, 90, 140] {
      try killed("0-299", "c.h5", ["--shard-size", "10", "--batch", "4"], milliseconds: milliseconds)
    }
    try sample("0-299", "c.h5", ["--shard-size", "10", "--batch", "4"])
    #expect(try images("c.h5") == expected)
    try sample((0..<300).reversed().map(String.init).joined(separator: ","), "d.h5", ["--shard-size", "1000"])
    let size = expected.count / 300
    let reversed = try images("d.h5")
    #expect(
      (0..<300).allSatisfy { reversed[$0 * size..<($0 + 1) * size] == expected[(299 - $0) * size..<(300 - $0) * size] })
  }

  @Test("Killed at 50 random moments, one run more makes it complete, verified and identical")
  func killedOften() throws {
    let arguments = ["--shard-size", "400", "--checkpoint-images", "50", "--batch", "25"]
    try sample("0-4999", "whole.h5")
    var random = SystemRandomNumberGenerator()
    var kills = 0
    for _ in 0..<50 {
      // A run that ended before it was killed has made the archive: begin anew, so that every kill hits work.
      if FileManager.default.fileExists(atPath: folder.file("a.h5")) {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasPrefix("a") {
          try FileManager.default.removeItem(atPath: folder.file(name))
        }
      }
      let milliseconds = Int.random(in: 1...250, using: &random)
      if try killed("0-4999", "a.h5", arguments, milliseconds: milliseconds) { kills += 1 }
    }
    #expect(kills >= 40)
    try sample("0-4999", "a.h5", arguments)
    // A removal of parts that was cut short after it had removed the lock.
    try FileManager.default.createDirectory(
      atPath: folder.file(".a-00001.parts"), withIntermediateDirectories: false)
    try Data("rest".utf8).write(to: URL(fileURLWithPath: folder.file(".a-00001.parts/rest")))
    try sample("0-4999", "a.h5", arguments)
    let verified = try run(["verify", folder.file("a.h5"), "--network", network])
    #expect(verified.output.contains("5000 images in 14 file(s), complete"))
    #expect(verified.output.contains("16 of them by this kernel set, equal to the byte"))
    #expect(try images("a.h5") == images("whole.h5"))
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(!names.contains { $0.hasPrefix(".a") || $0.hasSuffix(".partial") }, "\(names)")
  }

  @Test("Shares are closed by merge, which refuses gaps and mixtures")
  func merge() throws {
    try sample("0-99", "whole.h5")
    let first = try sample("0-99", "a.h5", ["--shard-size", "20", "--shards", "1/2"])
    #expect(first.errors.contains("share 1/2 is complete"))
    let gaps = try run(["merge", folder.file("a.h5")], status: 66)
    #expect(gaps.errors.contains("2 of 5 shards are missing: 1, 3"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("a.h5")))
    try sample("0-99", "a.h5", ["--shard-size", "20", "--shards", "2/2"])
    _ = try run(["merge", folder.file("a.h5")])
    #expect(try images("a.h5") == images("whole.h5"))
    #expect(try run(["merge", folder.file("a.h5")]).errors.contains("nothing to do"))
    _ = try run(["verify", folder.file("a.h5"), "--network", network, "--images", "5"])
    #expect(try sample("0-99", "a.h5", ["--shard-size", "20"]).errors.contains("nothing to do"))
    try sample("0-99", "a.h5", ["--shard-size", "50"], status: 73)

    try sample("0-39", "m.h5", ["--shard-size", "20", "--shards", "1/2"])
    try sample("0-39", "m.h5", ["--shard-size", "20", "--shards", "2/2", "--kernels", "exact"])
    // Another mode is another option; other machines differ in the kernel set alone.
    #expect(try run(["merge", folder.file("m.h5")], status: 65).errors.contains("--kernels"))
  }

  @Test("A changed archive and another network are found out")
  func verify() throws {
    try sample("0-99", "a.h5", ["--shard-size", "50"])
    let other = folder.file("other.h5")
    try writeNetwork(try loadNetwork("golden/checkpoints/edm_ddpmpp_cond.pkl"), other)
    #expect(
      try run(["verify", folder.file("a.h5"), "--network", other], status: 65).errors.contains("not the network"))
    let shard = URL(fileURLWithPath: folder.file("a-00001.h5"))
    var data = try Data(contentsOf: shard)
    data[data.count / 2] ^= 1
    try data.write(to: shard)
    #expect(try run(["verify", folder.file("a.h5")], status: 65).errors.contains("a-00001.h5: its SHA-256"))
    try FileManager.default.removeItem(at: shard)
    #expect(try run(["verify", folder.file("a.h5")], status: 66).errors.contains("a-00001.h5: no such file"))
    try sample("0-99", "a.h5", ["--shard-size", "50"])
    _ = try run(["verify", folder.file("a.h5"), "--network", network])
  }

  @Test(
    "Exports are recognised, refused in the way of something else, and made again when told", arguments: ["npz", "png"])
  func exports(format: String) throws {
    try sample("0-19", "a.h5", ["--export", format])
    let output = folder.file(format == "npz" ? "a.npz" : "a-png")
    #expect(FileManager.default.fileExists(atPath: output))
    let arguments = ["export", folder.file("a.h5"), "--to", format]
    #expect(try run(arguments).errors.contains("nothing to do"))
    let files = FileManager.default
    #expect(!files.fileExists(atPath: output + ".export.json.next"))
    // As a run leaves it that is killed when the output has its name, and has no record yet: of this output, or another.
    let record = try String(contentsOfFile: output + ".export.json", encoding: .utf8)
    let inode = try #require(files.attributesOfItem(atPath: output)[.systemFileNumber] as? Int)
    func leave(_ inode: Int) throws {
      try files.removeItem(atPath: output + ".export.json")
      try Data("\(record)inode \(inode)\n".utf8).write(to: URL(fileURLWithPath: output + ".export.json.next"))
    }
    try leave(inode)
    #expect(try run(arguments).errors.contains("nothing to do"))
    #expect(!files.fileExists(atPath: output + ".export.json.next"))
    try leave(inode + 1)
    #expect(try run(arguments, status: 73).errors.contains("--overwrite"))
    _ = try run(arguments + ["--overwrite"])
    #expect(try run(arguments).errors.contains("nothing to do"))
  }

  @Test(
    "Random numbers, classes and churn are options",
    arguments: [
      ["--rng", "philox", "--seeds", "18446744073709551000-18446744073709551003", "--class", "0,3,5-7"],
      ["--rng", "torch-cuda"], ["--sampler", "heun", "--steps", "4", "--s-churn", "20", "--s-noise", "1.003"],
      ["--rng", "philox", "--sampler", "heun", "--steps", "4", "--s-churn", "20", "--s-min", "0.05", "--s-max", "50"],
    ])
  func options(arguments: [String]) throws {
    let seeds = arguments.contains("--seeds") ? [] : ["--seeds", "0-3"]
    let common = ["--network", network, "--output"]
    _ = try run(common + [folder.file("a.h5")] + seeds + arguments)
    _ = try run(common + [folder.file("b.h5"), "--batch", "1"] + seeds + arguments)
    #expect(try images("a.h5") == images("b.h5"))
    _ = try run(["verify", folder.file("a.h5"), "--network", network])
  }

  @Test("A labels file decides over the classes, and is part of what an archive is made from")
  func labelsFile() throws {
    let labels = folder.file("labels.txt")
    try Data("3\n1\n4\n1\n5\n".utf8).write(to: URL(fileURLWithPath: labels))
    try sample("0-4", "a.h5", ["--labels-file", labels])
    #expect(try HDF5File.open(folder.file("a.h5")).root.dataset("labels").read(Int64.self) == [3, 1, 4, 1, 5])
    _ = try run(["verify", folder.file("a.h5"), "--network", network])
    try Data("3\n1\n4\n1\n6\n".utf8).write(to: URL(fileURLWithPath: labels))
    #expect(try sample("0-4", "a.h5", ["--labels-file", labels], status: 73).errors.contains("labels-file"))
    #expect(try sample("0-5", "b.h5", ["--labels-file", labels], status: 65).errors.contains("5 classes for 6 images"))
  }
}
