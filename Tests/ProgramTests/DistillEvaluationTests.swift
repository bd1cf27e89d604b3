import Diagnostics
import Foundation
import HDF5
import TestSupport
import Testing

/// `sid-distill --evaluate` on the digits' teacher.
@Suite("sid-distill measures on the way", .serialized)
struct DistillEvaluationTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for (program, arguments) in [
      ("sid-convert", [Fixtures.digits("teacher.pkl"), "--output", folder.file("teacher.h5")]),
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

  private func arguments(_ name: String, _ more: [String] = []) -> [String] {
    [
      "--teacher", folder.file("teacher.h5"), "--output", folder.file(name + ".h5"), "--state",
      folder.file(name + ".state.h5"), "--batch", "64", "--microbatch", "64", "--lr", "1e-3", "--glr", "1e-3",
      "--dropout", "0", "--ema-halflife-kimg", "1e9", "--ema-rampup-ratio", "0.25", "--duration-kimg", "3.84",
      "--evaluate", "--evaluate-kimg", "0.64", "--evaluate-seeds", "0-255", "--features", folder.file("features.h5"),
      "--reference", folder.file("reference.h5"), "--evaluate-metrics", "is", "--evaluate-metrics", "fd-infinity",
    ] + more
  }

  @Test("--dry-run counts the evaluations")
  func dryRun() throws {
    func flops(_ more: [String]) throws -> Double {
      let outcome = try Programs.run("sid-distill", arguments("g", ["--dry-run"] + more))
      let line = try #require(outcome.output.split(separator: "\n").first { $0.hasPrefix("FLOPs") }, "\(outcome)")
      return try #require(line.split(separator: " ").last.flatMap { Double($0) })
    }
    let (few, many) = (try flops([]), try flops(["--evaluate-seeds", "0-9999"]))
    #expect(many > 1.5 * few, "\(few), \(many)")
  }

  private struct Report: Decodable {
    let figures: [String: Figure]
    let curve: [[String: Double]]
    let fit: [String: Figure]?

    enum Figure: Decodable, Equatable {
      case number(Double)
      case text(String)

      init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        self = try (try? value.decode(Double.self)).map { .number($0) } ?? .text(value.decode(String.self))
      }

      var number: Double? { if case .number(let value) = self { value } else { nil } }
    }
  }

  private func report(_ name: String) throws -> Report {
    try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(fileURLWithPath: folder.file(name + ".json"))))
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

  /// The curve without the seconds.
  private func withoutTimes(_ curve: [[String: Double]]) -> [[String: Double]] {
    curve.map { $0.filter { $0.key != "seconds" } }
  }

  @Test("The whole curve, its slope and its best generator are the same however often the run was interrupted")
  func curve() throws {
    let whole = try Programs.run("sid-distill", arguments("whole"))
    try #require(whole.status == 0, "\(whole.errors)")
    let report = try report("whole")
    #expect(report.curve.compactMap { $0["kimg"] } == [0, 0.64, 1.28, 1.92, 2.56, 3.2, 3.84])
    for point in report.curve {
      #expect(Set(point.keys).isSuperset(of: ["seconds", "fd", "is", "is_standard_deviation", "fid_infinity"]))
    }
    let seconds = report.curve.compactMap { $0["seconds"] }
    #expect(seconds == seconds.sorted() && seconds[0] > 0)
    let distances = report.curve.compactMap { $0["fd"] }
    #expect(report.figures["fd_distillation_last"]?.number == distances.last)
    #expect(report.figures["fd_distillation_best"]?.number == distances.min())
    #expect(access(folder.file("whole-curve.png"), F_OK) == 0)

    // The line through the falling part, found once more.
    let points = report.curve.compactMap { point in point["kimg"].flatMap { x in point["fd"].map { (x: x, y: $0) } } }
      .filter { $0.x > 0 }
    let first = try #require(points.indices.max { points[$0].y < points[$1].y })
    let last = try #require(points.indices.min { points[$0].y < points[$1].y })
    try #require(last - first >= 2, "the distance does not fall: \(distances)")
    let part = points[first...last].map { (x: log($0.x), y: log($0.y)) }
    let (sumX, sumY) = (part.reduce(0) { $0 + $1.x }, part.reduce(0) { $0 + $1.y })
    let (sumXX, sumXY) = (part.reduce(0) { $0 + $1.x * $1.x }, part.reduce(0) { $0 + $1.x * $1.y })
    let count = Double(part.count)
    let slope = (count * sumXY - sumX * sumY) / (count * sumXX - sumX * sumX)
    let found = try #require(report.figures["fd_distillation_slope"]?.number)
    #expect(abs(found - slope) < 1e-9 && slope < 0)
    #expect(report.fit?["slope"]?.number == found && report.fit?["points"]?.number == count)
    #expect(report.fit?["definition"] != nil)
    #expect(whole.errors.contains(String(format: "falls as kimg^%.2f", slope)), "\(whole.errors)")

    var stops = 0
    for round in 0..<30 {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Programs.path("sid-distill"))
      process.arguments = arguments("parts", ["--state-kimg", "0.32"])
      process.standardError = FileHandle.nullDevice
      try process.run()
      usleep(UInt32.random(in: 100_000...600_000))
      kill(process.processIdentifier, round % 2 == 0 ? PoliteSignals.all[round / 2 % PoliteSignals.all.count] : SIGKILL)
      process.waitUntilExit()
      if process.terminationReason == .exit, process.terminationStatus == 0 { break }
      stops += 1
    }
    let finished = try Programs.run("sid-distill", arguments("parts"))
    #expect(finished.status == 0 && stops > 0, "\(finished.errors)")
    let parts = try self.report("parts")
    #expect(withoutTimes(parts.curve) == withoutTimes(report.curve))
    #expect(parts.fit == report.fit)
    for suffix in ["", "-best"] { #expect(try parameters("parts" + suffix) == parameters("whole" + suffix)) }
    #expect(try course("parts") == course("whole") && course("whole").kimg == report.curve.compactMap { $0["kimg"] })
  }

  @Test("What the reference or the network cannot give is refused before anything is trained")
  func refusals() throws {
    for (more, status, says) in [
      (["--evaluate-metrics", "kid"], Int32(65), "--metrics kid"),
      (["--reference-count", "1"], 64, "--reference-count"),
      (["--reference-convention", "tensorflow"], 64, "npz"), (["--evaluate-metrics", "lpips"], 64, "lpips"),
      (["--evaluate-seeds", "5"], 65, "at least 2"),
      (["--evaluate-class", "3,10"], 64, "--evaluate-class 3,10: there is no class 10"),
      (["--evaluate-class", "each"], 64, "--evaluate-class"),
    ] {
      let outcome = try Programs.run("sid-distill", arguments("g", more))
      #expect(outcome.status == status && outcome.errors.contains(says), "\(more): \(outcome.errors)")
      #expect(access(folder.file("g.h5"), F_OK) != 0)
    }
    let unasked = try Programs.run(
      "sid-distill", arguments("g").filter { $0 != "--evaluate" } + ["--evaluate-metrics", "is"])
    #expect(unasked.status == 64 && unasked.errors.contains("--evaluate-metrics needs evaluate"), "\(unasked.errors)")
  }
}
