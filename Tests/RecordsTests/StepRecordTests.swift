import Foundation
import Records
import Testing

@Suite("The record of a step")
struct StepRecordTests {
  private let digest = String(repeating: "0123456789abcdef", count: 4)

  private func record(_ names: [String]? = ["a.h5", "a-png/0/1.png"]) -> StepRecord {
    StepRecord(
      stage: "sample", output: "a.h5", figures: ["fd": 0.25, "bad": .double(.nan)], details: ["images": 3],
      provenance: #"{"program":"sid-sample"}"#, files: names?.map { .init(name: $0, sha256: digest) })
  }

  private func read(_ text: String) -> StepRecord? { StepRecord(json: Array(text.utf8)) }

  @Test("is read back as it was written, with its files last and one a line")
  func roundTrip() throws {
    let text = record().text
    let found = try #require(read(text))
    #expect(found.isComplete)
    #expect(found.files == record().files && found.provenance == record().provenance && found.details == ["images": 3])
    #expect(found.figures == ["fd": 0.25, "bad": .null])
    #expect(text.hasSuffix("    {\"name\": \"a-png/0/1.png\", \"sha256\": \"\(digest)\"}\n  ]\n}\n"))
    // As anybody else reads it.
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(object["stage"] as? String == "sample" && object["output"] as? String == "a.h5")
    #expect((object["files"] as? [[String: String]])?.map { $0["name"] } == ["a.h5", "a-png/0/1.png"])
    #expect(try #require(read(record([]).text)).isComplete)
    #expect(read(record(["q\"\\\n.h5"]).text)?.files?.first?.name == "q\"\\\n.h5")
  }

  @Test("of a version before the rule, and a draft, are read and not complete")
  func incomplete() throws {
    #expect(try #require(read(record(nil).text)).isComplete == false)
    let old = try #require(read(#"{"stage": "score", "output": "s.h5", "figures": {"fd": 1}, "images": 5}"#))
    #expect(!old.isComplete && old.files == nil && old.provenance == nil && old.details == ["images": 5])
    #expect(try #require(read(#"{"figures": {}, "files": []}"#)).isComplete == false)
  }

  @Test("says whether it is complete without keeping its files")
  func withoutFiles() throws {
    let names = (0..<1000).map { "a-png/\($0).png" }
    let found = try #require(StepRecord(json: Array(record(names).text.utf8), keepsFiles: false))
    #expect(found.isComplete && found.files == [])
  }

  @Test(
    "with a malformed list of files is none",
    arguments: [
      #"{"name": "../x", "sha256": "D"}"#, #"{"name": "/x", "sha256": "D"}"#, #"{"name": "a//b", "sha256": "D"}"#,
      #"{"name": "a/./b", "sha256": "D"}"#, #"{"name": "", "sha256": "D"}"#, #"{"name": "a\u0000", "sha256": "D"}"#,
      #"{"name": "a", "sha256": "d"}"#, #"{"name": "a"}"#, #"{"sha256": "D"}"#,
      #"{"name": "a", "sha256": "D", "x": 1}"#,
      #"{"name": "a", "name": "b", "sha256": "D"}"#, #""a""#, "1", "null",
    ])
  func malformedFiles(_ file: String) {
    let text = #"{"stage": "x", "output": "x.h5", "files": [F]}"#
    let good = text.replacingOccurrences(of: "F", with: #"{"name": "a", "sha256": "\#(digest)"}"#)
    #expect(read(good)?.isComplete == true)
    #expect(read(text.replacingOccurrences(of: "F", with: file.replacingOccurrences(of: "D", with: digest))) == nil)
  }

  @Test("of wrong kinds, cut short, or with too much beside its files, is none")
  func malformed() {
    for text in [
      "[]", "1", "", #"{"stage": 1}"#, #"{"output": []}"#, #"{"figures": []}"#, #"{"files": {}}"#, #"{"files": null}"#,
      #"{"files": [], "files": []}"#, #"{"provenance": {}}"#,
    ] { #expect(read(text) == nil, "\(text)") }
    let whole = record().text
    for count in 0..<whole.utf8.count - 2 { #expect(StepRecord(json: Array(whole.utf8.prefix(count))) == nil) }
    #expect(read("{\"x\": \"" + String(repeating: "a", count: 5 << 20) + "\"}") == nil)
  }

  @Test("and its draft stand beside the output")
  func paths() {
    for (output, path, draft) in [
      ("a.h5", "a.json", ".a.json"), ("/x/y.z/a.h5", "/x/y.z/a.json", "/x/y.z/.a.json"),
      ("r.html", "r.json", ".r.json"),
      ("./a.b.npz", "./a.b.json", "./.a.b.json"),
    ] {
      #expect(StepRecord.path(of: output) == path)
      #expect(StepRecord.draftPath(of: output) == draft)
    }
  }
}
