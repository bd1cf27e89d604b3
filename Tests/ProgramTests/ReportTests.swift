import Files
import Foundation
import HDF5
import TestSupport
import Testing

/// `sid-report` as a user runs it.
@Suite("sid-report", .serialized)
struct ReportTests {
  /// The `src` of all images whose alternative text satisfies a condition, in their order.
  private func sources(_ html: String, where isWanted: (String) -> Bool) -> [String] {
    html.components(separatedBy: "<img ").dropFirst().compactMap { element in
      func attribute(_ name: String) -> String? {
        element.components(separatedBy: "\(name)=\"").dropFirst().first?.components(separatedBy: "\"").first
      }
      return attribute("alt").map(isWanted) == true ? attribute("src") : nil
    }
  }

  private func expectSelfContained(_ html: String) {
    for attribute in ["src", "href"] {
      for value in html.components(separatedBy: " \(attribute)=\"").dropFirst() {
        #expect(value.hasPrefix("data:") || value.hasPrefix("#"), "\(value.prefix(80))")
      }
    }
    for markup in ["<script", "<iframe", "url(", "@import", " onerror=\"", "<form"] {
      #expect(!html.contains(markup), "\(markup)")
    }
    #expect(html.contains("default-src 'none'; img-src data:"))
  }

  @Test("tells each of several distillations: its curve, what it began with, and the real images that it saw")
  func distillations() throws {
    let job = try ReportFixture()
    func distill(_ name: String, _ more: [String]) throws {
      let outcome = try Programs.run(
        "sid-distill",
        [
          "--teacher", job.folder.file("teacher.h5"), "--output", job.folder.file(name + ".h5"), "--state",
          job.folder.file(name + ".training-state.h5"), "--batch", "16", "--duration-kimg", "0.064", "--evaluate",
          "--features", job.folder.file("features.h5"), "--reference", job.folder.file("reference.h5"),
          "--evaluate-kimg", "0.016", "--evaluate-seeds", "1000000-1000099",
        ] + more)
      try #require(outcome.status == 0, "\(outcome.errors)")
    }
    try distill("first", [])
    try distill(
      "second",
      [
        "--initial-generator", job.folder.file("first.h5"), "--adversarial", "--dataset",
        Fixtures.digits("digits-8x8.zip"), "--generator-start-kimg", "0", "--adversarial-start-kimg", "0.016",
      ])
    let made = try job.report()
    #expect(made.status == 0, "\(made.errors)")
    let html = try job.html()
    expectSelfContained(html)
    for part in [
      "<strong>first</strong> was distilled from",
      ", without training data. <strong>second</strong> was distilled from",
      ", beginning with <strong>", ", with the real images of <strong>", "<h3>first</h3>", "<h3>second</h3>",
      "as first, then second was distilled",
    ] { #expect(html.contains(part), "\(part)") }
    #expect(html.components(separatedBy: "class=\"plot wide\"").count == 3)
  }

  @Test("makes one page of a folder that the programs filled, and recognizes it")
  func page() throws {
    let job = try ReportFixture()
    try job.writeDistillation()
    try job.write("job: sixty # a comment\nsteps: <b>&\n", to: "job.yaml")
    let made = try job.report()
    #expect(made.status == 0, "\(made.errors)")
    let html = try job.html()
    expectSelfContained(html)
    for part in [
      "<h1>sixty</h1>", "<strong>60 images</strong> of 8×8 pixels, one network evaluation each", "fd_sixty",
      "all 60 images", "class=\"plot wide\"", "slope -0.9", "job: sixty # a comment\nsteps: &lt;b&gt;&amp;",
      "covariances divided by N - 1", "no logs of a daemon", "by sid-sample 0.1.0", "<b>rng</b> torch-cpu",
    ] { #expect(html.contains(part), "\(part)") }
    for id in ["samples", "classes", "between", "pairs", "curve", "scores", "timings", "provenance", "job"] {
      #expect(html.contains("<section id=\"\(id)\""), "\(id)")
    }
    // The ends of a strip are images of the archive, to the byte.
    let strip = sources(html) { $0.hasPrefix("seed 0 to seed 10, class 0, ") }
    #expect(strip.count == 9 && strip.first == sources(html) { $0 == "seed 0, class 0" }.first)
    #expect(strip.last == sources(html) { $0 == "seed 10, class 0" }.first && strip[4] != strip[0])
    let summary = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(fileURLWithPath: job.folder.file("report.json"))))
    let figures = try #require((summary as? [String: Any])?["figures"] as? [String: Any])
    #expect(figures["report"] as? String == "report.html" && figures["exact_duplicates"] as? Int == 0)
    #expect((figures["nearest_pair_distance"] as? Double ?? 0) > 0)

    let again = try job.report()
    #expect(again.status == 0 && again.errors.contains("nothing to do"))
    #expect(try job.report("--threads", "1", "--overwrite").status == 0)
    #expect(try job.html() == html, "the same page, whatever the threads")
  }

