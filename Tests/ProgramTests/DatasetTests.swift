import Foundation
import Images
import TestSupport
import Testing

/// `sid-convert dataset` as a user runs it.
@Suite("sid-convert dataset")
struct DatasetTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private static func fixture(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: Fixtures.path(name))))
  }

  private func make(_ source: String, _ output: String = "D.zip", _ more: String...) throws -> Programs.Outcome {
    try Programs.run("sid-convert", ["dataset", folder.file(source), "--output", folder.file(output)] + more)
  }

  private func record(_ name: String = "D.json") throws -> [String: Any] {
    let data = try Data(contentsOf: URL(fileURLWithPath: folder.file(name)))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  private func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: folder.file(name))) }

  /// A few photographs in folders, gray and of colours.
  private func photographs(_ root: String) throws {
    for (number, kind) in ["colour.jpg", "gray.jpg", "cmyk.jpg", "progressive.jpg", "gray.png"].enumerated() {
      let suffix = (kind as NSString).pathExtension
      try folder.write(
        Self.fixture("pictures/" + kind), to: "\(root)/\(number % 2 == 0 ? "cats" : "dogs")/\(number).\(suffix)")
    }
  }

  @Test("A folder of photographs becomes a data set that is read, scored and distilled with")
  func folderOfPhotographs() throws {
    try photographs("photos")
    let outcome = try make("photos", "D.zip", "--resolution", "8", "--background", "black")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("5 images of 8x8 pixels of 3 channels, 2 classes by folder; 0 pictures left out"))
    let dataset = try ImageDataset(contentsOf: folder.file("D.zip"))
    #expect(dataset.images.shape == ImageShape(height: 8, width: 8, channels: 3))
    #expect(dataset.images.names.map(\.description) == (0..<5).map { "00000/img0000000\($0).png" })
    #expect(try dataset.labels() == [0, 0, 0, 1, 1])
    // cats/4.png, a gray one, has three equal channels.
    let pixels = try dataset.images.images(2..<3)
    let first = stride(from: 0, to: pixels.count, by: 3)
    let isGray = first.allSatisfy { place in Set(pixels[place..<place + 3]).count == 1 }
    #expect(isGray)
    let record = try record()
    #expect(record["images"] as? Int == 5 && record["class_folders"] as? [String] == ["cats", "dogs"])
    #expect(
      record["channels"] as? Int == 3 && (record["files"] as? [[String: String]])?.map { $0["name"] } == ["D.zip"])
    let features = folder.file("features.h5")
    let converted = try Programs.run(
      "sid-convert",
      [Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"), "--output", features])
    #expect(converted.status == 0)
    // The digits' feature network takes gray images.
    try FileManager.default.createDirectory(atPath: folder.file("grays"), withIntermediateDirectories: true)
    for number in 0..<40 { try folder.write(MadeImage.pgm(number), to: "grays/\(number % 10)/\(number).pgm") }
    #expect(try make("grays", "G.zip").status == 0)
    let reference = try Programs.run(
      "sid-score",
      ["reference", "--dataset", folder.file("G.zip"), "--features", features, "--output", folder.file("r.h5")])
    #expect(reference.status == 0, "\(reference.errors)")
    let teacher = folder.file("teacher.h5")
    #expect(try Programs.run("sid-convert", [Fixtures.digits("teacher.pkl"), "--output", teacher]).status == 0)
    let distilled = try Programs.run(
      "sid-distill",
      [
        "--teacher", teacher, "--adversarial", "--dataset", folder.file("G.zip"), "--output", folder.file("g.h5"),
        "--state", folder.file("s.h5"), "--batch", "8", "--augment", "0", "--duration-kimg", "0.008",
      ])
    #expect(distilled.status == 0, "\(distilled.errors)")
  }

  @Test("A folder, its zip and its tar give the same images, whatever the threads, and gray ones where all are gray")
  func sameBytes() throws {
    var entries: [MadeArchive.Entry] = []
    for number in 10..<50 {
      let name = "\(number % 3)/\(number).\(number % 2 == 0 ? "png" : "pgm")"
      entries.append(.init(name, number % 2 == 0 ? try MadeImage.png(number) : MadeImage.pgm(number)))
    }
    entries.sort { String(decoding: $0.name, as: UTF8.self) < String(decoding: $1.name, as: UTF8.self) }
    for entry in entries { try folder.write(entry.content, to: Array("photos/".utf8) + entry.name) }
    try folder.write(MadeArchive.zip(entries.reversed()), to: "photos.zip")
    try folder.write(MadeArchive.tar(entries), to: "photos.tar")
    var made: [Data] = []
    for (source, threads) in [("photos", "1"), ("photos", "3"), ("photos.zip", "2"), ("photos.tar", "2")] {
      let outcome = try make(source, "D.zip", "--resolution", "5", "--threads", threads, "--overwrite")
      #expect(outcome.status == 0, "\(outcome.errors)")
      made.append(try bytes("D.zip"))
    }
    #expect(Set(made).count == 1)
    #expect(try ImageDataset(contentsOf: folder.file("D.zip")).images.shape.channels == 1)
    // Equal squares have their own size, and their pixels are kept.
    #expect(try make("photos.zip", "W.zip").status == 0)
    let whole = try ImageDataset(contentsOf: folder.file("W.zip")).images
    #expect(whole.shape == ImageShape(height: 8, width: 8, channels: 1))
    #expect(try whole.images(0..<1) == MadeImage.pixels(12))
  }

  @Test("The same command does nothing, another is refused, and --overwrite makes it anew")
  func again() throws {
    try photographs("photos")
    #expect(try make("photos", "D.zip", "--resolution", "8").status == 0)
    let first = try bytes("D.zip")
    let second = try make("photos", "D.zip", "--resolution", "8")
    #expect(second.status == 0 && second.errors.contains("nothing to do"), "\(second.errors)")
    // Colours are the same however they are written.
    #expect(try make("photos", "D.zip", "--resolution", "8", "--background", "#FFFFFF").status == 0)
    for (more, words) in [
      (["--resolution", "9"], "--resolution was 8 and is now 9"),
      (["--resolution", "8", "--background", "black"], "--background was white and is now black"),
    ] {
      let other = try Programs.run(
        "sid-convert", ["dataset", folder.file("photos"), "--output", folder.file("D.zip")] + more)
      #expect(other.status == 73 && other.errors.contains(words), "\(other.errors)")
    }
    // Cut short between the output and its record.
    try FileManager.default.moveItem(atPath: folder.file("D.json"), toPath: folder.file(".D.json"))
    let third = try make("photos", "D.zip", "--resolution", "8")
    #expect(third.status == 0 && third.errors.contains("nothing to do"), "\(third.errors)")
    #expect(try record()["images"] as? Int == 5)
    #expect(!FileManager.default.fileExists(atPath: folder.file(".D.json")))
    #expect(try bytes("D.zip") == first)
    // Another picture is another source.
    try folder.write(MadeImage.pgm(1), to: "photos/cats/new.pgm")
    let changed = try make("photos", "D.zip", "--resolution", "8")
    #expect(changed.status == 73 && changed.errors.contains("its source was photos"), "\(changed.errors)")
    #expect(try make("photos", "D.zip", "--resolution", "8", "--overwrite").status == 0)
    #expect(try record()["images"] as? Int == 6)
    let dry = try make("photos", "E.zip", "--resolution", "8", "--dry-run")
    #expect(dry.status == 0 && dry.output.contains("a data set of 6 pictures"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("E.zip")))
    // A file of somebody else's stays.
    try folder.write([1, 2, 3], to: "other.zip")
    #expect(try make("photos", "other.zip", "--resolution", "8").status == 73)
    #expect(try bytes("other.zip") == Data([1, 2, 3]))
  }

  @Test("What does not go together is refused before anything is written")
  func refused() throws {
    try photographs("photos")
    try folder.write(MadeImage.pgm(1), to: "sizes/1.pgm")
    try folder.write(
      MadePicture.png(9, 9, kind: 0, rows: Array(repeating: [UInt8](0..<9), count: 9)), to: "sizes/2.png")
    try folder.write(Array("GIF89a".utf8), to: "broken/1.png")
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("photos/cats/link.jpg"), withDestinationPath: "0.jpg")
    let zeros = String(repeating: "0", count: 64)
    for (source, more, status, words) in [
      ("photos", ["--resolution", "8"], 65, "links are not followed"),
      ("sizes", [], 64, "2.png is 9 wide and 9 high, those before it 8 x 8"),
      ("sizes", ["--resolution", "0"], 64, "expected a whole number from 1 to 8192"),
      ("sizes", ["--resolution", "8x8"], 64, "needs the transform center-crop-wide"),
      ("sizes", ["--transform", "center-crop-wide"], 64, "needs a resolution"),
      ("sizes", ["--resolution", "8", "--background", "whit"], 64, "did you mean \"white\"?"),
      ("sizes", ["--resolution", "8", "--expect-sha256", "source=" + zeros], 65, "its SHA-256 is"),
      ("broken", ["--resolution", "8"], 65, "none of its 1 pictures could be converted"),
      ("nowhere", ["--resolution", "8"], 66, "nowhere"),
    ] {
      let outcome = try Programs.run(
        "sid-convert", ["dataset", folder.file(source), "--output", folder.file("D.zip")] + more)
      #expect(outcome.status == status && outcome.errors.contains(words), "\(source) \(more): \(outcome.errors)")
    }
    let inside = try make("sizes", "sizes/D.zip", "--resolution", "8")
    #expect(inside.status == 64 && inside.errors.contains("lies in the folder"), "\(inside.errors)")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    #expect(names == ["broken", "photos", "sizes"])
  }

  @Test("A wide picture is put between bars")
  func wide() throws {
    try folder.write(Self.fixture("pictures/colour.jpg"), to: "photos/1.jpg")
    try folder.write(MadeImage.pgm(1), to: "photos/2.pgm")
    let outcome = try make("photos", "D.zip", "--resolution", "16x10", "--transform", "center-crop-wide")
    #expect(
      outcome.status == 0 && outcome.errors.contains("2.pgm: 8x8 pixels (width x height) are fewer than 16x10"),
      "\(outcome.errors)")
    let images = try ImageDataset(contentsOf: folder.file("D.zip")).images
    #expect(images.count == 1 && images.shape == ImageShape(height: 16, width: 16, channels: 3))
    let pixels = try images.images(0..<1)
    #expect(pixels.prefix(3 * 16 * 3).allSatisfy { $0 == 0 } && pixels.suffix(3 * 16 * 3).allSatisfy { $0 == 0 })
    #expect(!pixels[3 * 16 * 3..<4 * 16 * 3].allSatisfy { $0 == 0 })
  }

  @Test("More than a hundred broken and strange pictures are converted, or left out by name; nothing crashes")
  func strange() throws {
    let pictures = try StrangePictures.all()
    #expect(pictures.count >= 100)
    #expect(Set(pictures.map(\.name)).count == pictures.count)
    for picture in pictures { try folder.write(picture.content, to: "strange/" + picture.name) }
    let outcome = try make("strange", "D.zip", "--resolution", "8")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let record = try record()
    let leftOut = try #require(record["left_out"] as? [String: String])
    for picture in pictures {
      #expect(
        (leftOut[picture.name] == nil) == picture.isConverted, "\(picture.name): \(leftOut[picture.name] ?? "taken")")
    }
    #expect(record["images"] as? Int == pictures.count { $0.isConverted })
    #expect(record["left_out_pictures"] as? Int == leftOut.count)
    #expect(outcome.errors.contains("left out: \(leftOut.count - 20) more, which \(folder.file("D.json")) lists"))
    let images = try ImageDataset(contentsOf: folder.file("D.zip")).images
    _ = try images.images(0..<images.count)
    // Each alone ends as it did among the others.
    for picture in pictures.filter({ !$0.isConverted }).prefix(12) {
      let alone = "alone-" + picture.name
      try folder.write(picture.content, to: alone + "/" + picture.name)
      let outcome = try make(alone, "alone.zip", "--resolution", "8")
      #expect(outcome.status == 65 && outcome.errors.contains(picture.name), "\(picture.name): \(outcome.errors)")
    }
  }

  @Test("Entries of archives that are damaged are left out by name, and the others taken")
  func damagedEntries() throws {
    let entries = (0..<3).map { MadeArchive.Entry("\($0).pgm", MadeImage.pgm($0)) }
    var zip = MadeArchive.zip(entries)
    let place = try #require(zip.indices.dropLast(3).first { zip[$0...].starts(with: Array("P5\n#".utf8)) })
    zip[place + 40] ^= 1
    try folder.write(zip, to: "damaged.zip")
    let outcome = try make("damaged.zip", "D.zip")
    #expect(outcome.status == 0 && outcome.errors.contains("0.pgm: entry 0.pgm is damaged"), "\(outcome.errors)")
    #expect(try ImageDataset(contentsOf: folder.file("D.zip")).count == 2)
    // An archive that is cut off is refused as a whole.
    for (name, bytes) in [("cut.zip", MadeArchive.zip(entries)), ("cut.tar", MadeArchive.tar(entries, hasEnd: false))] {
      try folder.write(Array(bytes.dropLast(30)), to: name)
      #expect(try make(name, "E.zip").status == 65)
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("E.zip")))
  }

  @Test("In a job it is a step that later ones take their images from; its source is a file, no folder")
  func step() throws {
    let spool = try SpoolFixture()
    var entries = (0..<40).map { MadeArchive.Entry("photos/\($0 % 10)/\($0).pgm", MadeImage.pgm($0)) }
    entries.append(.init("photos/0/broken.jpg", MadeImage.jpeg))
    try Data(MadeArchive.tar(entries)).write(to: URL(fileURLWithPath: spool.folder.file("inputs/photos.tar")))
    try FileManager.default.createDirectory(
      atPath: spool.folder.file("inputs/photos"), withIntermediateDirectories: true)
    func job(_ name: String, _ source: String) -> String {
      """
      job: \(name)
      steps:
        - dataset: { source: \(source), resolution: 8, background: 000000, name: images }
        - convert: { source: digits/features.safetensors, config: digits/features.yaml, name: features }
        - reference: { dataset: images, name: reference }
        - report: {}

      """
    }
    try spool.drop(job("photos", "photos.tar"), as: "photos.yaml")
    try spool.drop(job("folder", "photos"), as: "folder.yaml")
    let programs = (Programs.path("sid-convert") as NSString).deletingLastPathComponent
    try spool.startDaemon(
      ["--exit-when-idle", "--input-root", Fixtures.digits(".."), "--program-directory", programs]
    ).waitUntilExit()
    let done = try #require(spool.jobs("done").first, "\(spool.log)")
    let images = try ImageDataset(contentsOf: done + "/images.zip")
    #expect(images.count == 40)
    #expect(try images.labels() == (0..<40).map { $0 % 10 })
    let summary = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: done + "/summary.json")))
    let steps = try #require((summary as? [String: Any])?["steps"] as? [String: [String: Any]])
    #expect(steps["images"]?["output"] as? String == "images.zip")
    #expect((steps["images"]?["left_out"] as? [String: String])?.keys.first == "photos/0/broken.jpg")
    #expect(steps["reference"]?["num_images"] as? Int == 40)
    let failed = try #require(spool.jobs("failed").first, "\(spool.log)")
    #expect(
      spool.read(failed + "/status.json").contains("is not a plain file"), "\(spool.read(failed + "/status.json"))")
  }
}
