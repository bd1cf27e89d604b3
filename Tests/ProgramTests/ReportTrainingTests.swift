import Foundation
import HDF5
import Records
import TestSupport
import Testing

/// What `sid-report` shows of a teacher that was trained here, and of a generator that was distilled from it.
@Suite("sid-report of a training", .serialized)
struct ReportTrainingTests {
  let folder: TemporaryFolder
  private var page: String { folder.file("report.html") }

  init() throws {
    folder = try TemporaryFolder()
    try Data(SignalFixture.network.utf8).write(to: URL(fileURLWithPath: folder.file("network.yaml")))
    try run(
      "sid-convert", Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"), "--output",
      folder.file("features.h5"))
    try run(
      "sid-score", "reference", "--dataset", Fixtures.digits("digits-8x8.zip"), "--features",
      folder.file("features.h5"), "--output", folder.file("reference.h5"))
  }

  private func run(_ program: String, _ arguments: String...) throws {
    let outcome = try Programs.run(program, arguments)
    try #require(outcome.status == 0, "\(program) \(arguments): \(outcome.errors)")
  }

  private var evaluation: [String] {
    [
      "--evaluate", "--evaluate-kimg", "0.4", "--evaluate-seeds", "500-563", "--features", folder.file("features.h5"),
      "--reference", folder.file("reference.h5"),
    ]
  }

  private func train(_ dataset: String, _ more: [String]) throws {
    let outcome = try Programs.run(
      "sid-train",
      [
        "--dataset", dataset, "--output", folder.file("teacher.h5"), "--state", folder.file("teacher.state.h5"),
        "--conditional", "--config", folder.file("network.yaml"), "--batch", "16", "--microbatch", "4", "--lr", "4e-3",
        "--lr-rampup-kimg", "0.2", "--ema-halflife-kimg", "0.5", "--dropout", "0", "--augment", "0", "--duration-kimg",
        "1.6",
      ] + more)
    try #require(outcome.status == 0, "\(outcome.errors)")
  }

  private func sample(_ network: String, _ more: [String] = []) throws {
    let outcome = try Programs.run(
      "sid-sample",
      [
        "--network", folder.file(network), "--seeds", "0-79", "--class", "balanced", "--output",
        folder.file("samples.h5"),
      ]
        + more)
    try #require(outcome.status == 0, "\(outcome.errors)")
  }

  private func report(_ more: String...) throws -> (outcome: Programs.Outcome, html: String) {
    let outcome = try Programs.run("sid-report", ["--job", folder.path, "--output", page, "--overwrite"] + more)
    return (outcome, (try? String(contentsOfFile: page, encoding: .utf8)) ?? "")
  }

  private func record() throws -> JSONValue {
    try #require(JSONValue(json: Array(try Data(contentsOf: URL(fileURLWithPath: folder.file("report.json"))))))
  }

