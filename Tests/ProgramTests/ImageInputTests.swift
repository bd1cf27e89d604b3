import Foundation
import TestSupport
import Testing

/// Images as people bring them, given to the programs.
@Suite("Images among other files, through the programs")
struct ImageInputTests {
  let folder: TemporaryFolder
  let features: String

  init() throws {
    folder = try TemporaryFolder()
    features = folder.file("features.h5")
    let converted = try Programs.run(
      "sid-convert",
      [Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"), "--output", features])
    try #require(converted.status == 0, "\(converted.errors)")
  }

  private typealias Entry = MadeArchive.Entry

  private static func pngs(_ count: Int) throws -> [Entry] {
    try (0..<count).map { Entry("\($0).png", try MadeImage.png($0)) }
  }

  private func fill(_ name: String, _ entries: [Entry]) throws -> String {
    for entry in entries { try folder.write(entry.content, to: Array("\(name)/".utf8) + entry.name) }
    return folder.file(name)
  }

  private func reference(_ source: String, locale: String = "C") throws -> (Programs.Outcome, [String: Any]) {
    let outcome = try Programs.run(
      "sid-score",
      ["reference", "--dataset", source, "--features", features, "--output", folder.file("r.h5"), "--overwrite"],
      environment: ["LC_ALL": locale])
    guard outcome.status == 0 else { return (outcome, [:]) }
    let data = try Data(contentsOf: URL(fileURLWithPath: folder.file("r.json")))
    return (outcome, try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any]))
  }

  private func expect(_ source: String, _ images: Int, _ leftOut: [String: Int], locale: String = "C") throws {
    let (outcome, summary) = try reference(source, locale: locale)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(summary["images"] as? Int == images && summary["num_images"] as? Int == images)
    #expect(summary["left_out"] as? [String: Int] == leftOut)
    let count = leftOut.values.reduce(0, +)
    let line = "sid-score: \(source): \(images) images; left out \(count) file\(count == 1 ? "" : "s"): "
    #expect(outcome.errors.contains(line) == (count > 0), "\(outcome.errors)")
  }

  private func expectRefusal(_ source: String, _ words: String...) throws {
    let (outcome, _) = try reference(source)
    #expect(outcome.status == 65, "\(outcome.errors)")
    #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
    for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
  }

  @Test("What stands beside images is counted on stderr and in the summary, in a folder, a zip and a tar")
  func counted() throws {
    let entries =
      try Self.pngs(9) + [
        Entry("__MACOSX/._0.png", [0, 5, 0x16, 7]), Entry("readme.txt", Array("x\n".utf8)),
        Entry("l\u{E4}s-mig.txt", Array("x\n".utf8)), Entry("9", MadeImage.pgm(9)), Entry("10.ppm", MadeImage.pgm(10)),
      ]
    let leftOut = ["macOS sidecar": 1, "text": 2]
    try folder.write(MadeArchive.zip(entries), to: "photos.zip")
    try folder.write(MadeArchive.tar(entries), to: "photos.tar")
    for source in [folder.file("photos.zip"), folder.file("photos.tar"), try fill("photos", entries)] {
      try expect(source, 11, leftOut)
    }
    try expect(try fill("plain", Self.pngs(9)), 9, [:])
    // Scores say it of both sides.
    let score = try Programs.run(
      "sid-score",
      [
        "--samples", folder.file("photos.zip"), "--reference", folder.file("photos"), "--features", features,
        "--output", folder.file("s.h5"),
      ])
    #expect(score.status == 0, "\(score.errors)")
    #expect(score.errors.components(separatedBy: "11 images; left out 3 files").count == 3, "\(score.errors)")
    let data = try Data(contentsOf: URL(fileURLWithPath: folder.file("s.json")))
    let summary = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(summary["left_out"] as? [String: Int] == leftOut)
    #expect(summary["reference_left_out"] as? [String: Int] == leftOut)
  }