  @Test("publishes again what a crash left undone, and refuses what it did not make")
  func resumption() throws {
    let job = try ReportFixture()
    #expect(try job.report().status == 0)
    let html = try job.html()
    // The page without its figures, and the figures without their page.
    try FileManager.default.removeItem(atPath: job.folder.file("report.json"))
    #expect(try job.report().status == 0)
    #expect(FileManager.default.fileExists(atPath: job.folder.file("report.json")))
    try FileManager.default.removeItem(atPath: job.page)
    try job.write("debris", to: "report.html.partial")
    #expect(try job.report().status == 0)
    #expect(try job.html() == html)
    #expect(!FileManager.default.fileExists(atPath: job.page + ".partial"))

    let other = try job.report("--frames", "5")
    #expect(other.status == 73 && other.errors.contains("--frames was 9 and is now 5"), "\(other.errors)")
    #expect(try job.html() == html)
    try job.write("job: other\n", to: "job.yaml")
    let changed = try job.report()
    #expect(changed.status == 73 && changed.errors.contains("job.yaml"), "\(changed.errors)")
    #expect(try job.report("--overwrite").status == 0)
    #expect(try job.html().contains("<h1>other</h1>"))
    try job.write("<p>mine</p>", to: "report.html")
    let foreign = try job.report()
    #expect(foreign.status == 73 && foreign.errors.contains("no output of sid-report"), "\(foreign.errors)")
    #expect(try job.html() == "<p>mine</p>")
  }

