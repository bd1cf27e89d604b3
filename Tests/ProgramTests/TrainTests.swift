import Checkpoints
import Compute
import Foundation
import HDF5
import Models
import Records
import TestSupport
import Testing

@Suite("sid-train", .serialized)
struct TrainTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try Data(SignalFixture.network.utf8).write(to: URL(fileURLWithPath: folder.file("network.yaml")))
  }

  private func arguments(_ name: String, _ more: [String] = []) -> [String] {
    [
      "--dataset", Fixtures.digits("digits-8x8.zip"), "--output", folder.file(name + ".h5"), "--state",
      folder.file(name + ".state.h5"), "--conditional", "--config", folder.file("network.yaml"), "--batch", "16",
      "--microbatch", "4", "--lr", "4e-3", "--lr-rampup-kimg", "0.2", "--ema-halflife-kimg", "0.5", "--dropout", "0.1",
      "--augment", "0.2", "--duration-kimg", "0.8", "--tick-kimg", "0.16", "--seed", "5",
    ] + more
  }

  private func train(_ arguments: [String]) throws -> Programs.Outcome { try Programs.run("sid-train", arguments) }

  private func parameters(_ name: String) throws -> [[Float]] {
    let group = try HDF5File.open(folder.file(name + ".h5")).root.group("parameters")
    return try group.names.map { try group.dataset($0).read(Float.self) }
  }

  /// The lines of a log without what depends on the time.
  private func log(_ name: String) throws -> [[String: JSONValue]] {
    let text = try String(contentsOfFile: folder.file(name + ".stats.jsonl"), encoding: .utf8)
    #expect(text.hasSuffix("\n"))
    return try text.split(separator: "\n").map { line in
      let fields = try #require(JSONValue(json: Array(line.utf8))?.objectValue)
      return fields.filter { !$0.key.hasPrefix("Timing/") && $0.key != "timestamp" }
    }
  }

  @Test("Killed at random moments it goes on with the same bits and the same log, on any threads")
  func killed() throws {
    let whole = try train(arguments("whole", ["--threads", "2"]))
    try #require(whole.status == 0, "\(whole.errors)")
    #expect(whole.errors.contains("FLOPs") && whole.errors.contains("hours"), "\(whole.errors)")
    var generator = SystemRandomNumberGenerator()
    var kills = 0
    for attempt in 0..<60 {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Programs.path("sid-train"))
      process.arguments = arguments(
        "parts", ["--state-kimg", attempt % 2 == 0 ? "0.016" : "0.048", "--threads", "\(1 + attempt % 3)"])
      process.standardError = FileHandle.nullDevice
      try process.run()
      Thread.sleep(forTimeInterval: Double.random(in: 0.05...1.2, using: &generator))
      // Every other time politely, which stops within a batch.
      kill(process.processIdentifier, attempt % 3 == 2 ? SIGTERM : SIGKILL)
      process.waitUntilExit()
      if process.terminationReason == .exit, process.terminationStatus == 0 { break }
      kills += 1
    }
    let last = try train(arguments("parts"))
    #expect(last.status == 0, "\(last.errors)")
    #expect(kills > 0)
    #expect(try parameters("parts") == parameters("whole"), "\(kills) kills")
    #expect(try log("parts") == log("whole"), "\(kills) kills")
    let again = try train(arguments("parts"))
    #expect(again.status == 0 && again.errors.contains("already made"))
    #expect(try train(arguments("parts", ["--lr", "1e-3"])).status == 73)
  }

  @Test("The log has the official form, and the loss in it falls")
  func log() throws {
    let outcome = try train(arguments("t", ["--augment", "0", "--dropout", "0", "--duration-kimg", "3.2"]))
    try #require(outcome.status == 0, "\(outcome.errors)")
    let lines = try log("t")
    #expect(lines.count == 21)
    for (number, line) in lines.enumerated() {
      #expect(line["Progress/tick"]?["mean"]?.realValue == Double(number))
      let kimg = number == 0 ? 0.016 : 0.16 * Double(number)
      let told = line["Progress/kimg"]?["mean"]?.realValue ?? 0
      #expect(abs(told - kimg) < 1e-9)
      let loss = try #require(line["Loss/loss"]?.objectValue)
      let images = number == 0 ? 16 : number == 1 ? 144 : 160
      let deviation = loss["std"]?.realValue ?? 0
      #expect(loss["num"]?.integerValue == images * 64)
      #expect(deviation > 0)
      let levels = line.filter { $0.key.hasPrefix("Loss/loss_at_sigma_") }
      let counted = levels.values.reduce(0) { sum, level in sum + (level["num"]?.integerValue ?? 0) }
      #expect(counted == images * 64)
    }
    let losses = lines.compactMap { $0["Loss/loss"]?["mean"]?.realValue }
    let (first, last) = (losses[1...4].reduce(0, +), losses.suffix(4).reduce(0, +))
    #expect(last < 0.7 * first, "\(losses)")
    let record = try #require(
      JSONValue(json: Array(try Data(contentsOf: URL(fileURLWithPath: folder.file("t.json"))))))
    #expect(record["stage"] == "train" && record["figures"]?["trained_kimg"]?.realValue == 3.2)
    let files = (record["files"]?.arrayValue ?? []).compactMap { $0["name"]?.textValue }
    #expect(files == ["t.h5", "t.state.h5", "t.stats.jsonl"])
  }

  @Test("A dry run says what it costs, and networks by options are the official ones")
  func dryRun() throws {
    let base = ["--dataset", Fixtures.path("golden/dataset/tiny_rgb_32x32.zip"), "--output", folder.file("o.h5")]
    func flops(_ more: [String]) throws -> Double {
      let outcome = try train(base + ["--state", folder.file("s.h5"), "--dry-run", "--duration-kimg", "0.512"] + more)
      let line = try #require(outcome.output.split(separator: "\n").first { $0.hasPrefix("FLOPs") }, "\(outcome)")
      return try #require(line.split(separator: " ").last.flatMap { Double($0) })
    }
    // CIFAR-10's network: 21.2 GMAC forward, three times that an image.
    let plain = try flops(["--augment", "0"])
    #expect(abs(plain / (512 * 3 * 42.4e9) - 1) < 0.02, "\(plain)")
    let small = try flops(["--augment", "0", "--model-channels", "64", "--channel-mult", "1,2,2", "--num-blocks", "2"])
    #expect(small < 0.2 * plain)
    #expect(try flops(["--arch", "ncsnpp", "--augment", "0"]) > plain)
    #expect(access(folder.file("o.h5"), F_OK) != 0 && access(folder.file("o.stats.jsonl"), F_OK) != 0)
  }

  @Test(
    "Every preconditioner and family is trained, and sid-sample samples what comes out",
    arguments: [
      ["--arch", "ddpmpp", "--precond", "vp"], ["--arch", "ncsnpp", "--precond", "ve"], ["--arch", "adm"],
    ])
  func families(options: [String]) throws {
    let outcome = try train(
      [
        "--dataset", Fixtures.digits("digits-8x8.zip"), "--output", folder.file("n.h5"), "--state",
        folder.file("s.h5"), "--model-channels", "16", "--channel-mult", "1,2", "--num-blocks", "1",
        "--attn-resolutions", "4", "--batch", "8", "--duration-kimg", "0.032", "--lr-rampup-kimg", "0.01",
      ] + options)
    try #require(outcome.status == 0, "\(outcome.errors)")
    let sampled = try Programs.run(
      "sid-sample",
      [
        "--network", folder.file("n.h5"), "--seeds", "0-3", "--sampler", "heun", "--steps", "4", "--output",
        folder.file("a.h5"),
      ])
    #expect(sampled.status == 0 && !sampled.errors.contains("noise"), "\(sampled.errors)")
    let inOneStep = try Programs.run(
      "sid-sample", ["--network", folder.file("n.h5"), "--seeds", "0", "--output", folder.file("b.h5")])
    #expect(inOneStep.errors.contains("one step gives noise; give --sampler heun"), "\(inOneStep.errors)")
  }

  @Test("A network is transferred: its architecture holds, and its average has no ramp")
  func transfer() throws {
    let pickle = Fixtures.path("golden/checkpoints/edm_training_a_initial.pkl")
    let start = folder.file("start.h5")
    try #require(try Programs.run("sid-convert", [pickle, "--output", start]).status == 0)
    func run(_ name: String, _ more: [String]) throws -> Programs.Outcome {
      try train(
        [
          "--dataset", Fixtures.path("golden/dataset/tiny_rgb_8x8.zip"), "--output", folder.file(name + ".h5"),
          "--state", folder.file(name + ".state.h5"), "--batch", "4", "--duration-kimg", "0.012", "--lr-rampup-kimg",
          "0.001",
        ] + more)
    }
    let outcome = try run("t", ["--transfer", start])
    try #require(outcome.status == 0, "\(outcome.errors)")
    // With a half-life of 500 kimg and no ramp the average has hardly left the start; the network has.
    let (before, average) = (try parameters("start"), try parameters("t"))
    let state = try HDF5File.open(folder.file("t.state.h5")).root.group("denoiser").group("parameters")
    let network = try state.names.map { try state.dataset($0).read(Float.self) }
    func distance(_ other: [[Float]]) -> Double { Distance(Array(other.joined()), Array(before.joined())).relative }
    #expect(distance(average) < 1e-3 * distance(network) && distance(network) > 1e-4)
    // What comes out has the official names for PyTorch, in the official order.
    let torch = folder.file("t.pt")
    let exported = try Programs.run("sid-convert", [folder.file("t.h5"), "--to", "torch", "--output", torch])
    try #require(exported.status == 0, "\(exported.errors)")
    let official = try Checkpoint.open(pickle).module("ema")
    #expect(try Checkpoint.open(torch).stateDictionary(key: nil).tensorNames == official.tensorNames)
    for (wrong, word) in [
      (["--transfer", start, "--conditional"], "--conditional"), (["--transfer", start, "--arch", "adm"], "arch"),
      (["--transfer", start, "--config", folder.file("network.yaml")], "config"),
    ] {
      let refused = try run("w", wrong)
      #expect(refused.status == 64 && refused.errors.contains(word), "\(refused.errors)")
    }
    let digits = try train(
      arguments("d").filter { $0 != "--config" && !$0.hasSuffix(".yaml") } + ["--transfer", start])
    #expect(digits.status == 65 && digits.errors.contains("8x8x3"), "\(digits.errors)")
  }

  @Test("What cannot be trained is refused with the reason")
  func refusals() throws {
    try Data(SignalFixture.network.replacing("EDMPrecond", with: "iDDPMPrecond").utf8).write(
      to: URL(fileURLWithPath: folder.file("network.yaml")))
    let iddpm = try train(arguments("o"))
    #expect(iddpm.status == 65 && iddpm.errors.contains("iDDPMPrecond"), "\(iddpm.errors)")
    try Data((SignalFixture.network + "\nimg_resolution: 16\n").utf8).write(
      to: URL(fileURLWithPath: folder.file("network.yaml")))
    let size = try train(arguments("o"))
    #expect(size.status == 65 && size.errors.contains("16x16x1"), "\(size.errors)")
    let base = ["--output", folder.file("o.h5"), "--state", folder.file("s.h5"), "--dataset"]
    let deep = try train(base + [Fixtures.digits("digits-8x8.zip"), "--channel-mult", "1,1,1,1,1"])
    #expect(deep.status == 64 && deep.errors.contains("halved"), "\(deep.errors)")
    let classless = try train(
      base + [Fixtures.path("golden/dataset/tiny_gray_16x16_deflated_nolabels.zip"), "--conditional"])
    #expect(classless.status == 65 && classless.errors.contains("no classes"), "\(classless.errors)")
    #expect(try train(base + [folder.file("none.zip")]).status == 66)
    let diverged = try train(
      base + [
        Fixtures.digits("digits-8x8.zip"), "--model-channels", "8", "--channel-mult", "1", "--num-blocks", "1",
        "--batch", "4", "--lr", "1e38", "--lr-rampup-kimg", "0", "--augment", "0", "--duration-kimg", "0.1",
      ])
    #expect(diverged.status == 70 && diverged.errors.contains("teacher"), "\(diverged.errors)")
  }
}
