import Diagnostics
import Files
import Foundation
import Records
import Stage
import TestSupport
import Testing

@Suite("Writing the record of a step")
struct StepRecorderTests {
  let folder: TemporaryFolder
  let provenance: Provenance
  var recorder: StepRecorder { StepRecorder(output: folder.file("a.h5"), stage: "sample") }

  init() throws {
    folder = try TemporaryFolder()
    provenance = Provenance(program: "sid-sample", inputs: [:], options: ["seeds": "0-9"])
  }

  private func write(_ name: String, _ text: String = "data\n") throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.file(name)))
  }

  private func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }

  private func record() throws -> StepRecord {
    try #require(StepRecord(json: Array(try Data(contentsOf: URL(fileURLWithPath: recorder.path)))))
  }

  private func makeFolder(_ name: String) throws {
    try FileManager.default.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true)
  }

  /// A making with an export that is a folder.
  private func make() throws {
    try recorder.keep(figures: ["fd": 0.25], details: ["images": 10], provenance: provenance.json)
    for name in ["a.h5", "a.zip"] { try write(name) }
    try makeFolder("a-png/0")
    for name in ["a-png/2.png", "a-png/0/1.png"] { try write(name) }
  }

  private var paths: [String] { ["a.h5", "a.zip", "a-png"].map { folder.file($0) } }

  @Test("It names every file with its digest, folders file by file, and nothing hidden is left")
  func publishes() throws {
    try recorder.begin(overwrite: false)
    try make()
    #expect(try !recorder.isFinished(wanted: provenance, promising: paths))
    #expect(try names() == [".a.json", "a-png", "a.h5", "a.zip"])
    // What writers that were killed have left, and what nobody of this step wrote.
    for name in [".a.json.partial", "a.zip.partial", "a.zip.partial.labels", "b.zip.partial", "a.zip.partially"] {
      try write(name)
    }
    try makeFolder("a-png.partial/x")
    let known = String(repeating: "ab", count: 32)
    try recorder.publish(provenance: provenance.json, files: paths, digests: [folder.file("a.h5"): known])
    #expect(try names() == ["a-png", "a.h5", "a.json", "a.zip", "a.zip.partially", "b.zip.partial"])
    let record = try record()
    #expect(record.files?.map(\.name) == ["a-png/0/1.png", "a-png/2.png", "a.h5", "a.zip"])
    #expect(record.files?[2].sha256 == known, "a digest that is known is not computed again")
    #expect(try record.files?[3].sha256 == SHA256.hexDigest(ofFile: folder.file("a.zip")))
    #expect(record.figures == ["fd": 0.25] && record.details == ["images": 10] && record.stage == "sample")
    #expect(try recorder.isFinished(wanted: provenance, promising: paths))
  }

  @Test("What another process is writing stays")
  func leavesOthers() throws {
    try make()
    try AtomicFile.publish(folder.file("a.zip")) { partial in
      try recorder.publish(provenance: provenance.json, files: paths)
      #expect(FileManager.default.fileExists(atPath: partial))
    }
  }

  @Test("A step is not finished without a file that is named, or with more promised, or of other work")
  func unfinished() throws {
    try make()
    try recorder.publish(provenance: provenance.json, files: paths)
    try write("a.npz")
    #expect(try !recorder.isFinished(wanted: provenance, promising: paths + [folder.file("a.npz")]))
    let other = Provenance(program: "sid-sample", inputs: [:], options: ["seeds": "0-8"])
    #expect(try !recorder.isFinished(wanted: other, promising: paths))
    let newer = Provenance(program: "sid-sample", version: "9", inputs: [:], options: ["seeds": "0-9"])
    #expect(try recorder.isFinished(wanted: newer, promising: paths))
    unlink(folder.file("a-png/0/1.png"))
    #expect(try recorder.missing(from: record()) == ["a-png/0/1.png"])
    #expect(try !recorder.isFinished(wanted: provenance, promising: paths))
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("a-png/0/1.png"), withDestinationPath: folder.file("a.h5"))
    #expect(try !recorder.isFinished(wanted: provenance, promising: paths), "a link is no file of the step")
  }

  @Test("A draft of another making is not used, one of this making is, and so is a record of an earlier version")
  func drafts() throws {
    try make()
    #expect(try recorder.kept(provenance: provenance.json)?.figures == ["fd": 0.25])
    let other = Provenance(program: "sid-sample", inputs: [:], options: ["seeds": "0-8"])
    #expect(try recorder.kept(provenance: other.json) == nil)
    #expect(throws: Failure.self) { try recorder.publish(provenance: other.json, files: paths) }
    #expect(try names().contains(".a.json") && !names().contains("a.json"))
    try recorder.begin(overwrite: true)
    #expect(try !names().contains(".a.json"))
    try write("a.json", #"{"stage": "sample", "output": "a.h5", "figures": {"fd": 2}}"#)
    #expect(try recorder.kept(provenance: other.json)?.figures == ["fd": 2])
    try recorder.publish(provenance: other.json, files: paths)
    #expect(try record().isComplete && record().provenance == other.json)
  }

  @Test("The old record goes before the output is made again, and stays where another process has made it")
  func begins() throws {
    try make()
    try recorder.publish(provenance: provenance.json, files: paths)
    try recorder.begin(overwrite: false)
    #expect(try names().contains("a.json"))
    try recorder.begin(overwrite: true)
    #expect(try !names().contains("a.json"))
    try recorder.keep(figures: [:], provenance: provenance.json)
    unlink(folder.file("a.h5"))
    try recorder.begin(overwrite: false)
    #expect(try !names().contains(".a.json"))
  }

  @Test("A file that is not there, or is no plain file, keeps the record from appearing; one elsewhere is passed over")
  func refuses() throws {
    try make()
    unlink(folder.file("a.zip"))
    #expect(throws: Failure.self) { try recorder.publish(provenance: provenance.json, files: paths) }
    mkfifo(folder.file("a.zip"), 0o644)
    #expect(throws: Failure.self) { try recorder.publish(provenance: provenance.json, files: paths) }
    #expect(try !names().contains("a.json"))
    let elsewhere = try TemporaryFolder()
    try Data().write(to: URL(fileURLWithPath: elsewhere.file("state.h5")))
    try recorder.publish(provenance: provenance.json, files: [folder.file("a.h5"), elsewhere.file("state.h5")])
    #expect(try record().files?.map(\.name) == ["a.h5"])
  }

  @Test("What stands in the record's place and is none is no obstacle", arguments: ["", "[]", "{\"files\": 1}"])
  func garbage(_ text: String) throws {
    try make()
    try write("a.json", text)
    #expect(try !recorder.isFinished(wanted: provenance, promising: paths))
    try recorder.publish(provenance: provenance.json, files: paths)
    #expect(try recorder.isFinished(wanted: provenance, promising: paths))
  }
}