  @Test("Names in any encoding are read in any locale", arguments: ["C", "C.UTF-8", "en_US.ISO-8859-1"])
  func names(locale: String) throws {
    var entries = try (0..<9).map { Entry("bild-\u{F6}-\($0).png", try MadeImage.png($0)) }
    entries.append(Entry([0x62, 0xF6] + Array(".png".utf8), try MadeImage.png(9)))
    entries.append(Entry([0xFF], Array("x\n".utf8)))
    try folder.write(MadeArchive.zip(entries), to: "x.zip")
    try folder.write(MadeArchive.tar(entries), to: "x.tar")
    let sources = [folder.file("x.zip"), folder.file("x.tar"), try fill("x", entries)]
    for source in sources { try expect(source, 10, ["text": 1], locale: locale) }
  }

  @Test("Pictures that are not read and archives beside images are refused by name, links in a folder too")
  func refused() throws {
    try expectRefusal(try fill("a", Self.pngs(9) + [Entry("9.jfif", MadeImage.jpeg)]), "a/9.jfif", "a JPEG image")
    try expectRefusal(try fill("b", Self.pngs(9) + [Entry("n\u{F6}.tga", [0])]), "b/n\u{F6}.tga", "a TGA image")
    let zip = MadeArchive.zip(try Self.pngs(3))
    try expectRefusal(try fill("c", Self.pngs(9) + [Entry("old.zip", zip)]), "c/old.zip", "beside images")
    try expectRefusal(try fill("d", [Entry("0.zip", zip), Entry("sub/0.png", zip)]), "d/0.zip", "beside images")
    try expectRefusal(try fill("e", [Entry("0.zip", zip), Entry("photo.gif", [])]), "e/photo.gif", "a GIF image")
    let linked = try fill("f", Self.pngs(9))
    try FileManager.default.createSymbolicLink(atPath: linked + "/y.png", withDestinationPath: "1.png")
    try expectRefusal(linked, "f/y.png", "links are not followed")
  }

  @Test("Shards are read with what each left out; what stands beside them is counted")
  func shards() throws {
    let shards = try (0..<3).map { number in
      Entry("part-\(number).zip", MadeArchive.zip(try Self.pngs(3) + [Entry("readme.txt", Array("x".utf8))]))
    }
    try expect(try fill("s", shards + [Entry("SHA256SUMS", Array("0 part-0.zip\n".utf8))]), 9, ["text": 4])
  }

  @Test("Links in a tar stand for pictures, or are refused")
  func links() throws {
    let more: [Entry] = [.link("y.png", to: "1.png"), Entry("z.png", Array("2.png".utf8), kind: "1")]
    try folder.write(MadeArchive.tar(try Self.pngs(9) + more), to: "x.tar")
    try expect(folder.file("x.tar"), 11, [:])
    try folder.write(MadeArchive.tar(try Self.pngs(9) + [.link("y.png", to: "../1.png")]), to: "x.tar")
    try expectRefusal(folder.file("x.tar"), "x.tar/y.png", "a link to ../1.png", "outside")
  }

  @Test("A tar that is cut between entries, and names that stand twice, are said on stderr and in the summary")
  func tars() throws {
    try folder.write(MadeArchive.tar(try Self.pngs(9), hasEnd: false), to: "x.tar")
    let (cut, summary) = try reference(folder.file("x.tar"))
    #expect(cut.status == 0 && cut.errors.contains("x.tar: 9 images; a tar archive without an end"), "\(cut.errors)")
    #expect(summary["left_out"] as? [String: Int] == ["tar archive without an end, which may be cut off": 1])
    try folder.write(MadeArchive.tar(try Self.pngs(9) + Self.pngs(2)), to: "x.tar")
    try expect(folder.file("x.tar"), 9, ["replaced by a later entry": 2])
    try folder.write(MadeArchive.tar(try Self.pngs(9)) + Array("<!-- the site -->".utf8), to: "x.tar")
    try expectRefusal(folder.file("x.tar"), "belongs to no entry", "head -c")
  }

