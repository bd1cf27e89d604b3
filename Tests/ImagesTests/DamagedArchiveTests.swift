import Diagnostics
import Files
import Foundation
import Images
import TestSupport
import Testing

/// Archives of which a part would be dropped unseen.
@Suite("Nothing of an archive is dropped in silence")
struct DamagedArchiveTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private typealias Entry = MadeArchive.Entry

  private static func pngs(_ range: Range<Int>) throws -> [Entry] {
    try range.map { Entry("\($0).png", try MadeImage.png($0)) }
  }

  private func open(tar bytes: [UInt8]) throws -> StoredImages {
    try folder.write(bytes, to: "x.tar")
    return try StoredImages(tar: folder.file("x.tar"))
  }

  private func open(zip bytes: [UInt8]) throws -> StoredImages {
    try folder.write(bytes, to: "x.zip")
    return try StoredImages(zip: folder.file("x.zip"))
  }

  private func expectRefusal(_ words: String..., open: () throws -> StoredImages) {
    let failure = #expect(throws: Failure.self) { try open() }
    #expect(failure?.status == .dataError)
    for word in words { #expect(failure?.description.contains(word) == true, "\(String(describing: failure))") }
  }

  private func pixels(_ images: StoredImages) throws -> [UInt8] { try images.images(0..<images.count) }

  @Test("A tar archive with a header that is lost, or with bytes that belong to no entry, is refused with the place")
  func lostHeader() throws {
    let tar = MadeArchive.tar(try Self.pngs(0..<6))
    let entry = (tar.count - 1024) / 6
    for lost in [0, 2, 5] {
      var bytes = tar
      bytes.replaceSubrange(lost * entry..<lost * entry + 512, with: [UInt8](repeating: 0, count: 512))
      expectRefusal("x.tar") { try open(tar: bytes) }
      if lost > 0 { expectRefusal("at byte \(lost * entry + 512)", "no entry") { try open(tar: bytes) } }
    }
    // An entry without content, whose header is all there is of it.
    let empty = try MadeArchive.tar([Entry("a", []), Entry("b", [])] + Self.pngs(0..<3))
    var bytes = empty
    bytes.replaceSubrange(512..<1024, with: [UInt8](repeating: 0, count: 512))
    expectRefusal("the block at byte 512 is empty") { try open(tar: bytes) }
    // Between archives and behind the last one.
    let junk = Array(String(repeating: "junk", count: 128).utf8)
    expectRefusal("at byte \(tar.count)") { try open(tar: tar + junk + tar) }
    expectRefusal("at byte \(tar.count)", "head -c") { try open(tar: tar + junk) }
    expectRefusal("at byte \(tar.count + 700)") { try open(tar: tar + [UInt8](repeating: 0, count: 700) + [7]) }
  }

  @Test("Padding of any length, one empty block as the end, and archives behind it are read whole")
  func padding() throws {
    let tar = MadeArchive.tar(try Self.pngs(0..<3))
    let all = (0..<3).flatMap(MadeImage.pixels)
    for count in [0, 1, 511, 512, 9000, 70_001] {
      let images = try open(tar: tar + [UInt8](repeating: 0, count: count))
      #expect(try pixels(images) == all && images.note == nil)
    }
    let images = try open(tar: Array(tar.dropLast(512)))
    #expect(try pixels(images) == all && images.note == nil)
    let both = try open(tar: tar + MadeArchive.tar(try Self.pngs(3..<5)))
    #expect(try pixels(both) == (0..<5).flatMap(MadeImage.pixels))
  }

  @Test("A tar archive that ends without its end is read, and it is said")
  func noEnd() throws {
    let tar = MadeArchive.tar(try Self.pngs(0..<5))
    let entry = (tar.count - 1024) / 5
    for (bytes, count) in [
      (MadeArchive.tar(try Self.pngs(0..<5), hasEnd: false), 5), (Array(tar.prefix(3 * entry)), 3),
      (tar + MadeArchive.tar(try Self.pngs(5..<7), hasEnd: false), 7),
    ] {
      let images = try open(tar: bytes)
      #expect(images.count == count)
      #expect(images.leftOut.count == 0)
      #expect(images.leftOut.counts == ["tar archive without an end, which may be cut off": 1])
      #expect(images.note?.contains("\(count) images; a tar archive without an end") == true, "\(images.note ?? "")")
    }
    // In the middle of an entry it is damaged.
    for count in [entry * 2 + 100, entry * 2 + 512, entry * 3 - 512] {
      #expect(throws: Failure.self) { try open(tar: Array(tar.prefix(count))) }
    }
  }

  @Test("Of two entries of a name in a tar archive the later counts, as when it is unpacked; in a zip both are refused")
  func twice() throws {
    let later = [
      Entry("0.png", try MadeImage.png(7)), Entry("./a/../1.png", try MadeImage.png(8)),
      Entry("notes", Array("x".utf8)), Entry("notes", Array("y".utf8)),
    ]
    let images = try open(tar: MadeArchive.tar(try Self.pngs(0..<3) + later))
    #expect(images.names.map(\.description) == ["2.png", "0.png", "./a/../1.png"])
    #expect(try pixels(images) == [2, 7, 8].flatMap(MadeImage.pixels))
    #expect(images.leftOut.counts == ["replaced by a later entry": 3, "text": 1])
    // A hard link keeps what it was made to; a symbolic one leads to what stands there in the end.
    let linked = try open(
      tar: MadeArchive.tar(
        try Self.pngs(0..<1) + [
          Entry("hard.png", Array("0.png".utf8), kind: "1"), .link("soft.png", to: "0.png"),
          Entry("0.png", try MadeImage.png(9)),
        ]))
    #expect(try pixels(linked) == [0, 9, 9].flatMap(MadeImage.pixels))
    // A picture in a format that is not read is no obstacle where it was replaced.
    let mended = try open(
      tar: MadeArchive.tar([Entry("a", MadeImage.jpeg), Entry("a", try MadeImage.png(1))] + Self.pngs(2..<3)))
    #expect(mended.count == 2)
    expectRefusal("two entries are named 0.png") {
      try open(zip: MadeArchive.zip(try Self.pngs(0..<2) + Self.pngs(0..<1)))
    }
  }

  @Test("An entry that is named as a folder and holds a file is refused by its name")
  func folderWithContent() throws {
    let entries = try Self.pngs(0..<3) + [Entry("9.png/", try MadeImage.png(9))]
    expectRefusal("x.zip/9.png/", "holds") { try open(zip: MadeArchive.zip(entries)) }
    #expect(throws: Failure.self) { try open(tar: MadeArchive.tar(entries)) }
    let empty = try Self.pngs(0..<3) + [Entry("a/", [])]
    #expect(try open(zip: MadeArchive.zip(empty)).count == 3 && open(zip: MadeArchive.zip(empty)).note == nil)
  }

  @Test("An end record that a comment or an entry imitates does not hide the archive's own")
  func imitatedEnd() throws {
    let record: [UInt8] = Array("PK\u{5}\u{6}".utf8) + [UInt8](repeating: 0, count: 18)
    let zip = MadeArchive.zip(try Self.pngs(0..<3))
    for comment in [record, record + record, Array("PK\u{5}\u{6}".utf8), record + [1, 2, 3]] {
      let bytes: [UInt8] = Array(zip.prefix(zip.count - 2)) + [UInt8(comment.count), 0] + comment
      #expect(try pixels(open(zip: bytes)) == (0..<3).flatMap(MadeImage.pixels))
    }
    let named = MadeArchive.zip(try Self.pngs(0..<3) + [Entry(record, Array("x".utf8))])
    #expect(try open(zip: named).leftOut.counts == ["text": 1])
    let held = MadeArchive.zip([Entry("x", [1] + record)] + (try Self.pngs(0..<3)))
    #expect(try open(zip: held).count == 3)
  }

  @Test("What is hidden counts the same in a folder, a zip and a tar: a folder of it is one")
  func hidden() throws {
    let entries =
      try Self.pngs(0..<3) + [
        Entry(".cache/a/0.png", try MadeImage.png(9)), Entry(".cache/a/1.jpg", MadeImage.jpeg), Entry(".x", [1]),
        Entry("__MACOSX/._0.png", [0, 5]), Entry("__MACOSX/sub/._1.png", [0, 5]), Entry("sub/.git/objects/7", [2]),
        Entry("sub/.git/config", [2]), Entry("sub/3.png", try MadeImage.png(3)),
      ]
    for entry in entries { try folder.write(entry.content, to: Array("f/".utf8) + entry.name) }
    for images in [
      try StoredImages.Folder(folder.file("f")).images(), try open(zip: MadeArchive.zip(entries)),
      try open(tar: MadeArchive.tar(entries)),
    ] {
      #expect(images.count == 4)
      #expect(images.leftOut.counts == ["hidden file": 3, "macOS sidecar": 1], "\(images.leftOut)")
    }
  }

  @Test("The holes of sparse files are zeros to the end, and no emptiness")
  func sparse() throws {
    let source = folder.file("s")
    for entry in try Self.pngs(0..<2) { try folder.write(entry.content, to: Array("s/".utf8) + entry.name) }
    try folder.write([], to: "s/hole.bin")
    try folder.write(try MadeImage.png(2), to: "s/2.png")
    try #require(truncate(source + "/hole.bin", 1 << 40) == 0 && truncate(source + "/2.png", 1 << 20) == 0)
    for format in ["gnu", "pax"] {
      let made = Process()
      made.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      made.arguments = ["tar", "-S", "--format=\(format)", "-cf", folder.file("x.tar"), "-C", source, "."]
      try made.run()
      made.waitUntilExit()
      try #require(made.terminationStatus == 0)
      let images = try StoredImages(tar: folder.file("x.tar"))
      #expect(images.count == 3 && images.leftOut.counts == ["other file": 1], "\(images.leftOut)")
      #expect(try images.names.indices.allSatisfy { try images.images($0..<$0 + 1).count == 64 })
    }
  }
}
