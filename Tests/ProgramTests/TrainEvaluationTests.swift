import Foundation
import HDF5
import Records
import Spool
import TestSupport
import Testing
import YAML

/// `sid-train --evaluate` on the digits.
@Suite("sid-train measures on the way", .serialized)
struct TrainEvaluationTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try Data(SignalFixture.network.utf8).write(to: URL(fileURLWithPath: folder.file("network.yaml")))
    for (program, arguments) in [
      (
        "sid-convert",
        [
          Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"), "--output",
          folder.file("features.h5"),
        ]
      ),
      (
        "sid-score",
        [
          "reference", "--dataset", Fixtures.digits("digits-8x8.zip"), "--features", folder.file("features.h5"),
          "--output", folder.file("reference.h5"),
        ]
      ),
    ] {
      let outcome = try Programs.run(program, arguments)
      try #require(outcome.status == 0, "\(outcome.errors)")
    }
  }

  /// Zeros and ones more often than the others.
  private static let classes = "0*3,1*2,2-9"

  private func arguments(_ name: String, _ more: [String] = []) -> [String] {
    [
      "--dataset", Fixtures.digits("digits-8x8.zip"), "--output", folder.file(name + ".h5"), "--state",
      folder.file(name + ".state.h5"), "--conditional", "--config", folder.file("network.yaml"), "--batch", "32",
      "--lr", "4e-3", "--lr-rampup-kimg", "0.3", "--ema-halflife-kimg", "0.5", "--dropout", "0", "--augment", "0",
      "--duration-kimg", "3.2", "--evaluate", "--evaluate-kimg", "0.8", "--evaluate-seeds", "0-127", "--evaluate-steps",
      "8", "--features", folder.file("features.h5"), "--reference", folder.file("reference.h5"), "--evaluate-metrics",
      "is", "--snapshot-kimg", "1.6", "--evaluate-class", Self.classes,
    ] + more
  }

  private func record(_ name: String) throws -> JSONValue {
    try #require(JSONValue(json: Array(try Data(contentsOf: URL(fileURLWithPath: folder.file(name + ".json"))))))
  }

  private func parameters(_ name: String) throws -> [[Float]] {
    let group = try HDF5File.open(folder.file(name + ".h5")).root.group("parameters")
    return try group.names.map { try group.dataset($0).read(Float.self) }
  }

  /// The samples over time that a network keeps, and when they were made.
  private func course(_ name: String) throws -> (samples: [UInt8], kimg: [Double]) {
    let group = try HDF5File.open(folder.file(name + ".h5")).root.group("course")
    return (try group.dataset("samples").read(UInt8.self), try group.dataset("kimg").read(Double.self))
  }

  @Test("The distance falls; curve, best network and snapshots are the same however often it was interrupted")
  func curve() throws {
    let whole = try Programs.run("sid-train", arguments("whole"))
    try #require(whole.status == 0, "\(whole.errors)")
    let record = try record("whole")
    let curve = record["curve"]?.arrayValue ?? []
    #expect(curve.compactMap { $0["kimg"]?.realValue } == [0, 0.8, 1.6, 2.4, 3.2])
    let distances = curve.compactMap { $0["fd"]?.realValue }
    let (first, last) = (distances.first ?? 0, distances.last ?? .infinity)
    #expect(distances.count == 5 && last < 0.7 * first, "\(distances)")
    #expect(curve.allSatisfy { $0["is"] != nil })
    #expect(record["figures"]?["fd_training_last"]?.realValue == distances.last)
    #expect(record["figures"]?["fd_training_best"]?.realValue == distances.min())
    let files = (record["files"]?.arrayValue ?? []).compactMap { $0["name"]?.textValue }
    #expect(
      files == [
        "whole-000001.h5", "whole-best.h5", "whole-curve.png", "whole.h5", "whole.state.h5", "whole.stats.jsonl",
      ])
    // What was measured is what sid-sample and sid-score measure of the published network.
    for step in [
      [
        "sid-sample", "--network", folder.file("whole.h5"), "--sampler", "heun", "--steps", "8", "--class",
        Self.classes, "--seeds", "0-127", "--output", folder.file("a.h5"),
      ],
      [
        "sid-score", "--samples", folder.file("a.h5"), "--reference", folder.file("reference.h5"), "--features",
        folder.file("features.h5"), "--metrics", "fid", "--output", folder.file("score.h5"),
      ],
    ] {
      let outcome = try Programs.run(step[0], Array(step.dropFirst()))
      try #require(outcome.status == 0, "\(outcome.errors)")
    }
    let scored = try self.record("score")["figures"]?["fid"]?.realValue ?? .nan
    #expect(abs(scored / last - 1) < 1e-6, "\(scored), \(distances)")

    var kills = 0
    for attempt in 0..<40 {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Programs.path("sid-train"))
      process.arguments = arguments("parts", ["--state-kimg", "0.064"])
      process.standardError = FileHandle.nullDevice
      try process.run()
      Thread.sleep(forTimeInterval: Double.random(in: 0.3...2))
      kill(process.processIdentifier, attempt % 3 == 2 ? SIGTERM : SIGKILL)
      process.waitUntilExit()
      if process.terminationReason == .exit, process.terminationStatus == 0 { break }
      kills += 1
    }
    let finished = try Programs.run("sid-train", arguments("parts"))
    #expect(finished.status == 0, "\(finished.errors)")
    for file in ["", "-best", "-000001"] {
      #expect(try parameters("parts" + file) == parameters("whole" + file), "\(file), \(kills) kills")
    }
    let again = (try self.record("parts")["curve"]?.arrayValue ?? []).compactMap { $0["fd"]?.realValue }
    #expect(again == distances, "\(kills) kills")
    #expect(try course("parts") == course("whole"), "\(kills) kills")
    #expect(try course("whole").kimg == [0, 0.8, 1.6, 2.4, 3.2])
  }

  @Test("--dry-run counts the sampler's evaluations; --stop-at-fd ends the training")
  func costs() throws {
    func flops(_ more: [String]) throws -> Double {
      let outcome = try Programs.run("sid-train", arguments("g", ["--dry-run"] + more))
      let line = try #require(outcome.output.split(separator: "\n").first { $0.hasPrefix("FLOPs") }, "\(outcome)")
      return try #require(line.split(separator: " ").last.flatMap { Double($0) })
    }
    let (few, many) = (try flops([]), try flops(["--evaluate-steps", "40"]))
    #expect(many > 1.5 * few)
    let stopped = try Programs.run("sid-train", arguments("s", ["--stop-at-fd", "1e9"]))
    #expect(stopped.status == 0, "\(stopped.errors)")
    #expect(try record("s")["figures"]?["trained_kimg"]?.realValue == 0.8)
  }

  @Test("The step `train` of a job makes the teacher that the next step distills")
  func job() throws {
    let job = try JobFile(
      Array(
        """
        job: mine
        steps:
          - train: { dataset: mine.zip, channel-mult: '1,2', conditional: true, duration-kimg: 10, name: teacher }
          - distill: { batch: 4, name: generator }
          - sample: { network: teacher, sampler: heun, seeds: 0-9 }
        """.utf8))
    #expect(job.steps.map(\.stage.stage) == ["train", "distill", "sample"])
    #expect(job.steps[0].stage.fileOptions.map(\.suffix) == [".h5", ".training-state.h5"])
    for (text, key) in [
      ("train: { channel-mult: '1,2' }", "train"), ("train: { dataset: a.zip, channel-mult: '0' }", "channel-mult"),
      ("train: { dataset: a.zip, config: a.yaml, arch: adm }", "arch"),
      ("train: { dataset: a.zip, evaluate-steps: 4 }", "evaluate-steps"),
    ] {
      let error = #expect(throws: YAMLError.self) { try JobFile(Array("job: j\nsteps:\n  - \(text)\n".utf8)) }
      #expect(error?.key == key, "\(text): \(String(describing: error))")
    }
    // Files that the training leaves beside its output must not be another step's.
    #expect(throws: YAMLError.self) {
      try JobFile(
        Array(
          "job: j\nsteps:\n  - train: { dataset: a.zip, name: t }\n  - sample: { seeds: 0-9, name: t-best }\n".utf8))
    }
  }
}
