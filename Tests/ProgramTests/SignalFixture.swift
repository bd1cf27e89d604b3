import Diagnostics
import Files
import Foundation
import TestSupport
import Testing

/// What the programs work on in the tests of signals: a small network with classes, a feature network, archives, statistics.
final class SignalFixture: Sendable {
  let folder: TemporaryFolder

  /// A command that reads the fixture's files and takes a while.
  struct Command: Sendable, CustomTestStringConvertible {
    let name: String
    let program: String
    let arguments: [String]
    /// What it makes, in the order in which it is to be compared; what it prints where there is none.
    var outputs: [String] = []

    var testDescription: String { name }
  }

  /// Paths are those of `file`, with OUT/ for the folder of the outputs.
  static let commands: [Command] = [
    Command(
      name: "convert", program: "sid-convert", arguments: [Fixtures.digits("teacher.pkl"), "--output", "OUT/n.h5"],
      outputs: ["n.h5"]),
    Command(
      name: "convert --to", program: "sid-convert", arguments: ["teacher.h5", "--to", "torch", "--output", "OUT/n.pt"],
      outputs: ["n.pt"]),
    Command(
      name: "convert features --to", program: "sid-convert",
      arguments: ["features.h5", "--to", "safetensors", "--output", "OUT/n.safetensors"], outputs: ["n.safetensors"]),
    Command(
      name: "convert a training state", program: "sid-convert",
      arguments: [Fixtures.path("golden/checkpoints/sid_a_training-state-000000.pt"), "--output", "OUT/s.h5"],
      outputs: ["s.h5"]),
    Command(
      name: "convert dataset", program: "sid-convert",
      arguments: ["dataset", Fixtures.digits("digits-8x8.zip"), "--resolution", "64", "--output", "OUT/d.zip"],
      outputs: ["d.zip"]),
    Command(name: "list", program: "sid-convert", arguments: ["list", Fixtures.digits("teacher.pkl")]),
    Command(
      name: "verify vectors", program: "sid-convert",
      arguments: ["verify", "--network", "cond.h5", "--vectors", Fixtures.path("golden/nets/edm_ddpmpp_cond.h5")]),
    Command(
      name: "train", program: "sid-train",
      arguments: [
        "--dataset", Fixtures.digits("digits-8x8.zip"), "--output", "OUT/t.h5", "--state", "OUT/s.h5", "--conditional",
        "--config", "network.yaml", "--batch", "16", "--microbatch", "4", "--lr-rampup-kimg", "0.1", "--duration-kimg",
        "0.064",
      ], outputs: ["t.h5"]),
    Command(
      name: "train verify", program: "sid-train",
      arguments: ["verify", "--vectors", Fixtures.path("golden/training/trajectory_a.h5")]),
    Command(
      name: "distill", program: "sid-distill",
      arguments: [
        "--teacher", "tiny.h5", "--output", "OUT/g.h5", "--state", "OUT/s.h5", "--batch", "16", "--microbatch", "4",
        "--augment", "0.3", "--duration-kimg", "0.064",
      ], outputs: ["g.h5"]),
    Command(
      name: "distill --evaluate", program: "sid-distill",
      arguments: [
        "--teacher", "teacher.h5", "--output", "OUT/g.h5", "--state", "OUT/s.h5", "--batch", "32", "--augment", "0",
        "--duration-kimg", "0.064", "--evaluate", "--features", "features.h5", "--reference", "kept.h5",
        "--evaluate-seeds", "0-255", "--evaluate-kimg", "0.032", "--evaluate-metrics", "kid",
      ], outputs: ["g.h5"]),
    Command(
      name: "distill verify", program: "sid-distill",
      arguments: ["verify", "--vectors", Fixtures.path("golden/sid/trajectory_a.h5")]),
    Command(
      name: "sample", program: "sid-sample",
      arguments: ["--network", "teacher.h5", "--seeds", "0-255", "--output", "OUT/a.h5", "--export", "npz"],
      outputs: ["a.h5", "a.npz"]),
    Command(
      name: "sample in shards", program: "sid-sample",
      arguments: ["--network", "teacher.h5", "--seeds", "0-99", "--shard-size", "40", "--output", "OUT/a.h5"],
      outputs: ["a.h5", "a-00000.h5", "a-00002.h5"]),
    Command(
      name: "merge shards", program: "sid-sample", arguments: ["merge", "OUT/shards.h5"],
      outputs: ["shards.h5", "shards.manifest.json"]),
    Command(
      name: "verify an archive", program: "sid-sample",
      arguments: ["verify", "samples.h5", "--network", "teacher.h5", "--seed", "1"]),
    Command(
      name: "export edm-zip", program: "sid-sample",
      arguments: ["export", "samples.h5", "--to", "edm-zip", "--output", "OUT/e.zip"], outputs: ["e.zip"]),
    Command(
      name: "export hdf5", program: "sid-sample",
      arguments: ["export", "samples.h5", "--to", "hdf5", "--output", "OUT/e.h5"], outputs: ["e.h5"]),
    Command(
      name: "export webdataset", program: "sid-sample",
      arguments: ["export", "samples.h5", "--to", "webdataset", "--output", "OUT/e"],
      outputs: ["e/samples-000000.tar"]),
    Command(
      name: "score", program: "sid-score",
      arguments: [
        "--samples", "samples.h5", "--reference", Fixtures.digits("digits-8x8.zip"), "--features", "features.h5",
        "--metrics", "fid,kid,is,pr,fd-infinity", "--kid-subset-size", "100", "--output", "OUT/s.h5",
      ], outputs: ["s.h5"]),
    Command(
      name: "score a share", program: "sid-score",
      arguments: [
        "--samples", "samples.h5", "--reference", "reference.h5", "--features", "features.h5", "--metrics", "fid,is",
        "--output", "OUT/s.h5", "--share", "1/1",
      ], outputs: [".s.share-1-of-1.h5"]),
    Command(
      name: "score shares", program: "sid-score",
      arguments: [
        "--samples", "samples.h5", "--reference", "reference.h5", "--features", "features.h5", "--output", "OUT/s.h5",
        "--shares", "1",
      ], outputs: ["s.h5"]),
    Command(
      name: "score reference", program: "sid-score",
      arguments: [
        "reference", "--dataset", Fixtures.digits("digits-8x8.zip"), "--features", "features.h5", "--keep-features",
        "--output", "OUT/r.h5",
      ], outputs: ["r.h5"]),
    Command(
      name: "score merge", program: "sid-score",
      arguments: ["merge", "reference.h5", "other.h5", "--output", "OUT/m.npz"], outputs: ["m.npz"]),
    Command(
      name: "report", program: "sid-report", arguments: ["--job", "job", "--output", "OUT/page.html"],
      outputs: ["page.html"]),
    Command(
      name: "checksums", program: "sidctl", arguments: ["seal"], outputs: ["SHA256SUMS"]),
    Command(
      name: "bench", program: "sid-bench",
      arguments: ["--network-file", "teacher.h5", "--work", "sample", "--repetitions", "2", "--json"]),
  ]

