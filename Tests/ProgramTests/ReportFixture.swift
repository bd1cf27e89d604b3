import Foundation
import HDF5
import TestSupport
import Testing

/// A folder that was filled by the stage programs: the digits' teacher as a one-step sampler, 60 images, and their score.
struct ReportFixture {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    let steps = [
      ["sid-convert", Fixtures.digits("teacher.pkl"), "--output", folder.file("teacher.h5")],
      [
        "sid-convert", Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"),
        "--output",
        folder.file("features.h5"),
      ],
      [
        "sid-score", "reference", "--dataset", Fixtures.digits("digits-8x8.zip"), "--features",
        folder.file("features.h5"), "--output", folder.file("reference.h5"),
      ],
      [
        "sid-sample", "--network", folder.file("teacher.h5"), "--seeds", "0-59", "--class", "balanced", "--output",
        folder.file("samples.h5"),
      ],
      [
        "sid-score", "--samples", folder.file("samples.h5"), "--reference", folder.file("reference.h5"), "--features",
        folder.file("features.h5"), "--output", folder.file("score.h5"), "--figure", "fd_sixty",
      ],
    ]
    for step in steps {
      let outcome = try Programs.run(step[0], Array(step.dropFirst()))
      try #require(outcome.status == 0, "\(outcome.errors)")
    }
  }

  var page: String { folder.file("report.html") }

  func report(_ more: String...) throws -> Programs.Outcome {
    try Programs.run("sid-report", ["--job", folder.path, "--output", page] + more)
  }

  /// The page as it stands there.
  func html() throws -> String { try String(contentsOfFile: page, encoding: .utf8) }

  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.file(name)))
  }

  /// What a distillation publishes beside its generator, with a curve that falls.
  func writeDistillation() throws {
    let curve = [(0.0, 9.5), (1, 5), (2, 2.6), (4, 1.2), (8, 0.7)].map { #"{"kimg": \#($0.0), "fd": \#($0.1)}"# }
    try write(
      #"{"stage": "distill", "output": "generator.h5", "figures": {"distilled_kimg": 8, "fd_distillation_slope": -0.96}, "curve": [\#(curve.joined(separator: ","))]}"#,
      to: "generator.json")
    try FileManager.default.copyItem(atPath: folder.file("teacher.h5"), toPath: folder.file("generator.h5"))
  }

  /// What a training publishes beside its teacher: a log of every noise level, and samples of many evaluations.
  func writeTraining() throws {
    let positions = (0..<24).map { Double($0 * $0) }
    let curve = positions.map { #"{"kimg": \#($0), "fd": \#(40 / ($0 + 2))}"# }
    try write(
      #"{"stage": "train", "output": "trained.h5", "figures": {"trained_kimg": 529, "fd_training_slope": -0.9}, "dataset": {"images": 1797}, "curve": [\#(curve.joined(separator: ","))]}"#,
      to: "trained.json")
    let levels = [
      "0-0.01", "0.01-0.03", "0.03-0.1", "0.1-0.3", "0.3-1.0", "1.0-3.0", "3.0-10.0", "10.0-30.0", "30.0-inf",
    ]
    let lines = (1...529).map { kimg in
      let parts = levels.enumerated().map { number, level in
        let mean = 0.1 + (1 - 0.1 * Double(number)) / (1 + Double(kimg * number) / 100)
        return #""Loss/loss_at_sigma_\#(level)": {"num": 64, "mean": \#(mean)}"#
      }
      return
        #"{"Progress/kimg": {"num": 1, "mean": \#(kimg), "std": 0}, "Loss/loss": {"num": 576, "mean": 0.4, "std": 1}, "#
        + parts.joined(separator: ",") + "}\n"
    }
    try write(lines.joined(), to: "trained.stats.jsonl")
    try HDF5File.publish(folder.file("trained.h5")) { file in
      let group = try file.root.createGroup("course")
      let shape = [positions.count, 8, 8, 8, 1]
      try group.write((0..<shape.reduce(1, *)).map { UInt8(truncatingIfNeeded: $0 * 7) }, shape: shape, to: "samples")
      try group.write(positions, shape: [positions.count], to: "kimg")
      try group.write(Array(UInt64(1_000_000)..<1_000_008), shape: [8], to: "seeds")
    }
  }

  /// Files that try to become markup, to leave the folder, to take long, or to crash whoever reads them.
  func writeHostileFiles() throws {
    let attack = #"</code></pre><script>alert(1)</script><img src=http://127.0.0.1:9/x onerror=alert(2)>\#u{202E}"#
    let quoted = String(decoding: try JSONEncoder().encode(attack), as: UTF8.self)
    try write("job: \"\(attack)\"\nsteps: \(attack)\n", to: "job.yaml")
    try write(
      #"{"job": \#(quoted), "id": \#(quoted), "steps": [\#(quoted), 7, null], "accepted": "never"}"#, to: "status.json")
    try write(
      #"{"stage": "score", "output": "evil.h5", "definition": \#(quoted), "feature_network": \#(quoted), "input_convention": \#(quoted), "inputs": {"samples": {"path": \#(quoted), "sha256": \#(quoted)}, "reference": []}, "figures": {\#(quoted): 1e308, "huge": -1e-300, "list": [1]}, "metrics": {\#(quoted): {"value": 1, "definition": \#(quoted), "images": 9223372036854775807, "standard_error": -1, "uncertainty": \#(quoted), "notes": [\#(quoted), 3]}}}"#,
      to: "evil.json")
    try write("not HDF5", to: "evil.h5")
    try write(
      #"{"stage": "distill", "output": "curve.h5", "figures": {"distilled_kimg": -9e99}, "curve": [{"kimg": 1, "fd": 1e-300}, {"kimg": 1e300, "fd": 1}, {"kimg": 2, "fd": 1e29}, {"kimg": "x"}, 3, {"kimg": 3, "fd": 0.0001}]}"#,
      to: "curve.json")
    try write(
      #"{"stage": "train", "output": "taught.h5", "figures": {"trained_kimg": 1e300}, "dataset": {"images": -1}, "curve": [{"kimg": 0, "fd": 1}], "provenance": "{\"program\":\"x\",\"version\":\"1\",\"options\":{},\"inputs\":{\"dataset\":{\"path\":\"<script>../\",\"sha256\":\"0\"}}}"}"#,
      to: "taught.json")
    try write(
      #"{"Progress/kimg": {"mean": 1e11}, "Loss/loss": {"num": 1e15, "mean": 1e12}, "Loss/loss_at_sigma_<b>-1": {"num": 1, "mean": 1}, "Loss/loss_at_sigma_0-1e308": {"num": 1, "mean": 1e-300}}"#
        + "\n\u{0}\n" + String(repeating: "[", count: 100_000) + "\n{\"Progress",
      to: "taught.stats.jsonl")
    try write("not HDF5", to: "taught.h5")
    try write(#"{"stage": "train", "output": "waiting.h5", "figures": {}}"#, to: "waiting.json")
    mkfifo(folder.file("waiting.stats.jsonl"), 0o644)
    try write(#"{"stage": "sample", "output": "../outside.h5", "figures": {}}"#, to: "outside.json")
    try write(String(repeating: "[", count: 100_000), to: "deep.json")
    try write(
      #"{"stage": "sample", "output": "huge.h5", "x": ""# + String(repeating: "a", count: 5 << 20) + "\"}",
      to: "large.json")
    try write("\u{FEFF}\u{0}", to: "bytes.json")
    try FileManager.default.createDirectory(atPath: folder.file("folder.json"), withIntermediateDirectories: true)
    mkfifo(folder.file("pipe.json"), 0o644)
    try FileManager.default.createDirectory(atPath: folder.file("log"), withIntermediateDirectories: true)
    try write(
      "# 2099-99-99T00:00:00Z sid-x, attempt 1\n# 2000-01-01T00:00:00Z sid-sample, attempt 1\n# 2\n",
      to: "log/samples.log")
  }
}
