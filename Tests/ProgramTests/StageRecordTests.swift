import Files
import Foundation
import Records
import TestSupport
import Testing

/// The record of every stage, when a run is cut short between the output and the record.
@Suite("The record of every stage", .serialized)
struct StageRecordTests {
  let made: RecordFixture

  init() throws { made = try RecordFixture(isScored: true) }

  private func distillation(_ more: String...) -> [String] {
    [
      "--teacher", made.file("teacher.h5"), "--output", made.file("g.h5"), "--state", made.file("g.training-state.h5"),
      "--batch", "64", "--microbatch", "64", "--dropout", "0", "--augment", "0", "--duration-kimg", "2.048",
      "--snapshot-kimg", "1", "--evaluate", "--evaluate-kimg", "1.024", "--evaluate-seeds", "0-127", "--features",
      made.file("features.h5"), "--reference", made.file("reference.h5"),
    ] + more
  }

  private func scoring(_ more: String...) -> [String] {
    [
      "--samples", Fixtures.digits("digits-8x8.zip"), "--reference", made.file("reference.h5"), "--features",
      made.file("features.h5"), "--output", made.file("s.h5"), "--metrics", "fid", "--metrics", "is",
    ] + more
  }

  /// Cuts a finished step short in two ways, runs it again, and expects the record as it was and the output as it stands.
  /// - Parameter lost: figures that nobody knows any more where the draft is gone, too.
  private func cutShort(
    _ name: String, _ output: String, _ program: String, _ arguments: [String], files: [String], lost: [String] = []
  ) throws {
    try made.expectRecord(name, of: files)
    let (text, inode) = (try made.text(name + ".json"), try made.inode(output))
    #expect(try made.run(program, arguments).output.isEmpty)
    #expect(try made.text(name + ".json") == text && made.inode(output) == inode)

    try made.takeRecordBack(name)
    try made.run(program, arguments)
    #expect(try made.text(name + ".json") == text, "\(name)")
    #expect(try made.inode(output) == inode, "\(name) is not made again")
    try made.expectRecord(name, of: files)

    // The record and what was kept for it are gone.
    try made.remove(name + ".json")
    try made.run(program, arguments)
    var expected = try #require(StepRecord(json: Array(text.utf8)))
    for figure in lost { expected.figures[figure] = nil }
    let found = try made.record(name)
    #expect(Set(found.figures.keys) == Set(expected.figures.keys))
    #expect(found.files == expected.files && found.provenance == expected.provenance)
    try made.expectRecord(name, of: files)
  }

  @Test("sid-convert")
  func convert() throws {
    try cutShort(
      "teacher", "teacher.h5", "sid-convert", [Fixtures.digits("teacher.pkl"), "--output", made.file("teacher.h5")],
      files: ["teacher.h5"])
    try cutShort("reference", "reference.h5", "sid-score", made.reference("reference.h5"), files: ["reference.h5"])
    // A state_dict of the same name beside it leaves the record alone.
    let text = try made.text("teacher.json")
    try made.run("sid-convert", [made.file("teacher.h5"), "--to", "safetensors"])
    #expect(made.isThere("teacher.safetensors"))
    #expect(try made.text("teacher.json") == text)
  }

  @Test("sid-convert refuses a malformed source and leaves the record that is there")
  func refusedConversion() throws {
    try Data("nothing".utf8).write(to: URL(fileURLWithPath: made.file("bad.pkl")))
    let text = try made.text("teacher.json")
    try made.run("sid-convert", [made.file("bad.pkl"), "--output", made.file("teacher.h5"), "--overwrite"], status: 65)
    #expect(try made.text("teacher.json") == text)
    try made.expectRecord("teacher", of: ["teacher.h5"])
  }

