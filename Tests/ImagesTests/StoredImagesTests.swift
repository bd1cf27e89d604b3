import Diagnostics
import Files
import Foundation
import Images
import TestSupport
import Testing

/// What counts as an image in a folder and in an archive, what is left out, and what is refused.
@Suite("Images among other files")
struct StoredImagesTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private typealias Entry = MadeArchive.Entry

  private static func entries(_ more: [Entry]) throws -> [Entry] {
    try (0..<3).map { Entry("\($0).png", try MadeImage.png($0)) } + more
  }

  /// The same entries in each form that holds them.
  private func forms(_ entries: [Entry]) throws -> [() throws -> StoredImages] {
    let path = "folder-\(UUID().uuidString)"
    for entry in entries { try folder.write(entry.content, to: Array("\(path)/".utf8) + entry.name) }
    try folder.write(MadeArchive.zip(entries), to: path + ".zip")
    try folder.write(MadeArchive.tar(entries), to: path + ".tar")
    let file = folder.file(path)
    return [
      { try StoredImages.Folder(file).images() }, { try StoredImages(zip: file + ".zip") },
      { try StoredImages(tar: file + ".tar") },
    ]
  }

  private func refusal(_ open: () throws -> StoredImages) -> Failure? {
    let failure = #expect(throws: Failure.self) {
      let images = try open()
      _ = try images.images(0..<images.count)
    }
    #expect(failure?.status == .dataError)
    return failure
  }

  private static let text = Array("read me\n".utf8)

  @Test("What stands beside images is left out and counted by its kind, in a folder and in archives alike")
  func leftOut() throws {
    let entries = try Self.entries([
      Entry("readme.txt", Self.text), Entry("sub/notes", Self.text), Entry("sub/labels.csv", Self.text),
      Entry("__MACOSX/._0.png", [0, 5, 0x16, 7]), Entry("sub/._1.png", [0, 5, 0x16, 7]),
      Entry(".DS_Store", [0, 0, 0, 1]),
      Entry("Thumbs.db", [0xD0, 0xCF]), Entry("desktop.ini", Self.text), Entry("dataset.json", Array("{".utf8)),
      Entry(".thumbnails/0.png", try MadeImage.png(9)), Entry("@eaDir/0.png/THUMB.png", try MadeImage.png(9)),
      Entry("empty", []), Entry("model.bin", [1, 2, 0, 3]),
      Entry("features.npy", [0x93] + Array("NUMPY".utf8) + [1, 0]),
    ])
    for open in try forms(entries) {
      let images = try open()
      #expect(images.count == 3)
      #expect(
        images.leftOut.counts == [
          "text": 3, "macOS sidecar": 3, "Windows sidecar": 2, "Synology sidecar": 1, "hidden file": 1,
          "table of labels": 1, "empty file": 1, "other file": 1, "numpy array": 1,
        ])
      let note = try #require(images.note)
      #expect(note.contains("3 images; left out 14 files: 1 Synology sidecar (@eaDir"), "\(note)")
      #expect(note.contains("3 text (first "), "\(note)")
      #expect(try images.images(0..<3) == (0..<3).flatMap(MadeImage.pixels))
    }
    #expect(try forms(Self.entries([])).allSatisfy { try $0().note == nil })
  }

  @Test("A picture is one by its content: without a suffix, under another, and in the formats of netpbm")
  func byContent() throws {
    let entries = try Self.entries([
      Entry("3", try MadeImage.png(3)), Entry("4.dat", try MadeImage.png(4)), Entry("5.PGM", MadeImage.pgm(5)),
      Entry("6.jpg", try MadeImage.png(6)), Entry("7.png", MadeImage.pgm(7)), Entry("8.pnm", MadeImage.pgm(8)),
      Entry("9", MadeImage.pgm(9)), Entry("P5.txt", Array("P5 is the fifth player\n".utf8)),
    ])
    for open in try forms(entries) {
      let images = try open()
      #expect(images.count == 10 && images.leftOut.counts == ["text": 1])
      #expect(try images.images(0..<10) == (0..<10).flatMap(MadeImage.pixels))
      #expect(try images.images(4..<7) == (4..<7).flatMap(MadeImage.pixels))
    }
  }

  @Test(
    "A picture in a format that is not read is refused by its name, known by suffix or content",
    arguments: [
      ("3.jfif", MadeImage.jpeg, "a JPEG image"), ("sub/3", MadeImage.jpeg, "a JPEG image"),
      ("3.png", MadeImage.jpeg, "a JPEG image"), ("3.tga", [0, 0, 2], "a TGA image"), ("3.JPEG", [], "a JPEG image"),
      ("x", Array("GIF89a".utf8), "a GIF image"), ("x.txt", [0x49, 0x49, 0x2A, 0, 8], "a TIFF image"),
      ("x.webp", [], "a WebP image"), ("x", [0, 0, 0, 24] + Array("ftypavif0000".utf8), "an AVIF image"),
      ("x", [0, 0, 0, 24] + Array("ftypheic0000".utf8), "a HEIF image"), ("x.jxl", [0xFF, 0x0A], "a JPEG XL image"),
      ("x", Array("BM".utf8) + [9, 9, 9, 9, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0], "a BMP image"),
      ("x.svg", Array("<svg/>".utf8), "an SVG drawing"), ("x", Array("P7\nWIDTH".utf8), "a PAM image"),
    ])
  func foreign(name: String, content: [UInt8], words: String) throws {
    for open in try forms(Self.entries([Entry(name, content)])) {
      let failure = refusal(open)
      #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
      #expect(failure?.subject.hasSuffix("/" + name) == true, "\(failure?.subject ?? "")")
    }
  }

  @Test(
    "An archive beside images is refused by its name",
    arguments: [
      ("old.zip", [0x50, 0x4B, 3, 4]), ("sub/old", [0x50, 0x4B, 3, 4]), ("a.tar", []), ("a.tgz", [0x1F, 0x8B]),
      ("stats.h5", [0x89, 0x48, 0x44, 0x46]), ("a.parquet", Array("PAR1".utf8)), ("x", Array("Rar!".utf8)),
    ])
  func archiveBeside(name: String, content: [UInt8]) throws {
    for open in try forms(Self.entries([Entry(name, content)])) {
      let failure = refusal(open)
      #expect(failure?.subject.hasSuffix("/" + name) == true, "\(failure?.subject ?? "")")
      #expect(failure?.description.contains("beside images") == true, "\(failure?.description ?? "")")
    }
  }

  @Test("Names are bytes: in any encoding or none they are read, sorted and shown")
  func names() throws {
    let names: [[UInt8]] = [
      Array("a.png".utf8), Array("bild-\u{F6}.png".utf8), [0x62, 0xF6] + Array(".png".utf8),
      [0xFF] + Array(".png".utf8),
      Array("o\u{308}.png".utf8), Array("\u{F6}.png".utf8), [0x8F, 0x5C] + Array("sjis.png".utf8),
    ]
    let sorted = names.sorted { $0.lexicographicallyPrecedes($1) }
    let entries = try names.enumerated().map { Entry($1, try MadeImage.png($0)) }
    for (form, open) in try forms(entries + [Entry([0xE4, 0x20], Self.text)]).enumerated() {
      let images = try open()
      // A tar archive keeps its own order.
      #expect(images.names.map(\.bytes) == (form < 2 ? sorted : names))
      let places = images.names.map { name in names.firstIndex(of: name.bytes) ?? -1 }
      #expect(try images.images(0..<7) == places.flatMap(MadeImage.pixels))
      #expect(images.leftOut.description == "1 file: 1 text (\\xe4 )")
    }
    for open in try forms(Self.entries([Entry([0x62, 0xFF] + Array(".gif".utf8), [])])) {
      #expect(refusal(open)?.subject.hasSuffix("/b\\xff.gif") == true)
    }
  }

  @Test("Folders: what is hidden is not looked into, links and pipes are refused, the vanished is no defect")
  func folders() throws {
    let path = folder.file("f")
    for entry in try Self.entries([]) { try folder.write(entry.content, to: Array("f/".utf8) + entry.name) }
    try folder.write(MadeImage.jpeg, to: "f/.cache/0.jpg")
    try FileManager.default.createSymbolicLink(atPath: path + "/.lock", withDestinationPath: "user@host.1")
    #expect(try StoredImages.Folder(path).images().leftOut.counts == ["hidden file": 2])
    try FileManager.default.createSymbolicLink(atPath: path + "/readme", withDestinationPath: "0.png")
    #expect(refusal { try StoredImages.Folder(path).images() }?.description.contains("f/readme: ") == true)
    unlink(path + "/readme")
    #expect(mkfifo(path + "/pipe", 0o600) == 0)
    #expect(refusal { try StoredImages.Folder(path).images() }?.description.contains("f/pipe: ") == true)
    unlink(path + "/pipe")
    let images = try StoredImages.Folder(path).images()
    unlink(path + "/1.png")
    #expect { try images.images(0..<3) } throws: { ($0 as? Failure)?.status == .noInput && "\($0)".contains("1.png") }
  }
}
