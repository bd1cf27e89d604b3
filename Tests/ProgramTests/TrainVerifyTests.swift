import Foundation
import HDF5
import TestSupport
import Testing

@Suite("sid-train verify, and runs of EDM's trainer that go on here", .serialized)
struct TrainVerifyTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func vectors(_ name: String) -> String { Fixtures.path("golden/training/\(name).h5") }

  private func verify(_ arguments: String...) throws -> Programs.Outcome {
    try Programs.run("sid-train", ["verify"] + arguments)
  }

  /// The official state and snapshot, converted: named as the trainer names them, by the thousands of images seen.
  private func converted() throws -> String {
    let source = folder.file("training-state-002500.pt")
    try FileManager.default.copyItem(
      atPath: Fixtures.path("golden/checkpoints/edm_training-state.pt"), toPath: source)
    let outcome = try Programs.run(
      "sid-convert",
      [
        source, "--ema", Fixtures.path("golden/checkpoints/edm_training_snapshot.pkl"), "--output",
        folder.file("state.h5"),
      ])
    try #require(outcome.status == 0, "\(outcome.errors)")
    return folder.file("state.h5")
  }

  @Test("The official trajectories are met", arguments: ["trajectory_a", "trajectory_b"])
  func trajectories(name: String) throws {
    let exact = try verify("--vectors", vectors(name))
    #expect(exact.status == 0, "\(exact.output)\(exact.errors)")
    let lines = exact.output.split(separator: "\n").dropFirst()
    #expect(lines.count > 35 && lines.allSatisfy { $0.hasSuffix("  ok") })
    let fast = try verify("--vectors", vectors(name), "--kernels", "fast", "--threads", "1")
    #expect(fast.status == 0, "\(fast.output)\(fast.errors)")
    let start = folder.file("start.h5")
    let letter = name.suffix(1)
    let initial = try Programs.run(
      "sid-convert",
      [Fixtures.path("golden/checkpoints/edm_training_\(letter)_initial.pkl"), "--output", start])
    try #require(initial.status == 0)
    #expect(try verify("--vectors", vectors(name), "--start", start).output == exact.output)
  }

  @Test("An official state with its snapshot goes on as recorded, and in sid-train")
  func resumed() throws {
    let state = try converted()
    let (resumed, settings) = (vectors("trajectory_b_resumed"), vectors("trajectory_b"))
    let outcome = try verify("--vectors", resumed, "--settings-of", settings, "--start", state)
    #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    #expect(outcome.output.contains("ema weights") && outcome.output.contains("net weights"))
    #expect(try verify("--vectors", resumed, "--start", state).status == 65)
    #expect(try verify("--vectors", resumed, "--settings-of", settings).status == 64)
    #expect(
      try verify("--vectors", resumed, "--settings-of", settings, "--start", state, "--start", state).status == 64)
    #expect(try verify("--vectors", Fixtures.path("golden/sid/trajectory_a.h5")).status == 65)

    let config = folder.file("network.yaml")
    try Data(
      """
      precond: EDMPrecond
      model_type: DhariwalUNet
      model_channels: 8
      channel_mult: [1, 1]
      channel_mult_emb: 2
      num_blocks: 1
      attn_resolutions: [8]
      label_dim: 10
      """.utf8
    ).write(to: URL(fileURLWithPath: config))
    func train(_ kimg: String) throws -> Programs.Outcome {
      try Programs.run(
        "sid-train",
        [
          "--dataset", Fixtures.path("golden/dataset/tiny_rgb_8x8.zip"), "--conditional", "--config", config,
          "--state", state, "--output", folder.file("t.h5"), "--batch", "4", "--microbatch", "2", "--augment", "0",
          "--dropout", "0", "--lr", "8e-4", "--loss-scale", "100", "--ema-halflife-kimg", "0.01", "--duration-kimg",
          kimg, "--overwrite",
        ].filter { kimg != "2500.008" || $0 != "--overwrite" })
    }
    let run = try train("2500.008")
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.contains("going on with the run of training-state-002500.pt at 2500000 images"), "\(run.errors)")
    let after = try HDF5File.open(state).root
    #expect(try after.intAttribute("images_seen") == 2_500_008)
    let output = try HDF5File.open(folder.file("t.h5")).root
    #expect(try output.stringAttribute("continues").contains("training-state-002500.pt"))
  }

  @Test("A state without its snapshot is refused, and a snapshot without such a state")
  func ema() throws {
    let state = Fixtures.path("golden/checkpoints/edm_training-state.pt")
    let snapshot = Fixtures.path("golden/checkpoints/edm_training_snapshot.pkl")
    func convert(_ arguments: String...) throws -> Programs.Outcome { try Programs.run("sid-convert", arguments) }
    let alone = try convert(state, "--output", folder.file("s.h5"))
    #expect(alone.status == 64 && alone.errors.contains("--ema"), "\(alone.errors)")
    #expect(try convert(state, "--key", "net", "--output", folder.file("net.h5")).status == 0)
    let other = try convert(snapshot, "--ema", snapshot, "--output", folder.file("s.h5"))
    #expect(other.status == 64 && other.errors.contains("--ema"), "\(other.errors)")
    let wrong = try convert(
      state, "--ema", Fixtures.path("golden/checkpoints/edm_training_a_initial.pkl"), "--output", folder.file("s.h5"))
    #expect(wrong.status == 65 && wrong.errors.contains("different architectures"), "\(wrong.errors)")
  }
}