  @Test("An npz without the array that is expected is refused with the names that it has, by every option")
  func otherNames() throws {
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (9, 8, 8, 1), }\n"
    let array = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
    let entry = Entry("images.npy", array + (0..<9).flatMap(MadeImage.pixels))
    try folder.write(MadeArchive.zip([entry]), to: "x.npz")
    try expectRefusal(folder.file("x.npz"), "`images`", "`arr_0`", "np.savez(FILE, arr_0=images)")
    try folder.write(MadeArchive.zip(try Self.pngs(9)), to: "good.zip")
    for (samples, reference) in [("x.npz", "good.zip"), ("good.zip", "x.npz")] {
      let outcome = try Programs.run(
        "sid-score",
        [
          "--samples", folder.file(samples), "--reference", folder.file(reference), "--features", features, "--output",
          folder.file("s.h5"),
        ])
      #expect(outcome.status == 65, "\(outcome.errors)")
      for word in ["x.npz: ", "`images`", "`arr_0`"] { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
    }
  }

  @Test("Shards of several kinds and an archive that unpacks itself are refused with what to do")
  func mixedShards() throws {
    let zip = MadeArchive.zip(try Self.pngs(3))
    let shards = [Entry("a.zip", zip), Entry("b.tar", MadeArchive.tar(try Self.pngs(3))), Entry("c.zip", zip)]
    try expectRefusal(try fill("mixed", shards), "a.zip, b.tar", "a folder of its own")
    for start in [Array("#!/bin/sh\n".utf8), [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0]] {
      try folder.write(start + zip, to: "x.zip")
      try expectRefusal(folder.file("x.zip"), "a zip archive behind other bytes", "zip -J")
    }
  }

  @Test("Bytes behind a PNG's end are read over in a folder and in archives")
  func bytesBehind() throws {
    var entries = try Self.pngs(9)
    entries[3] = Entry("3.png", try MadeImage.png(3) + Array("<!-- a comment of the site -->".utf8))
    entries[4] = Entry("4.png", try MadeImage.png(4) + [0])
    try folder.write(MadeArchive.zip(entries), to: "x.zip")
    try folder.write(MadeArchive.tar(entries), to: "x.tar")
    for source in [folder.file("x.zip"), folder.file("x.tar"), try fill("x", entries)] { try expect(source, 9, [:]) }
  }