  @Test(
    "Losses by noise level, the curve, samples over time, nearest training pictures: of the teacher and its student")
  func whole() throws {
    let dataset = folder.file("digits.zip")
    try FileManager.default.copyItem(atPath: Fixtures.digits("digits-8x8.zip"), toPath: dataset)
    try train(dataset, evaluation + ["--evaluate-steps", "5"])
    let distilled = try Programs.run(
      "sid-distill",
      [
        "--teacher", folder.file("teacher.h5"), "--output", folder.file("generator.h5"), "--state",
        folder.file("generator.state.h5"), "--batch", "16", "--microbatch", "4", "--duration-kimg", "0.8", "--augment",
        "0",
      ] + evaluation)
    try #require(distilled.status == 0, "\(distilled.errors)")
    try sample("generator.h5")
    let (outcome, html) = try report()
    #expect(outcome.status == 0, "\(outcome.errors)")
    for part in [
      "<section id=\"training\"", "<section id=\"curve\"", "<section id=\"memorising\"",
      "<strong>teacher</strong> was trained on 1,797 pictures of <strong>digits.zip</strong>, over 1.6 thousand images",
      "class=\"loss all\"", "Mean loss over 0.016 to 1.6 thousand images, by noise level: σ ",
      "σ 0.1–0.3", "Frechet distance of samples, average of the teacher.", "average of the generator.",
      "The same seeds as teacher was trained", "The same seeds as generator was trained",
      "seed 507 after 0.4 thousand images", "<dd>all 80 images</dd>", "all 1,797 images, digits.zip",
    ] { #expect(html.contains(part), "\(part)") }
    #expect(!html.contains("Not shown: samples over time") && !html.contains("Not shown: the losses"))
    // Five evaluations of the teacher and three of the generator, eight seeds of each.
    #expect(html.components(separatedBy: "alt=\"seed 500 after ").count == 1 + 5 + 3)
    #expect(html.components(separatedBy: " thousand images\" title").count == 1 + 8 * (5 + 3))
    // The pictures are those that were measured: what sid-sample makes of the same seeds.
    let history = try HDF5File.open(folder.file("generator.h5")).root.group("course")
    let kept = try history.dataset("samples").read(UInt8.self, rows: 2..<3)
    try FileManager.default.createDirectory(atPath: folder.file("other"), withIntermediateDirectories: false)
    try run(
      "sid-sample", "--network", folder.file("generator.h5"), "--seeds", "500-507", "--class", "balanced", "--output",
      folder.file("other/a.h5"))
    #expect(try HDF5File.open(folder.file("other/a.h5")).root.dataset("images").read(UInt8.self) == kept)
    let figures = try record()["figures"]
    let copies = try #require(figures?["copies_of_training_pictures"]?.integerValue)
    #expect(html.contains("copies of training pictures among 80 samples</dt><dd>\(copies)</dd>"))
    // Threads and another run change nothing; another log does.
    #expect(try report("--threads", "1").html == html)
    func again() throws -> Programs.Outcome {
      try Programs.run("sid-report", ["--job", folder.path, "--output", page])
    }
    #expect(try again().errors.contains("nothing to do"))
    try Data("{}\n".utf8).write(to: URL(fileURLWithPath: folder.file("teacher.stats.jsonl")))
    let changed = try again()
    #expect(changed.status == 73 && changed.errors.contains("teacher.stats.jsonl"), "\(changed.errors)")
    let (damaged, rest) = try report()
    #expect(damaged.status == 0 && damaged.errors.contains("teacher.stats.jsonl: 1 of 1 line"), "\(damaged.errors)")
    #expect(rest.contains("teacher.stats.jsonl: 1 of 1 line") && rest.contains("Not shown: the losses"))
  }

  @Test("Without evaluations, and without the data set, the page says so")
  func little() throws {
    try train(Fixtures.digits("digits-8x8.zip"), [])
    try sample("teacher.h5", ["--sampler", "heun", "--steps", "4"])
    let (outcome, html) = try report()
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(html.contains("distance and samples over time: nothing was measured on the way (evaluate)"))
    #expect(html.contains("the folder does not hold digits-8x8.zip, which the network was trained on (--dataset"))
    #expect(html.contains("class=\"loss all\"") && !html.contains("copies of training pictures among"))
    let (named, page) = try report("--dataset", Fixtures.digits("digits-8x8.zip"))
    #expect(named.status == 0 && page.contains("all 1,797 images, digits-8x8.zip"), "\(named.errors)")
    #expect(!page.contains("another data set"))
    let (none, without) = try report("--dataset", Fixtures.digits("digits-8x8.zip"), "--duplicates", "0")
    #expect(none.status == 0 && without.contains("none were compared (--duplicates 0)"))
    let (wrong, _) = try report("--dataset", Fixtures.path("golden/dataset/tiny_rgb_8x8.zip"))
    #expect(wrong.status == 65 && wrong.errors.contains("8x8 pixels of 3 channels"), "\(wrong.errors)")
    #expect(try report("--dataset", folder.file("none.zip")).outcome.status == 66)
    let memory = try report("--dry-run", "--dataset", Fixtures.digits("digits-8x8.zip")).outcome
    #expect(memory.status == 0 && memory.output.contains("peak memory"))
  }

  @Test("A network that repeats its training pictures is said to have memorised them")
  func memorised() throws {
    // The samples themselves as the data set.
    try run("sid-convert", Fixtures.digits("teacher.pkl"), "--output", folder.file("teacher.h5"))
    try sample("teacher.h5")
    let copies = folder.file("copies.zip")
    try run("sid-sample", "export", folder.file("samples.h5"), "--to", "edm-zip", "--output", copies)
    let (outcome, html) = try report("--dataset", copies)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(
      html.contains("80 of 80 samples (100 %) are as good as copies of training pictures: the network has memorised"))
    #expect(html.contains("<strong>0</strong> levels, a copy"))
    #expect(try record()["figures"]?["copies_of_training_pictures"]?.integerValue == 80)
    #expect(try record()["training_pictures"]?["verdict"]?.textValue?.contains("memorised") == true)
  }

  @Test("What another trainer's file, or a stranger, put there is a sentence on the page")
  func strangers() throws {
    try train(Fixtures.digits("digits-8x8.zip"), evaluation + ["--evaluate-steps", "3"])
    let teacher = folder.file("teacher.h5")
    let history = try HDF5File.open(teacher).root.group("course")
    #expect(try history.dataset("samples").shape == [5, 8, 8, 8, 1])
    #expect(try history.dataset("seeds").read(UInt64.self) == Array(500..<508))
    // The same record beside a network that keeps nothing, and one that keeps something else.
    let file = try HDF5File.open(teacher)
    let provenance = try file.root.stringAttribute("provenance")
    for (write, reason) in [
      ({ _ in }, "teacher.h5 holds none"),
      ({ try $0.createGroup("course").write([1.0], shape: [1], to: "samples") }, "there is no `course/kimg`"),
      ({ try $0.write([1.0], shape: [1], to: "course") }, "is not a group"),
    ] as [((HDF5Group) throws -> Void, String)] {
      try HDF5File.publish(teacher) { file in
        try file.root.setAttribute("provenance", provenance)
        try write(file.root)
      }
      let (outcome, html) = try report()
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(html.contains("samples over time: teacher.h5") && html.contains(reason), "\(reason)")
    }
  }
}