  init() throws {
    folder = try TemporaryFolder()
    try writeNetwork(try loadNetwork("golden/checkpoints/edm_ddpmpp_cond.pkl"), file("cond.h5"))
    try writeNetwork(try loadNetwork("golden/checkpoints/sid_b_teacher.pkl"), file("tiny.h5"))
    try FileManager.default.createDirectory(atPath: file("job"), withIntermediateDirectories: true)
    try Data(Self.network.utf8).write(to: URL(fileURLWithPath: file("network.yaml")))
    let digits = Fixtures.digits("digits-8x8.zip")
    let sample = ["sid-sample", "--network", file("teacher.h5"), "--class", "balanced", "--seeds"]
    let reference = ["sid-score", "reference", "--features", file("features.h5"), "--dataset"]
    for step in [
      ["sid-convert", Fixtures.digits("teacher.pkl"), "--output", file("teacher.h5")],
      [
        "sid-convert", Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"),
        "--output", file("features.h5"),
      ],
      sample + ["0-299", "--output", file("samples.h5")], sample + ["7-300", "--output", file("other-samples.h5")],
      sample + ["0-59", "--output", file("job/samples.h5")],
      reference + [digits, "--output", file("reference.h5")],
      reference + [file("other-samples.h5"), "--output", file("other.h5"), "--keep-features"],
      reference + [file("samples.h5"), "--output", file("kept.h5"), "--keep-features"],
    ] { try Self.require(step) }
    // A share without its score.
    try Self.require([
      "sid-score", "--samples", file("samples.h5"), "--reference", file("reference.h5"), "--features",
      file("features.h5"), "--output", file("s.h5"), "--share", "1/1",
    ])
    // Shards without their archive.
    for share in ["1/2", "2/2"] {
      try Self.require(sample + ["0-59", "--shard-size", "20", "--output", file("shards.h5"), "--shards", share])
    }
  }

  /// A network for the digits, as `--config` of sid-train takes it.
  static let network = """
    precond: EDMPrecond
    model_type: SongUNet
    model_channels: 8
    channel_mult: [1, 2]
    num_blocks: 1
    attn_resolutions: [4]
    label_dim: 10
    """

  func file(_ name: String) -> String { folder.file(name) }

  private static func require(_ step: [String]) throws {
    let outcome = try Programs.run(step[0], Array(step.dropFirst()))
    try #require(outcome.status == 0, "\(step): \(outcome.errors)")
  }

  /// A new folder for the outputs of a command, with what it works on in place.
  func outputs(_ name: String, for command: Command) throws -> String {
    let path = file(name)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    if command.name == "merge shards" {
      for name in ["shards-00000.h5", "shards-00001.h5", "shards-00002.h5"] {
        try FileManager.default.copyItem(atPath: file(name), toPath: path + "/" + name)
      }
    }
    if command.name == "score shares" {
      try FileManager.default.copyItem(atPath: file(".s.share-1-of-1.h5"), toPath: path + "/.s.share-1-of-1.h5")
    }
    if command.name == "checksums" {
      for name in ["samples.h5", "teacher.h5"] {
        try FileManager.default.copyItem(atPath: file(name), toPath: path + "/" + name)
      }
    }
    return path
  }

  /// The arguments of a command whose outputs go to a folder.
  func arguments(_ command: Command, _ output: String) -> [String] {
    command.arguments.map { argument in
      if argument.hasPrefix("OUT/") { return output + argument.dropFirst(3) }
      return access(file(argument), F_OK) == 0 && !argument.hasPrefix("/") ? file(argument) : argument
    }
  }

  /// The fixture of all tests of the suite.
  static let shared = Result { try SignalFixture() }
}