  @Test("sid-score: the features are computed once; kept ones belong to it")
  func score() throws {
    try made.run("sid-score", scoring("--keep-features"))
    let files = ["s.h5", "s.features.h5"]
    try cutShort("s", "s.h5", "sid-score", scoring("--keep-features"), files: files)
    // The rest of the record is read back from the score file.
    let record = try made.record("s")
    #expect(record.details["metrics"]?["is"]?["standard_deviation"]?.realValue != nil)
    #expect(record.details["inputs"]?["features"]?["sha256"]?.textValue?.count == 64)
    // Kept features that are gone are made again.
    try made.remove("s.features.h5")
    try made.run("sid-score", scoring("--keep-features"))
    try made.expectRecord("s", of: files)
    #expect(try made.record("s").files == record.files)
    // Those that were published before the score was lost are taken as they stand, unless all is to be overwritten.
    let kept = try made.inode("s.features.h5")
    try made.remove("s.h5", "s.json")
    try made.run("sid-score", scoring("--keep-features"))
    #expect(try made.inode("s.features.h5") == kept)
    try made.expectRecord("s", of: files)
    try Data("damaged".utf8).write(to: URL(fileURLWithPath: made.file("s.features.h5")))
    try made.remove("s.h5", "s.json")
    try made.run("sid-score", scoring("--keep-features"))
    try made.expectRecord("s", of: files)
    #expect(try made.record("s").files == record.files)
    let again = try made.inode("s.features.h5")
    try made.run("sid-score", scoring("--keep-features", "--overwrite"))
    #expect(try made.inode("s.features.h5") != again)
    // Nothing hidden of the step is left once its record is there: what cannot be cleared away keeps it from appearing.
    try made.takeRecordBack("s")
    let scratch = made.file(".s.moments.h5")
    mkdir(scratch, 0o755)
    let refused = try Programs.run("sid-score", scoring("--keep-features"))
    #expect(refused.status != 0 && refused.errors.contains(".s.moments.h5"), "\(refused)")
    #expect(!made.isThere("s.json"))
    rmdir(scratch)
    try made.run("sid-score", scoring("--keep-features"))
    try made.expectRecord("s", of: files)
    // Those of another making are not taken for them.
    try made.takeRecordBack("s")
    try made.run("sid-score", scoring("--keep-features", "--count", "1000", "--overwrite"))
    try made.takeRecordBack("s")
    let other = try made.text(".s.json")
    #expect(try Programs.run("sid-score", scoring("--keep-features")).status == 73)
    #expect(try made.text(".s.json") == other)
  }

  @Test("sid-score reference as npz, which cannot say what it was made from; shares and merge")
  func statistics() throws {
    let npz = made.reference("r.npz")
    try made.run("sid-score", npz)
    let text = try made.text("r.json")
    let inode = try made.inode("r.npz")
    try made.takeRecordBack("r")
    try made.run("sid-score", npz)
    #expect(try made.text("r.json") == text && made.inode("r.npz") == inode)
    try made.expectRecord("r", of: ["r.npz"])
    // Without record and draft nobody knows what it is.
    try made.remove("r.json")
    try made.run("sid-score", npz, status: 73)
    try made.run("sid-score", npz + ["--overwrite"])
    try made.expectRecord("r", of: ["r.npz"])

    // Shares are whole segments of 4,096 images.
    try made.run("sid-sample", made.sample("many.h5", seeds: "0-4999"))
    let shares = ["1/2", "2/2"].enumerated().map { (file: "p\($0).h5", share: $1) }
    for (file, share) in shares {
      let arguments = made.reference(file, of: made.file("many.h5")) + ["--share", share]
      try made.run("sid-score", arguments)
      try cutShort(String(file.dropLast(3)), file, "sid-score", arguments, files: [file])
    }
    let merge = ["merge"] + shares.map { made.file($0.file) } + ["--output", made.file("m.h5")]
    try made.run("sid-score", merge)
    try cutShort("m", "m.h5", "sid-score", merge, files: ["m.h5"])
  }

  @Test("sid-distill: best, snapshots, curve and state belong to it; nothing is trained again")
  func distill() throws {
    try made.run("sid-distill", distillation())
    let files = ["g.h5", "g-best.h5", "g-000001.h5", "g-curve.png", "g.training-state.h5"]
    let state = try made.inode("g.training-state.h5")
    try cutShort(
      "g", "g.h5", "sid-distill", distillation(), files: files, lost: ["distillation_seconds"])
    #expect(try made.inode("g.training-state.h5") == state)
    #expect(try made.record("g").figures["distilled_kimg"]?.realValue == 2.048)
    try made.takeRecordBack("g")
    let plot = try made.inode("g-curve.png")
    try made.run("sid-distill", distillation())
    #expect(try made.inode("g-curve.png") == plot)
    // A plot is drawn again where it is gone, a state that is gone is let go, a network is not made up.
    try made.remove("g-curve.png")
    try made.run("sid-distill", distillation())
    try made.expectRecord("g", of: files)
    try made.remove("g.training-state.h5")
    let without = try made.run("sid-distill", distillation())
    #expect(without.errors.contains("g.training-state.h5: is gone"))
    try made.expectRecord("g", of: files.dropLast())
    for name in ["g-best.h5", "g-000001.h5"] {
      rename(made.file(name), made.file("aside"))
      let outcome = try made.run("sid-distill", distillation(), status: 66)
      #expect(outcome.errors.contains(name) && outcome.errors.contains("--overwrite"), "\(outcome.errors)")
      rename(made.file("aside"), made.file(name))
    }
    try made.run("sid-distill", distillation())
    try made.expectRecord("g", of: files.dropLast())
  }

  @Test("sid-report")
  func report() throws {
    try made.run("sid-sample", made.sample("samples.h5"))
    let arguments = ["--job", made.folder.path, "--output", made.file("report.html")]
    try made.run("sid-report", arguments)
    try cutShort("report", "report.html", "sid-report", arguments, files: ["report.html"])
  }
}
