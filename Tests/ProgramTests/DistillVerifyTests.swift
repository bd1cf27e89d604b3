import Compute
import Foundation
import Models
import TestSupport
import Testing

@Suite("sid-distill verify", .serialized)
struct DistillVerifyTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func vectors(_ name: String) -> String { Fixtures.path("golden/sid/\(name).h5") }

  private func verify(_ arguments: String...) throws -> Programs.Outcome {
    try Programs.run("sid-distill", ["verify"] + arguments)
  }

  private func converted(_ checkpoint: String, _ name: String) throws -> String {
    let output = folder.file(name)
    let outcome = try Programs.run(
      "sid-convert", [Fixtures.path("golden/checkpoints/" + checkpoint), "--output", output])
    try #require(outcome.status == 0, "\(outcome.errors)")
    return output
  }

  @Test("An official trajectory is met, by its own weights or a converted teacher")
  func trajectories() throws {
    let a = try verify("--vectors", vectors("trajectory_a"))
    #expect(a.status == 0, "\(a.errors)")
    let lines = a.output.split(separator: "\n")
    #expect(lines.count == 26 && lines.dropFirst().allSatisfy { $0.hasSuffix("  ok") }, "\(a.output)")
    for word in ["fake_score loss, iteration 4", "generator gradient norms, iteration 0", "generator_ema weights"] {
      #expect(a.output.contains(word), "\(a.output)")
    }
    let fast = try verify("--vectors", vectors("trajectory_a"), "--kernels", "fast", "--threads", "1")
    #expect(fast.status == 0, "\(fast.output)\(fast.errors)")

    let nameless = try verify("--vectors", vectors("trajectory_b"))
    #expect(nameless.status == 64 && nameless.errors.contains("--start"), "\(nameless.errors)")
    let b = try verify("--vectors", vectors("trajectory_b"), "--start", try converted("sid_b_teacher.pkl", "b.h5"))
    #expect(b.status == 0, "\(b.output)\(b.errors)")
  }

  @Test("The official adversarial trajectories are met", arguments: ["warm1", "warm2"])
  func adversarial(name: String) throws {
    let outcome = try verify("--vectors", Fixtures.path("golden/sida/trajectory_\(name).h5"))
    #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    for word in ["discriminator loss, iteration 4", "clipped norms, iteration 0", "b_gen, all rounds"] {
      #expect(outcome.output.contains(word), "\(outcome.output)")
    }
  }

  @Test("An official training state goes on as recorded, with the settings of the training before")
  func resumed() throws {
    let state = try converted("sid_a_training-state-000000.pt", "state.h5")
    let vectors = vectors("trajectory_a_resumed")
    let outcome = try verify("--vectors", vectors, "--settings-of", self.vectors("trajectory_a"), "--start", state)
    #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    let alone = try verify("--vectors", vectors, "--start", state)
    #expect(alone.status == 65 && alone.errors.contains("--settings-of"), "\(alone.errors)")
    let twice = try verify(
      "--vectors", vectors, "--settings-of", self.vectors("trajectory_a"), "--start", state, "--start", state)
    #expect(twice.status == 64 && twice.errors.contains("second file"), "\(twice.errors)")
    let unstarted = try verify("--vectors", vectors, "--settings-of", self.vectors("trajectory_a"))
    #expect(unstarted.status == 65 && unstarted.output.contains("BEYOND"), "\(unstarted.output)")
  }

  @Test("A training state of the official adversarial trainer goes on as recorded")
  func adversarialResumed() throws {
    // As the trainer names it: by the thousands of images seen.
    let source = folder.file("training-state-000200.pt")
    try FileManager.default.copyItem(
      atPath: Fixtures.path("golden/checkpoints/sida_training-state.pt"), toPath: source)
    let state = folder.file("adversarial.h5")
    let outcome = try Programs.run("sid-convert", [source, "--output", state])
    try #require(outcome.status == 0, "\(outcome.errors)")
    let verified = try verify(
      "--vectors", Fixtures.path("golden/sida/trajectory_warm2_resumed.h5"), "--settings-of",
      Fixtures.path("golden/sida/trajectory_warm2.h5"), "--start", state)
    #expect(verified.status == 0 && verified.output.contains("generator_gan loss"), "\(verified)")
    // And sid-distill goes on from it with real images.
    let teacher = try converted("sida_warm2_teacher.pkl", "teacher2.h5")
    let arguments = [
      "--teacher", teacher, "--state", state, "--output", folder.file("g.h5"), "--batch", "4", "--augment", "0.3",
      "--adversarial", "--dataset", Fixtures.path("golden/dataset/tiny_rgb_8x8.zip"), "--alpha", "1",
      "--duration-kimg", "200.008",
    ]
    // It has its own generator.
    let other = try Programs.run("sid-distill", arguments + ["--initial-generator", teacher])
    #expect(other.status == 64 && other.errors.contains("has a generator of its own"), "\(other.errors)")
    let run = try Programs.run("sid-distill", arguments)
    #expect(run.status == 0 && run.errors.contains("training-state-000200.pt at 200000 images"), "\(run.errors)")
  }

  @Test("Another start is beyond the tolerance; what is no record is refused")
  func refusals() throws {
    let other = try converted("sid_b_teacher.pkl", "b.h5")
    let shape = try verify("--vectors", vectors("trajectory_a"), "--start", other)
    #expect(shape.status == 65 && shape.errors.contains("recorded for another network"), "\(shape.errors)")
    // One weight of the start altered.
    let path = folder.file("altered.h5")
    try writeAltered(path)
    let altered = try verify("--vectors", vectors("trajectory_a"), "--start", path)
    #expect(altered.status == 65 && altered.output.contains("BEYOND"), "\(altered.output)\(altered.errors)")
    #expect(altered.errors.contains("beyond the tolerance"))

    let network = try verify("--vectors", other)
    #expect(network.status == 65 && network.errors.contains("recorded training"), "\(network.errors)")
    #expect(try verify("--vectors", folder.file("none.h5")).status == 66)
    let losses = try verify("--vectors", vectors("losses_a"))
    #expect(losses.status == 65, "\(losses.errors)")
    let start = try verify("--vectors", vectors("trajectory_a"), "--start", vectors("losses_a"))
    #expect(start.status == 65 && start.errors.contains("network or a training state"), "\(start.errors)")
  }

  /// The start of the record but for the weights of one layer, which are doubled.
  private func writeAltered(_ path: String) throws {
    var network = try loadNetwork("golden/checkpoints/sid_a_teacher.pkl")
    let index = try #require(network.specifications.firstIndex { $0.name == "model.dec.8x8_block0.conv1.weight" })
    network.parameters[index] = scaled(network.parameters[index], by: 2)
    try writeNetwork(network, path)
  }
}
