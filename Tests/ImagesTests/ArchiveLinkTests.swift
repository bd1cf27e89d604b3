import Diagnostics
import Foundation
import Images
import TestSupport
import Testing

/// Links, and archives of odd make.
@Suite("Links and odd makes of archives")
struct ArchiveLinkTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private typealias Entry = MadeArchive.Entry

  private func tar(_ entries: [Entry]) throws -> StoredImages {
    try folder.write(MadeArchive.tar(entries), to: "x.tar")
    return try StoredImages(tar: folder.file("x.tar"))
  }

  private func seeds(_ images: StoredImages) throws -> [Int] {
    try (0..<images.count).map { index in
      let pixels = try images.images(index..<index + 1)
      return (0..<20).first { MadeImage.pixels($0) == pixels } ?? -1
    }
  }

  @Test("Links stand for the pictures that they lead to, before or behind them, through other links and folders")
  func links() throws {
    let images = try tar([
      .link("first.png", to: "a/1.png"), Entry("a/0.png", try MadeImage.png(0)), Entry("a/1.png", try MadeImage.png(1)),
      .link("a/up.png", to: "../b/./2.png"), Entry("b/2.png", try MadeImage.png(2)),
      .link("chain.png", to: "b//chain2"), .link("b/chain2", to: "../a/0.png"),
      Entry("hard.png", Array("b/2.png".utf8), kind: "1"), .link("c/text.png", to: "../notes.txt"),
      Entry("notes.txt", Array("text".utf8)), .link("annex.png", to: ".git/annex/KEY"),
      Entry(".git/annex/KEY", try MadeImage.png(7)), .link("._side.png", to: "nowhere"),
    ])
    #expect(
      images.names.map(\.description) == [
        "first.png", "a/0.png", "a/1.png", "a/up.png", "b/2.png", "chain.png", "b/chain2", "hard.png", "annex.png",
      ])
    #expect(try seeds(images) == [1, 0, 1, 2, 2, 0, 0, 2, 7])
    #expect(images.leftOut.counts == ["text": 2, "hidden file": 1, "macOS sidecar": 1])
    #expect(try images.images(3..<8) == [2, 2, 0, 0, 2].flatMap(MadeImage.pixels))
  }

  @Test(
    "Links that leave the archive, lead nowhere, to a folder or in a circle are refused by name",
    arguments: [
      ("y.png", "/etc/passwd", "outside"), ("y.png", "../0.png", "outside"), ("a/y", "../../0.png", "outside"),
      ("y.png", "none.png", "does not hold"), ("y.png", "a", "does not hold"), ("y.png", "", "does not hold"),
      ("y.png", "y.png", "circle"), ("y.png", "z.png", "circle"),
    ])
  func badLinks(name: String, target: String, words: String) throws {
    let failure = #expect(throws: Failure.self) {
      try tar([
        Entry("0.png", try MadeImage.png(0)), Entry("a/1.png", try MadeImage.png(1)), .link(name, to: target),
        .link("z.png", to: "y.png"),
      ])
    }
    #expect(failure?.status == .dataError)
    #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
  }

  @Test("A hard link to a later entry, a link to a JPEG and a device are refused")
  func badEntries() throws {
    let png = try MadeImage.png(0)
    for (entries, words) in [
      ([Entry("h.png", Array("0.png".utf8), kind: "1"), Entry("0.png", png)], "does not hold"),
      ([Entry("0.png", png), .link("l", to: "1.jpg"), Entry("1.jpg", MadeImage.jpeg)], "JPEG"),
      ([Entry("0.png", png), Entry("tty.png", [], kind: "3")], "neither a file"),
    ] {
      let failure = #expect(throws: Failure.self) { try tar(entries) }
      #expect(failure?.status == .dataError)
      #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
    }
  }

  @Test("Links in a zip archive, as Info-ZIP keeps them, are followed too")
  func zipLinks() throws {
    func zip(_ entries: [Entry]) throws -> StoredImages {
      try folder.write(MadeArchive.zip(entries), to: "x.zip")
      return try StoredImages(zip: folder.file("x.zip"))
    }
    let images = try zip([
      .link("z.png", to: "a/0.png"), Entry("a/0.png", try MadeImage.png(5)), Entry("b.png", try MadeImage.png(6)),
    ])
    #expect(images.names.map(\.description) == ["a/0.png", "b.png", "z.png"])
    #expect(try seeds(images) == [5, 6, 5])
    let failure = #expect(throws: Failure.self) {
      try zip([Entry("a.png", try MadeImage.png(5)), .link("z.png", to: "/etc/passwd")])
    }
    #expect(failure?.description.contains("outside") == true, "\(failure?.description ?? "")")
  }

  @Test("Tar archives put one behind the other, and one without an end, are read whole")
  func concatenated() throws {
    let parts = try (0..<3).map { MadeArchive.tar([Entry("\($0).png", try MadeImage.png($0))]) }
    let padding = [UInt8](repeating: 0, count: 70_000 / 512 * 512)
    for bytes in [
      parts[0] + padding + parts[1] + parts[2],
      MadeArchive.tar(try (0..<3).map { Entry("\($0).png", try MadeImage.png($0)) }, hasEnd: false),
    ] {
      try folder.write(bytes, to: "x.tar")
      #expect(try seeds(StoredImages(tar: folder.file("x.tar"))) == [0, 1, 2])
    }
    // With a link across the seam.
    try folder.write(MadeArchive.tar([.link("l.png", to: "1.png")]) + parts[1], to: "x.tar")
    #expect(try seeds(StoredImages(tar: folder.file("x.tar"))) == [1, 1])
  }

  @Test("Zip archives put one behind the other are refused; a comment and bytes behind one are read over")
  func zips() throws {
    let bytes = MadeArchive.zip(try (0..<3).map { Entry("\($0).png", try MadeImage.png($0)) })
    func open(_ bytes: [UInt8]) throws -> StoredImages {
      try folder.write(bytes, to: "x.zip")
      return try StoredImages(zip: folder.file("x.zip"))
    }
    #expect(try seeds(open(bytes)) == [0, 1, 2])
    #expect(try seeds(open(bytes + Array("<!-- the site -->".utf8))) == [0, 1, 2])
    #expect(try seeds(open(bytes.dropLast(2) + [5, 0] + Array("PK\u{5}\u{6}x".utf8))) == [0, 1, 2])
    #expect { try open(bytes + bytes + Array("behind".utf8)) } throws: { "\($0)".contains("not where it says") }
    #expect { try open(bytes + bytes) } throws: { "\($0)".contains("not where it says") }
    #expect { try open(Array(bytes.dropLast(30))) } throws: { "\($0)".contains("truncated") }
    #expect { try open([]) } throws: { "\($0)".contains("empty") }
  }

  @Test("Many images are read in any order, forward without beginning again")
  func manyImages() throws {
    let entries = try (0..<400).flatMap { number -> [Entry] in
      [Entry("\(number).cls", Array("7".utf8)), Entry("\(number).png", try MadeImage.png(number))]
    }
    try folder.write(MadeArchive.tar(entries), to: "x.tar")
    let images = try StoredImages(tar: folder.file("x.tar"))
    #expect(images.count == 400 && images.leftOut.counts == ["text": 400])
    for range in [0..<100, 100..<101, 300..<400, 50..<60, 399..<400, 0..<400] {
      #expect(try images.images(range) == range.flatMap(MadeImage.pixels))
    }
  }
}
