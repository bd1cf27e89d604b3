import Diagnostics
import Foundation
import HDF5
import TestSupport
import Testing

@Suite("sid-distill", .serialized)
struct DistillTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try writeNetwork(try loadNetwork("golden/checkpoints/sid_b_teacher.pkl"), folder.file("teacher.h5"))
  }

  private func arguments(_ name: String, _ more: [String] = []) -> [String] {
    [
      "--teacher", folder.file("teacher.h5"), "--output", folder.file(name + ".h5"), "--state",
      folder.file(name + ".state.h5"), "--batch", "16", "--microbatch", "4", "--lr", "1e-4", "--glr", "1e-4",
      "--augment", "0.3", "--duration-kimg", "0.96",
    ] + more
  }

  private func parameters(_ name: String) throws -> [[Float]] {
    let group = try HDF5File.open(folder.file(name + ".h5")).root.group("parameters")
    return try group.names.map { try group.dataset($0).read(Float.self) }
  }

  private func exists(_ name: String) -> Bool { access(folder.file(name), F_OK) == 0 }

  @Test("Stopped and killed at any moment and run again, it publishes the same generator")
  func interrupted() throws {
    let whole = try Programs.run("sid-distill", arguments("whole"))
    #expect(whole.status == 0, "\(whole.errors)")
    var (stops, kills, ends) = (0, 0, 0)
    for round in 0..<40 where ends == 0 {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Programs.path("sid-distill"))
      process.arguments = arguments("parts", ["--state-kimg", "0.016", "--threads", round % 3 == 0 ? "1" : "2"])
      process.standardError = FileHandle.nullDevice
      try process.run()
      usleep(UInt32.random(in: 100_000...400_000))
      kill(process.processIdentifier, round % 2 == 0 ? PoliteSignals.all[round / 2 % PoliteSignals.all.count] : SIGKILL)
      process.waitUntilExit()
      switch (process.terminationReason, process.terminationStatus) {
      case (.exit, 75): stops += 1
      case (.uncaughtSignal, _): kills += 1
      case (.exit, 0): ends += 1
      default: Issue.record("round \(round) ended with \(process.terminationStatus)")
      }
      // A kill may come between the publication and the end of the process: what stands there is whole, then.
      if exists("parts.h5") {
        #expect(try parameters("parts") == parameters("whole"), "round \(round) published something else")
        break
      }
      #expect(ends == 0, "round \(round) ended well and published nothing")
    }
    let last = try Programs.run("sid-distill", arguments("parts"))
    #expect(last.status == 0, "\(last.errors)")
    #expect(stops > 0 && kills > 0, "\(stops) stops, \(kills) kills")
    #expect(try parameters("parts") == parameters("whole"))
  }

  @Test("Of two runs with one state one is sent away, and what the other leaves is as ever")
  func twoAtOnce() throws {
    let first = Process()
    first.executableURL = URL(fileURLWithPath: Programs.path("sid-distill"))
    first.arguments = arguments("one", ["--state-kimg", "0.016"])
    first.standardError = FileHandle.nullDevice
    try first.run()
    defer { first.terminate() }
    // Its first state shows that it has the lock: the lock's file stands there a moment before that. It cannot end while it
    // stands still.
    while first.isRunning && !exists("one.state.h5") { usleep(1000) }
    kill(first.processIdentifier, SIGSTOP)
    let second = try Programs.run("sid-distill", arguments("one"))
    #expect(second.status == 75 && second.errors.contains("another process is training into this state"), "\(second)")
    kill(first.processIdentifier, SIGCONT)
    first.waitUntilExit()
    #expect(first.terminationStatus == 0)
    #expect(try Programs.run("sid-distill", arguments("other")).status == 0)
    #expect(try parameters("one") == parameters("other"))
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(left.filter { $0.hasPrefix(".") }.isEmpty, "\(left)")
  }

  @Test("sid-sample says so where a generator is sampled as a teacher, and only there")
  func otherSampler() throws {
    try #require(Programs.run("sid-distill", arguments("g", ["--duration-kimg", "0.016"])).status == 0)
    for (sampler, isTold) in [(["one-step"], false), (["heun", "--steps", "2"], true)] {
      let outcome = try Programs.run(
        "sid-sample",
        ["--network", folder.file("g.h5"), "--seeds", "0", "--output", folder.file(sampler[0] + ".h5"), "--sampler"]
          + sampler)
      #expect(outcome.status == 0 && outcome.errors.contains("give --sampler one-step") == isTold, "\(outcome.errors)")
    }
  }

  @Test(
    "Adversarial training: killed at any moment and run again it publishes the same; it reads real images of its shape")
  func adversarial() throws {
    func adversarial(_ name: String, _ more: [String] = []) -> [String] {
      arguments(
        name,
        [
          "--adversarial", "--dataset", Fixtures.path("golden/dataset/tiny_rgb_8x8.zip"), "--generator-start-kimg",
          "0.1", "--adversarial-start-kimg", "0.3",
        ] + more)
    }
    let whole = try Programs.run("sid-distill", adversarial("whole"))
    #expect(whole.status == 0, "\(whole.errors)")
    var kills = 0
    for round in 0..<12 {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Programs.path("sid-distill"))
      process.arguments = adversarial("parts", ["--state-kimg", "0.016", "--threads", round % 2 == 0 ? "1" : "2"])
      process.standardError = FileHandle.nullDevice
      try process.run()
      usleep(UInt32.random(in: 150_000...700_000))
      kill(process.processIdentifier, round % 4 == 3 ? SIGTERM : SIGKILL)
      process.waitUntilExit()
      if process.terminationReason == .uncaughtSignal { kills += 1 }
    }
    let last = try Programs.run("sid-distill", adversarial("parts"))
    #expect(last.status == 0 && kills > 0, "\(kills) kills, \(last.errors)")
    #expect(try parameters("parts") == parameters("whole"))
    // Without the adversarial loss, or with another group, it is another run.
    #expect(try Programs.run("sid-distill", arguments("whole")).status == 73)
    let grouped = try Programs.run("sid-distill", adversarial("whole", ["--adversarial-group", "image"]))
    #expect(grouped.status == 73 && grouped.errors.contains("--adversarial-group was microbatch"), "\(grouped.errors)")
    // So it is with another clip, which tells in the weights.
    let unclipped = try Programs.run("sid-distill", adversarial("whole", ["--gradient-clip", "inf"]))
    #expect(unclipped.status == 73 && unclipped.errors.contains("--gradient-clip"), "\(unclipped.errors)")
    let clipped = try Programs.run("sid-distill", adversarial("clipped", ["--gradient-clip", "1e-4"]))
    #expect(clipped.status == 0, "\(clipped.errors)")
    #expect(try parameters("clipped") != parameters("whole"))
    // Where the adversarial loss never joins, it is said.
    let late = try Programs.run("sid-distill", adversarial("late", ["--duration-kimg", "0.2"]))
    #expect(late.status == 0 && late.errors.contains("learns from SiD's loss alone"), "\(late.errors)")
    let other = try Programs.run(
      "sid-distill", arguments("o", ["--adversarial", "--dataset", Fixtures.digits("digits-8x8.zip")]))
    #expect(other.status == 65 && other.errors.contains("its images are"), "\(other.errors)")
    for wrong in [["--adversarial"], ["--dataset", "d.zip"], ["--adversarial-group", "image"]] {
      #expect(try Programs.run("sid-distill", arguments("o", wrong)).status == 64, "\(wrong)")
    }
  }

  @Test("A generator that is given is what training starts from, in a run of its own; one that does not fit is refused")
  func initialGenerator() throws {
    #expect(try Programs.run("sid-distill", arguments("first")).status == 0)
    let first = try parameters("first")
    func second(_ name: String, _ generator: String, _ more: [String] = []) -> [String] {
      arguments(name, ["--initial-generator", generator] + more)
    }
    // The adversarial trainer's warm-up: the generator has not learned yet, and is the one that was given.
    let warm = try Programs.run(
      "sid-distill",
      second(
        "warm", folder.file("first.h5"),
        ["--adversarial", "--dataset", Fixtures.path("golden/dataset/tiny_rgb_8x8.zip"), "--duration-kimg", "0.064"]))
    #expect(warm.status == 0 && warm.errors.contains("the generator does not learn"), "\(warm.errors)")
    #expect(try parameters("warm") == first)
    let whole = try Programs.run("sid-distill", second("whole", folder.file("first.h5")))
    #expect(whole.status == 0, "\(whole.errors)")
    #expect(try parameters("whole") != first)
    // It is one of the inputs: another, or none, is another run.
    let other = try Programs.run("sid-distill", arguments("whole"))
    #expect(other.status == 73, "\(other.errors)")
    // Stopped and gone on with.
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Programs.path("sid-distill"))
    process.arguments = second("parts", folder.file("first.h5"), ["--state-kimg", "0.016"])
    process.standardError = FileHandle.nullDevice
    try process.run()
    while !exists("parts.state.h5"), process.isRunning { usleep(5000) }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    let last = try Programs.run("sid-distill", second("parts", folder.file("first.h5"), ["--state-kimg", "0.016"]))
    #expect(last.status == 0, "\(last.errors)")
    #expect(try parameters("parts") == parameters("whole"))
    try writeNetwork(try loadNetworkFile(Fixtures.digits("teacher.pkl")), folder.file("digits.h5"))
    let wrong = try Programs.run("sid-distill", second("wrong", folder.file("digits.h5")))
    #expect(wrong.status == 65 && wrong.errors.contains("another architecture"), "\(wrong.errors)")
    #expect(!exists("wrong.state.h5"))
  }

  @Test("A finished generator is recognised; one made otherwise is refused; --overwrite makes it again")
  func finished() throws {
    #expect(try Programs.run("sid-distill", arguments("g")).status == 0)
    let before = try parameters("g")
    let again = try Programs.run("sid-distill", arguments("g"))
    #expect(again.status == 0 && again.errors.contains("already made"))
    let other = try Programs.run("sid-distill", arguments("g", ["--alpha", "1.0"]))
    #expect(other.status == 73 && other.errors.contains("--alpha was 1.2 and is now 1.0"), "\(other.errors)")
    #expect(try Programs.run("sid-distill", arguments("g", ["--alpha", "1.0", "--overwrite"])).status == 0)
    #expect(try parameters("g") != before)
    let summary = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: folder.file("g.json"))))
    let figures = try #require((summary as? [String: Any])?["figures"] as? [String: Any])
    #expect(figures["distilled_kimg"] as? Double == 0.96)
  }

  @Test(
    "The fake score learns at the noise levels of --p-mean and --p-std; the published ones are the run without them",
    arguments: [("p-mean", "-1.2", "0.5"), ("p-std", "1.2", "2.0")])
  func noiseLevels(option: String, published: String, other: String) throws {
    #expect(try Programs.run("sid-distill", arguments("g", ["--\(option)", published])).status == 0)
    let before = try parameters("g")
    let again = try Programs.run("sid-distill", arguments("g"))
    #expect(again.status == 0 && again.errors.contains("already made"), "\(again.errors)")
    let refused = try Programs.run("sid-distill", arguments("g", ["--\(option)", other]))
    #expect(
      refused.status == 73 && refused.errors.contains("--\(option) was not given and is now \(other)"),
      "\(refused.errors)")
    #expect(try Programs.run("sid-distill", arguments("g", ["--\(option)", other, "--overwrite"])).status == 0)
    #expect(try parameters("g") != before)
  }

  @Test("A training state of another run, a damaged one and a missing teacher are refused, and nothing is published")
  func refusals() throws {
    let process = try Programs.run("sid-distill", arguments("g", ["--seed", "3"]))
    #expect(process.status == 0)
    unlink(folder.file("g.h5"))
    let shorter = try Programs.run("sid-distill", arguments("g", ["--seed", "3", "--duration-kimg", "0.5"]))
    #expect(shorter.status == 73 && shorter.errors.contains("--duration-kimg"), "\(shorter.errors)")
    let other = try Programs.run("sid-distill", arguments("g"))
    #expect(other.status == 73 && other.errors.contains("--seed was 3 and is now 0"), "\(other.errors)")
    try Data("no HDF5".utf8).write(to: URL(fileURLWithPath: folder.file("g.state.h5")))
    #expect(try Programs.run("sid-distill", arguments("g")).status == 65)
    unlink(folder.file("teacher.h5"))
    let missing = try Programs.run("sid-distill", arguments("g"))
    #expect(missing.status == 66 && missing.errors.split(separator: "\n").count == 1, "\(missing.errors)")
    #expect(!exists("g.h5"))
  }

  @Test(
    "Options that make no sense are refused by name",
    arguments: [
      (["--augment", "1.5"], "--augment"), (["--lr", "-1"], "above 0"), (["--batch", "0"], "--batch"),
      (["--evaluate"], "--evaluate"), (["--tmax", "2000"], "--tmax"), (["--lr-decay-final", "2"], "--lr-decay-final"),
      (["--snapshot-kimg", "0.5"], "--snapshot-kimg"),
    ])
  func options(more: [String], name: String) throws {
    let outcome = try Programs.run("sid-distill", arguments("g", more))
    #expect(outcome.status == 64 && outcome.errors.contains(name), "\(outcome.errors)")
    #expect(!exists("g.h5") && !exists("g.state.h5"))
  }

  @Test("A teacher without augmentation labels, of one channel: --augment is 0 there, and more is refused")
  func teacherWithoutAugmentation() throws {
    try writeNetwork(try loadNetworkFile(Fixtures.digits("teacher.pkl")), folder.file("teacher.h5"))
    func arguments(_ augment: [String]) -> [String] {
      [
        "--teacher", folder.file("teacher.h5"), "--output", folder.file("g.h5"), "--state", folder.file("g.state.h5"),
        "--batch", "4", "--duration-kimg", "0.004",
      ] + augment
    }
    let refused = try Programs.run("sid-distill", arguments(["--augment", "0.12"]))
    #expect(refused.status == 64 && refused.errors.contains("takes 0 augmentation labels"), "\(refused.errors)")
    let outcome = try Programs.run("sid-distill", arguments([]))
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try HDF5File.open(folder.file("g.h5")).root.stringAttribute("provenance").contains(#""augment":"0.0""#))
  }

  @Test("Rates that are far too high end with an error that says so, and no state that is not finite is kept")
  func divergence() throws {
    let outcome = try Programs.run("sid-distill", arguments("g", ["--lr", "1e30", "--state-kimg", "0.016"]))
    #expect(outcome.status == 70 && outcome.errors.contains("give lower --lr and --glr"), "\(outcome.errors)")
    #expect(!exists("g.h5"))
    let parameters = try HDF5File.open(folder.file("g.state.h5")).root.group("fake_score").group("parameters")
    for name in parameters.names {
      #expect(try parameters.dataset(name).read(Float.self).allSatisfy(\.isFinite), "\(name)")
    }
  }

  @Test("--dry-run prints the cost and starts nothing")
  func dryRun() throws {
    let outcome = try Programs.run("sid-distill", arguments("g", ["--dry-run"]))
    #expect(outcome.status == 0)
    for row in ["FLOPs", "peak memory", "disk", "hours"] { #expect(outcome.output.contains(row), "\(row)") }
    #expect(!exists("g.h5") && !exists("g.state.h5"))
  }

  @Test("Snapshots are network files of their own")
  func snapshots() throws {
    let outcome = try Programs.run("sid-distill", arguments("g", ["--snapshot-kimg", "1", "--duration-kimg", "3.2"]))
    #expect(outcome.status == 0, "\(outcome.errors)")
    for kimg in 1...3 { #expect(exists("g-00000\(kimg).h5")) }
    #expect(!exists("g-000000.h5") && !exists("g-000004.h5"))
    #expect(try HDF5File.open(folder.file("g-000002.h5")).root.formatName() == "sid-network")
  }
}