  @Test("Something else in place of images is told apart, with what to do, by every option")
  func somethingElse() throws {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    let cases: [(String, [UInt8], String)] = [
      ("x.tar", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0], "gunzip"), ("x.zip", Array(pointer.utf8), "git lfs pull"),
      ("x.npz", Array("<!DOCTYPE html><html>".utf8), "a web page"), ("x.h5", Array("Not found\n".utf8), "text"),
      ("x.npy", [0x93] + Array("NUMPY".utf8) + [1, 0], "npy"), ("0.png", try MadeImage.png(0), "give the folder"),
      ("empty.zip", [], "empty"),
    ]
    try folder.write(MadeArchive.zip(try Self.pngs(9)), to: "good.zip")
    for (name, content, words) in cases {
      try folder.write(content, to: name)
      try expectRefusal(folder.file(name), name, words)
      for option in ["--samples", "--reference"] {
        var arguments = ["--samples", folder.file("good.zip"), "--reference", folder.file("good.zip")]
        arguments[option == "--samples" ? 1 : 3] = folder.file(name)
        let outcome = try Programs.run(
          "sid-score", arguments + ["--features", features, "--output", folder.file("s.h5")])
        #expect(outcome.status == 65 && outcome.errors.contains(words), "\(option) \(name): \(outcome.errors)")
      }
    }
  }

  @Test("Labels are read for --labels alone: there lists, gaps and other files are refused, a byte order mark is not")
  func labels() throws {
    let teacher = folder.file("teacher.h5")
    let converted = try Programs.run("sid-convert", [Fixtures.digits("teacher.pkl"), "--output", teacher])
    try #require(converted.status == 0, "\(converted.errors)")
    func distill(_ json: String, output: String) throws -> Programs.Outcome {
      let labelled = try Self.pngs(9) + [Entry("l\u{E4}s-mig.txt", []), Entry("dataset.json", Array(json.utf8))]
      try folder.write(MadeArchive.zip(labelled), to: "x.zip")
      return try Programs.run(
        "sid-distill",
        [
          "--teacher", teacher, "--output", folder.file(output), "--state", folder.file("state-" + output), "--batch",
          "4", "--microbatch", "4", "--duration-kimg", "0.004", "--labels", folder.file("x.zip"),
        ])
    }
    func json(_ labels: (Int) -> String?) -> String {
      let pairs = (0..<9).compactMap { number in labels(number).map { "[\"\(number).png\", \($0)]" } }
      return "{\"labels\": [" + pairs.joined(separator: ", ") + "]}"
    }
    let good = try distill("\u{FEFF}" + json { "\($0)" }, output: "g.h5")
    #expect(good.status == 0 && good.errors.contains("9 images; left out 2 files"), "\(good.errors)")
    let data = try Data(contentsOf: URL(fileURLWithPath: folder.file("g.json")))
    let summary = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let labels = try #require(summary["labels"] as? [String: Any])
    #expect(labels["images"] as? Int == 9)
    #expect(labels["left_out"] as? [String: Int] == ["empty file": 1, "table of labels": 1])

    for (text, words) in [
      (json { "[\($0).0, 0.5]" }, "the label of 0.png is a list of 2"), (json { $0 == 8 ? nil : "1" }, "image 8.png"),
      ("{", "not a JSON object"), ("{\"labels\": null}", "no labels"),
    ] {
      let outcome = try distill(text, output: "bad.h5")
      #expect(outcome.status == 65 && outcome.errors.contains(words), "\(outcome.errors)")
      // Scores need none of it.
      try expect(folder.file("x.zip"), 9, ["empty file": 1, "table of labels": 1])
    }
    for (content, words) in [([0x1F, 0x8B, 8], "gzip"), (Array("<html>".utf8), "a web page")] as [([UInt8], String)] {
      try folder.write(content, to: "other.zip")
      let outcome = try Programs.run(
        "sid-distill",
        [
          "--teacher", teacher, "--output", folder.file("o.h5"), "--state", folder.file("os.h5"), "--labels",
          folder.file("other.zip"),
        ])
      #expect(outcome.status == 65 && outcome.errors.contains(words), "\(outcome.errors)")
    }
  }

  @Test("An npz is read with its labels beside the images; two arrays of images are refused")
  func arrays() throws {
    func array(_ type: String, _ shape: String, _ data: [UInt8]) -> [UInt8] {
      let header = "{'descr': '\(type)', 'fortran_order': False, 'shape': \(shape), }\n"
      return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8) + data
    }
    let images = array("|u1", "(9, 8, 8, 1)", (0..<9).flatMap(MadeImage.pixels))
    let labels = array("<i8", "(9,)", [UInt8](repeating: 0, count: 72))
    try folder.write(MadeArchive.zip([Entry("arr_0.npy", images), Entry("arr_1.npy", labels)]), to: "x.npz")
    try expect(folder.file("x.npz"), 9, ["array beside the images": 1])
    let two = [Entry("arr_0.npy", images), Entry("arr_1.npy", array("|u1", "(1, 8, 8, 1)", MadeImage.pixels(0)))]
    try folder.write(MadeArchive.zip(two), to: "x.npz")
    try expectRefusal(folder.file("x.npz"), "arr_1", "which are meant is not clear")
  }
}
