import Foundation
import Records
import TestSupport
import Testing

/// Figures over sets of images in a job: its summary, what shows it, and what is refused.
@Suite("Figures over sets of images in a job", .serialized)
struct SpoolSpreadTests {
  @Test("A job's summary has figure and spread, status and report show them as one, and later figures replace both")
  func inAJob() throws {
    let spool = try SpoolFixture()
    try spool.drop(
      """
      job: spread
      steps:
        - convert: { source: digits/features.safetensors, config: digits/features.yaml, name: features }
        - reference: { dataset: digits/digits-8x8.zip, name: reference }
        - score: { samples: digits/digits-8x8.zip, sets: 3, figure: fd_real, name: kept }
        - score: { samples: digits/digits-8x8.zip, sets: 3, name: early }
        - score: { samples: digits/digits-8x8.zip, count: 600, name: late }
        - score: { samples: digits/digits-8x8.zip, sets: 3, figure: fd_other, name: other }
        - score: { samples: digits/digits-8x8.zip, count: 700, figure: fd_other_spread, name: own }
        - score: { samples: digits/digits-8x8.zip, count: 800, figure: lone_spread, name: lone }
        - report: {}

      """)
    let programs = (Programs.path("sid-score") as NSString).deletingLastPathComponent
    try spool.startDaemon(
      ["--program-directory", programs, "--input-root", Fixtures.digits(".."), "--exit-when-idle"]
    ).waitUntilExit()
    let folder = try #require(spool.jobs("done").first, "\(spool.log)")
    let summary = try #require(JSONValue(json: Array(spool.read(folder + "/summary.json").utf8))?.objectValue)
    let kept = try #require(summary["steps"]?["kept"]?["figures"])
    #expect(kept["fd_real_spread"]?.realValue != nil)
    #expect(summary["fd_real"] == kept["fd_real"] && summary["fd_real_spread"] == kept["fd_real_spread"])
    // A figure of a later step takes the spread of the earlier one's with it, and a name that a user chose is a name.
    #expect(summary["fd"] == summary["steps"]?["late"]?["figures"]?["fd"] && summary["fd_spread"] == nil)
    #expect(summary["steps"]?["early"]?["figures"]?["fd_spread"] != nil)
    #expect(summary["fd_other_spread"] == summary["steps"]?["own"]?["figures"]?["fd_other_spread"])

    let shown = try spool.control("status", "spread").output.split(separator: "\n").map(String.init)
    func line(_ figure: String) -> String? { shown.first { $0.hasPrefix(figure + " ") } }
    #expect(line("fd_real")?.contains(/\ \d+\.\d+ ± \d+\.\d+ \(3 sets of 599\)$/) == true, "\(shown)")
    #expect(line("fd_real_spread") == nil)
    for figure in ["fd", "fd_other", "fd_other_spread", "lone_spread"] {
      #expect(line(figure) != nil && line(figure)?.contains("±") == false, "\(figure): \(shown)")
    }

    let page = spool.read(folder + "/report.html")
    #expect(page.contains(/<th scope="row">fd_real<br>/) && !page.contains("<th scope=\"row\">fd_real_spread"))
    #expect(page.contains(/<span class="value">\d+\.\d+<\/span> <span class="small">± \d+\.\d+ \(3 sets of 599\)/))
    #expect(page.contains("3 sets of 599 images against 1,797"))
    #expect(page.contains(/<dt>fd_real, 3 sets of 599 images<\/dt><dd>\d+\.\d+<small> ± \d/))
    #expect(page.contains("<th scope=\"row\">lone_spread") && page.contains("<th scope=\"row\">fd_other_spread"))
  }

  @Test("A job that divides wrongly is refused where it is submitted, with its line")
  func refusedJob() throws {
    let spool = try SpoolFixture()
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    try spool.write(
      "job: j\nsteps:\n  - score: { samples: teacher.pkl, reference: teacher.pkl, features: teacher.pkl,\n      count: 5000, sets: 3 }\n",
      to: "j.yaml")
    let outcome = try spool.control("submit", spool.folder.file("j.yaml"))
    #expect(
      outcome.status != 0 && outcome.errors.contains("j.yaml:4: key \"count\": 5000 cannot be divided into 3 sets"),
      "\(outcome)")
    #expect(outcome.errors.contains("4998 can"), "\(outcome)")
  }
}