  @Test("says in one line what is wrong, and leaves nothing behind")
  func errors() throws {
    let job = try ReportFixture()
    func expect(_ arguments: [String], _ status: Int32, _ text: String) throws {
      let outcome = try Programs.run("sid-report", arguments)
      #expect(outcome.status == status && outcome.errors.contains(text), "\(arguments): \(outcome.errors)")
      if status != 64 {
        #expect(outcome.errors.split(separator: "\n").count { !$0.hasPrefix("report ") } == 1, "\(outcome.errors)")
      }
    }
    let (folder, page) = (job.folder.path, job.page)
    try expect(["--job", folder + "/none", "--output", page], 66, "not a folder")
    try expect(["--job", folder, "--output", folder + "/none/report.html"], 73, "its folder does not exist")
    try expect(["--job", folder, "--output", folder + "/report.h5"], 64, "must end in .html")
    try expect(["--job", folder, "--output", page, "--duplicates", "10001"], 64, "--duplicates")
    try expect(["--job", folder, "--output", page, "--network", folder + "/none.h5"], 66, "no such file")
    try expect(["--job", folder, "--output", page, "--samples", folder + "/teacher.h5"], 65, "teacher.h5")
    try expect(
      ["--job", folder, "--output", page, "--network", folder + "/features.h5"], 65, "not the network of the archive")
    try expect(
      ["--job", folder, "--output", page, "--expect-sha256", "samples=\(String(repeating: "0", count: 64))"], 65,
      "SHA-256")
    #expect(try job.report("--dry-run").output.contains("peak memory"))
    let bytes = try Data(contentsOf: URL(fileURLWithPath: job.folder.file("samples.h5")))
    try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: job.folder.file("samples.h5")))
    try expect(["--job", folder, "--output", page], 65, "samples.h5")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(!names.contains { $0.hasPrefix("report") })
  }

  @Test("makes no page without what the system does not let it read: later the same command would make another")
  func unreadable() throws {
    let job = try ReportFixture()
    let place = try TemporaryFolder()
    let page = place.file("report.html")
    chmod(job.folder.path, 0o755)
    #expect(chown(place.path, 65534, 65534) == 0, "these tests run as root")
    // As somebody who is not root, whom permissions concern.
    func report() throws -> Programs.Outcome {
      try Programs.run(
        "/usr/bin/setpriv",
        [
          "--reuid", "65534", "--regid", "65534", "--clear-groups", Programs.path("sid-report"), "--job",
          job.folder.path, "--output", page,
        ])
    }
    for name in ["samples.json", "samples.h5", "job.yaml", "status.json"] {
      if name == "job.yaml" { try job.write("job: other\n", to: name) }
      if name == "status.json" { try job.write("{}", to: name) }
      chmod(job.folder.file(name), 0o600)
      let outcome = try report()
      #expect(outcome.status == 66 && outcome.errors.contains("\(name): cannot open: Permission denied"), "\(outcome)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).isEmpty)
      chmod(job.folder.file(name), 0o644)
    }
    #expect(try report().status == 0)
  }

  @Test("makes a page of hostile files, as text")
  func hostileFiles() throws {
    let job = try ReportFixture()
    try job.writeHostileFiles()
    let outcome = try job.report()
    #expect(outcome.status == 0, "\(outcome.errors)")
    let html = try job.html()
    expectSelfContained(html)
    #expect(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
    #expect(!html.unicodeScalars.contains("\u{202E}"))
    for problem in [
      "evil.h5", "deep.json is no JSON", "large.json", "pipe.json", "names the output", "folder.json",
      "taught.stats.jsonl: 3 of 4 lines", "waiting.stats.jsonl: not a regular file", "taught.h5",
    ] {
      #expect(outcome.errors.contains(problem) && html.contains(problem), "\(problem)")
    }
    #expect(try job.report().errors.contains("nothing to do"), "its own page is read back whatever stands in it")
  }

  @Test("makes a page of what is there: an archive alone, and nothing at all")
  func littleToShow() throws {
    let job = try ReportFixture()
    for name in ["teacher", "features", "reference", "score"] {
      for ending in [".h5", ".json"] { try FileManager.default.removeItem(atPath: job.folder.file(name + ending)) }
    }
    #expect(try job.report().status == 0)
    let html = try job.html()
    for part in ["the folder does not hold teacher.h5", "the job has no scores", "holds no job.yaml", "all 60 images"] {
      #expect(html.contains(part), "\(part)")
    }
    let empty = try TemporaryFolder()
    #expect(try Programs.run("sid-report", ["--job", empty.path, "--output", empty.file("r.html")]).status == 0)
    let page = try String(contentsOfFile: empty.file("r.html"), encoding: .utf8)
    expectSelfContained(page)
    #expect(page.contains("the job has no archive of samples"))
  }

  @Test("is the last step of a job of the spool")
  func asAStep() throws {
    let spool = try SpoolFixture()
    try spool.drop(
      """
      job: looked-at
      steps:
        - convert: { source: digits/teacher.pkl, name: teacher }
        - sample: { seeds: 0-39, class: balanced, name: samples }
        - report: { frames: 3 }

      """)
    let programs = (Programs.path("sid-report") as NSString).deletingLastPathComponent
    let daemon = try spool.startDaemon(
      ["--program-directory", programs, "--input-root", Fixtures.digits(".."), "--exit-when-idle"])
    daemon.waitUntilExit()
    let folder = try #require(spool.jobs("done").first, "\(spool.log)")
    let html = spool.read(folder + "/report.html")
    #expect(html.contains("<h1>looked-at</h1>") && html.contains("seed 0 to seed 10, class 0, 1 of 2 steps along"))
    #expect(html.contains("- report: { frames: 3 }"))
    #expect(!html.contains("no logs of a daemon") && !html.contains("Not everything could be read"))
    #expect(spool.read(folder + "/summary.json").contains(#""report" : "report.html""#))
    #expect(try spool.control("status", "looked-at").output.contains("report.html"))
  }

  @Test("names a JSON file whose name is not UTF-8, and makes the page of the rest")
  func foreignNames() throws {
    let job = try ReportFixture()
    for bytes in [[0xFF] + Array(".json".utf8), [0x63, 0xE9], Array(".tmp\u{1F}".utf8)] as [[UInt8]] {
      let made = ByteName(Array("\(job.folder.path)/".utf8) + bytes).withCString { open($0, O_CREAT | O_WRONLY, 0o600) }
      try #require(made >= 0)
      close(made)
    }
    let made = try job.report()
    #expect(made.status == 0, "\(made.errors)")
    #expect(made.errors.contains("\\xff.json is not read: the name is not UTF-8"), "\(made.errors)")
    #expect(try job.html().contains("seed 0"))
  }
}
