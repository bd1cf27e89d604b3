import Foundation
import HDF5
import TestSupport
import Testing

/// The colour examples, as they are shipped, from the pictures to the report.
@Suite("The jobs of the tiles run", .serialized)
struct TilesJobTests {
  /// All that makes a matter of seconds of them: two iterations each, one evaluation, and a few seeds.
  static let overrides = [
    "teacher.batch=4", "teacher.duration-kimg=0.008", "teacher.evaluate-kimg=inf",
    "teacher.evaluate-seeds=1000000-1000003", "teacher.lr-decay-start-kimg=0.004", "teacher.lr-rampup-kimg=0.004",
    "heun-samples.seeds=0-99", "heun-samples.steps=2", "generator.batch=4", "generator.duration-kimg=0.008",
    "generator.evaluate-kimg=inf", "generator.evaluate-seeds=1000000-1000003", "generator.lr-decay-start-kimg=0.004",
    "samples.seeds=0-99",
  ]

  /// How many pictures each class has.
  static let pictures = [421, 462, 731, 224, 216, 286, 565, 295, 607]

  @Test("from the pictures to the report, with a few iterations", arguments: ["tiles", "tiles-quick"])
  func job(name: String) throws {
    let spool = try SpoolFixture()
    try FileManager.default.createDirectory(atPath: spool.spool + "/incoming", withIntermediateDirectories: true)
    let pipeline = Fixtures.digits("..")
    let submitted = try Programs.run(
      "sidctl",
      ["submit", "\(pipeline)/\(name).yaml", "--spool", spool.spool] + Self.overrides.flatMap { ["--set", $0] })
    try #require(submitted.status == 0, "\(submitted.errors)")
    let programs = (Programs.path("sid-convert") as NSString).deletingLastPathComponent
    try spool.startDaemon(["--program-directory", programs, "--input-root", pipeline, "--exit-when-idle"])
      .waitUntilExit()
    let folder = try #require(spool.jobs("done").first, "\(spool.log)")

    let summary = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(fileURLWithPath: folder + "/summary.json")))
    let figures = try #require(summary as? [String: Any])
    for figure in ["fd_floor", "fd_teacher", "fd"] {
      let distance = figures[figure] as? Double ?? .nan
      #expect(distance > 0 && figures[figure + "_spread"] as? Double != nil, "\(figure) of \(figures.keys.sorted())")
    }
    // Pictures are nearer to themselves than what has hardly been trained.
    #expect(figures["fd_floor"] as? Double ?? .nan < 3)
    #expect(figures["fd_teacher"] as? Double ?? 0 > 30 && figures["fd"] as? Double ?? 0 > 30)

    for archive in ["heun-samples", "samples"] {
      let file = try HDF5File.open("\(folder)/\(archive).h5").root
      #expect(try file.dataset("images").shape == [100, 32, 32, 3])
      // As often as among the pictures.
      let labels = try file.dataset("labels").read(Int64.self)
      for (label, count) in Self.pictures.enumerated() {
        let share = 100 * Double(count) / Double(Self.pictures.reduce(0, +))
        #expect(abs(Double(labels.count { $0 == label }) - share) < 1, "class \(label)")
      }
    }
    let page = try String(contentsOfFile: folder + "/report.html", encoding: .utf8)
    #expect(page.contains("<h1>\(name)</h1>") && page.contains("seed 0"))
  }
}
