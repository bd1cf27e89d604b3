import Foundation
import HDF5
import TestSupport
import Testing

/// `sid-score` as a user runs it.
@Suite("sid-score")
struct ScoreTests {
  let folder: TemporaryFolder
  let features: String
  let reference: String
  static let archive = Fixtures.digits("digits-8x8.zip")

  init() throws {
    folder = try TemporaryFolder()
    features = folder.file("features.h5")
    reference = folder.file("reference.h5")
    let converted = try Programs.run(
      "sid-convert",
      [Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"), "--output", features])
    try #require(converted.status == 0, "\(converted.errors)")
    let made = try Programs.run(
      "sid-score", ["reference", "--dataset", Self.archive, "--features", features, "--output", reference])
    try #require(made.status == 0, "\(made.errors)")
  }

  func score(_ samples: String, _ output: String, _ more: String...) throws -> Programs.Outcome {
    try Programs.run("sid-score", arguments(samples, output) + more)
  }

  func arguments(_ samples: String, _ output: String) -> [String] {
    ["--samples", samples, "--reference", reference, "--features", features, "--output", folder.file(output)]
  }

  func summary(_ name: String) throws -> [String: Any] {
    let data = try Data(contentsOf: URL(fileURLWithPath: folder.file(name)))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  @Test("A core of OpenBLAS that a newer processor fell back to is exchanged at the start; one that is named is not")
  func exchangesCores() throws {
    func kernels(_ name: String) throws -> String {
      let provenance = try HDF5File.open(folder.file(name)).root.stringAttribute("provenance")
      let object = try JSONSerialization.jsonObject(with: Data(provenance.utf8)) as? [String: Any]
      return try #require(object?["kernels"] as? String)
    }
    // As if the library had chosen the old core by itself: its name does not come from outside.
    let fallen = ["OPENBLAS_CORETYPE": "Prescott", "SID_OPENBLAS_TRIED": "Prescott"]
    let samples = try manySamples(1000)
    for (output, environment) in [
      ("a.h5", fallen), ("b.h5", ["OPENBLAS_CORETYPE": "Prescott", "SID_OPENBLAS_TRIED": ""]),
    ] {
      let outcome = try Programs.run("sid-score", arguments(samples, output), environment: environment)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    #expect(try kernels("b.h5").hasSuffix(", OpenBLAS Prescott"))
    #expect(try !kernels("a.h5").hasSuffix(", OpenBLAS Prescott"))
    let (other, named) = (try figure("fd", in: "a.json"), try figure("fd", in: "b.json"))
    #expect(named > 0.1 && abs(other / named - 1) < 1e-9, "\(other), \(named) by the older core")
  }

  func figure(_ name: String, in file: String) throws -> Double {
    try #require((try summary(file)["figures"] as? [String: Double])?[name])
  }

  /// Gray images of growing darkness, many enough that scoring them takes a while.
  func manySamples(_ count: Int) throws -> String {
    let path = folder.file("samples.h5")
    try HDF5File.publish(path) { file in
      try file.root.setAttribute("format", "sid-samples")
      try file.root.setAttribute("format_version", 1)
      let images = try file.root.createDataset(
        "images", of: UInt8.self, shape: [count, 8, 8, 1], storage: .chunked(rows: 1000, checksum: true, deflate: nil))
      for first in stride(from: 0, to: count, by: 10_000) {
        let rows = first..<min(first + 10_000, count)
        try images.write(
          (rows.lowerBound * 64..<rows.upperBound * 64).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 9) }, rows: rows)
      }
    }
    return path
  }

  @Test("Reference statistics carry their origin; the floor of the real images stands in file and summary")
  func floor() throws {
    let statistics = try HDF5File.open(reference)
    try statistics.requireFormat(HDF5Format("sid-statistics"))
    #expect(try statistics.root.intAttribute("num_images") == 1797)
    #expect(try statistics.root.dataset("sigma").shape == [64, 64])
    #expect(try statistics.root.stringAttribute("created_by").hasPrefix("sid-score "))
    #expect(try summary("reference.json")["rank"] as? Int == 54)

    let outcome = try score(Self.archive, "floor.h5", "--resample", "5000", "--figure", "fd_floor")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let floor = try figure("fd_floor", in: "floor.json")
    #expect((0.04...0.2).contains(floor))
    let root = try HDF5File.open(folder.file("floor.h5")).root
    // Foundation reads decimals to the last bit but one.
    #expect(try abs(root.doubleAttribute("fd_floor") / floor - 1) < 1e-14)
    #expect(try root.intAttribute("fd_floor_image_count") == 5000)
    #expect(try root.intAttribute("fd_floor_reference_image_count") == 1797)
    #expect(try root.stringAttribute("fd_floor_definition").contains("with replacement"))
    #expect(try summary("floor.json")["stage"] as? String == "score")
    #expect(try summary("floor.json")["output"] as? String == "floor.h5")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.contains("moments") })

    #expect(try score(Self.archive, "all.h5").status == 0)
    #expect(try abs(figure("fd", in: "all.json")) < 1e-4)
  }

  @Test("A second run is recognised, other options are refused by name, --overwrite makes it anew")
  func finishedOutput() throws {
    #expect(try score(Self.archive, "a.h5", "--count", "500").status == 0)
    let first = try Data(contentsOf: URL(fileURLWithPath: folder.file("a.h5")))
    let again = try score(Self.archive, "a.h5", "--count", "500", "--threads", "1")
    #expect(again.status == 0)
    #expect(again.errors.contains("nothing to do"))
    let other = try score(Self.archive, "a.h5", "--count", "600")
    #expect(other.status == 73)
    #expect(other.errors.contains("--count"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file("a.h5"))) == first)
    #expect(try score(Self.archive, "a.h5", "--count", "600", "--overwrite").status == 0)
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file("a.h5"))) != first)
    #expect(try score(Self.archive, "a.h5", "--count", "500", "--overwrite", "--threads", "1").status == 0)
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file("a.h5"))) == first)
  }

  @Test("Stopped or killed in the middle, it continues to the same bytes")
  func interrupted() throws {
    let samples = try manySamples(120_000)
    #expect(try score(samples, "whole.h5").status == 0)
    let state = folder.file(".parts.moments.h5")
    var interruptions = 0
    for signal in [SIGHUP, SIGKILL, SIGUSR1] {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Programs.path("sid-score"))
      process.arguments = arguments(samples, "parts.h5")
      process.standardError = FileHandle.nullDevice
      let before = modificationTime(state)
      try process.run()
      while process.isRunning && modificationTime(state) == before { usleep(2000) }
      kill(process.processIdentifier, signal)
      process.waitUntilExit()
      if process.terminationReason == .exit && process.terminationStatus == 0 { break }
      #expect(process.terminationStatus == (signal == SIGKILL ? SIGKILL : 75))
      interruptions += 1
      #expect(FileManager.default.fileExists(atPath: state))
      #expect(!FileManager.default.fileExists(atPath: folder.file("parts.h5")))
    }
    // A machine so slow that the process ends before the signal comes would prove nothing.
    #expect(interruptions >= 2)
    #expect(try score(samples, "parts.h5").status == 0)
    #expect(!FileManager.default.fileExists(atPath: state))
    let whole = try Data(contentsOf: URL(fileURLWithPath: folder.file("whole.h5")))
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file("parts.h5"))) == whole)
  }

  private func modificationTime(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec : 0
  }

  @Test("Inputs that do not belong together, and missing ones, end with one line that names them")
  func refused() throws {
    func expect(_ outcome: Programs.Outcome, _ status: Int32, _ words: String...) throws {
      #expect(outcome.status == status)
      #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
      for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
      #expect(!FileManager.default.fileExists(atPath: folder.file("out.h5")))
      #expect(!FileManager.default.fileExists(atPath: folder.file("out.json")))
    }
    try expect(score(folder.file("none.h5"), "out.h5"), 66, "none.h5")
    try expect(score(features, "out.h5"), 65, "features.h5", "sid-samples")
    try expect(score(Fixtures.path("golden/dataset/tiny_rgb_8x8.zip"), "out.h5"), 65, "tiny_rgb_8x8.zip", "3 channels")
    try expect(score(Fixtures.path("images/truncated.zip"), "out.h5"), 65, "truncated.zip")
    try expect(score(Self.archive, "out.h5", "--count", "1798"), 65, "1797", "--count")
    try expect(score(Self.archive, "none/out.h5"), 73, "folder")
    // The same network with another attribute is another file.
    let other = folder.file("other.h5")
    let made = try Programs.run(
      "sid-convert",
      [
        Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"), "--output", other,
        "--threads", "1",
      ])
    #expect(made.status == 0)
    var data = try Data(contentsOf: URL(fileURLWithPath: other))
    data.append(0)
    try data.write(to: URL(fileURLWithPath: other))
    var arguments = arguments(Self.archive, "out.h5")
    arguments[5] = other
    try expect(Programs.run("sid-score", arguments), 65, "reference.h5", "another feature network")
  }

  @Test(
    "Options that make no sense are usage errors",
    arguments: [
      ["--count", "1"], ["--resample", "0"], ["--count", "5", "--resample", "5"], ["--figure", "FD"], ["--figure", ""],
      ["--nonsense"], ["--threads", "0"],
    ])
  func usage(options: [String]) throws {
    #expect(try Programs.run("sid-score", arguments(Self.archive, "out.h5") + options).status == 64)
  }

  @Test("A dry run says what it would take and writes nothing")
  func dryRun() throws {
    let outcome = try score(Self.archive, "out.h5", "--dry-run")
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("FLOPs"))
    #expect(outcome.output.contains("1797 images"))
    #expect(try !FileManager.default.contentsOfDirectory(atPath: folder.path).contains { $0.hasPrefix("out") })
  }
}
