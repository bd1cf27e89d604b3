import Diagnostics
import Files
import Foundation
import Images
import TestSupport
import Testing

/// What is found in folders and archives of pictures, and which class it has.
@Suite("Sources of data sets")
struct StoredPicturesTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func source(_ names: [String], table: (name: String, json: String)? = nil) throws -> StoredPictures {
    let root = "source-\(UUID().uuidString)"
    for name in names { try folder.write(try MadeImage.png(1), to: root + "/" + name) }
    if let table { try folder.write(Array(table.json.utf8), to: root + "/" + table.name) }
    return try StoredPictures(folder.file(root))
  }

  @Test(
    "Classes are the folders beneath the source, or beneath the folders that all share, in the order of their names",
    arguments: [
      (["b/1.png", "a/2.png", "a/c/3.png"], [0, 0, 1], ["a", "b"]),
      (["photos/b/1.png", "photos/a/2.png"], [0, 1], ["a", "b"]),
      (["x/y/10/1.png", "x/y/9/2.png"], [0, 1], ["10", "9"]),
    ])
  func folders(names: [String], labels: [Int], folders: [String]) throws {
    let classes = try source(names).classes
    #expect(classes.origin == .folders)
    let found = try #require(classes.labels(of: Array(names.indices)))
    #expect(found.labels == labels && found.folders == folders.map { ByteName($0) })
  }

  @Test("A folder of which nothing came into the data set is no class")
  func emptyClass() throws {
    let classes = try source(["a/1.png", "b/2.png", "c/3.png"]).classes
    let found = try #require(classes.labels(of: [0, 2]))
    #expect(found.labels == [0, 1] && found.folders == [ByteName("a"), ByteName("c")])
  }

  @Test(
    "Pictures that lie in no folder, or all in one, have no classes",
    arguments: [["1.png", "2.png"], ["a/1.png", "a/2.png"], ["a/1.png", "b/2.png", "3.png"], ["a/b/1.png"]])
  func none(names: [String]) throws {
    let pictures = try source(names)
    #expect(pictures.classes.origin == .none && pictures.classes.labels(of: [0]) == nil)
    #expect(pictures.classes.outside == (names.count == 3 ? 1 : 0))
  }

  @Test("A dataset.json goes before the folders, also where it says that there are no classes")
  func table() throws {
    let names = ["a/1.png", "b/2.png"]
    let json = #"{"labels": [["a/1.png", 7], ["b\\2.png", 3], ["c/3.png", 0]]}"#
    #expect(try source(names, table: ("dataset.json", json)).classes.labels(of: [0, 1])?.labels == [7, 3])
    let none = try source(names, table: ("dataset.json", #"{"labels": null}"#))
    #expect(none.classes.origin == .none && none.leftOut.counts == ["table of labels": 1])
    // Beneath the folders that all share, with the names from there on; elsewhere it is no table of the source.
    let inner = #"{"labels": [["1.png", 4], ["2.png", 5]]}"#
    #expect(
      try source(["x/y/1.png", "x/y/2.png"], table: ("x/y/dataset.json", inner)).classes.labels(of: [1, 0])?.labels
        == [5, 4])
    #expect(try source(names, table: ("a/dataset.json", inner)).classes.origin == .folders)
    let lacking = #expect(throws: Failure.self) { try source(names + ["c/4.png"], table: ("dataset.json", json)) }
    #expect(lacking?.problem.contains("no label for image c/4.png") == true)
    for text in ["[", #"{"labels": [["a/1.png", 0.5], ["b/2.png", 1]]}"#] {
      #expect(throws: Failure.self) { try source(names, table: ("dataset.json", text)) }
    }
  }

  @Test("Paths of archives that begin with ./ are those of their folders")
  func dotted() throws {
    let png = try MadeImage.png(2)
    try folder.write(MadeArchive.tar([.init("./b/1.png", png), .init("./a/2.png", png)]), to: "dotted.tar")
    let pictures = try StoredPictures(folder.file("dotted.tar"))
    #expect(pictures.names == [ByteName("./b/1.png"), ByteName("./a/2.png")])
    #expect(pictures.classes.labels(of: [0, 1])?.labels == [1, 0])
  }

  @Test("Pictures of other formats, archives and links to nothing are left out by name, other files counted")
  func refused() throws {
    let png = try MadeImage.png(2)
    try folder.write(
      MadeArchive.zip([
        .init("1.png", png), .init("2.gif", Array("GIF89a".utf8)), .init("3.zip", Array("PK\u{3}\u{4}".utf8)),
        .link("4.png", to: "gone.png"), .link("5.png", to: "1.png"), .init("readme.txt", Array("text".utf8)),
        .init("6.webp", []), .init(".hidden.jpg", png), .init("7", png),
      ]), to: "mixed.zip")
    let pictures = try StoredPictures(folder.file("mixed.zip"))
    #expect(pictures.names.map(\.description) == ["1.png", "5.png", "7"])
    #expect(pictures.refused.map(\.name.description) == ["2.gif", "3.zip", "4.png", "6.webp"])
    #expect(pictures.refused[0].reason.contains("a GIF image"))
    #expect(pictures.leftOut.counts == ["text": 1, "hidden file": 1])
  }

  @Test("A folder's digest is that of its pictures, their names and the table")
  func digest() throws {
    func digest(_ names: [String], _ json: String?) throws -> String {
      try source(names, table: json.map { ("dataset.json", $0) }).sha256()
    }
    let null = #"{"labels": null}"#
    let plain = try digest(["a/1.png", "b/2.png"], nil)
    #expect(try digest(["b/2.png", "a/1.png"], nil) == plain)
    #expect(try digest(["a/1.png", "b/2.png"], null) != plain)
    #expect(try digest(["a/1.png", "b/3.png"], nil) != plain)
    #expect(try digest(["a/1.png"], nil) != plain)
  }

  @Test("What is no source is refused for what it is")
  func noSource() throws {
    try folder.write(try MadeImage.png(1), to: "one.png")
    try folder.write(MadeImage.jpeg, to: "one.jpg")
    try folder.write(Array("text".utf8), to: "text")
    try folder.write(Array("text".utf8), to: "texts/readme.txt")
    for (name, words) in [
      ("one.png", "this is a picture"), ("one.jpg", "this is a picture"), ("text", "this is text"),
      ("texts", "no picture in the folder that is read; it holds 1 file"), ("missing", "no such file"),
    ] {
      let failure = #expect(throws: Failure.self) { try StoredPictures(folder.file(name)) }
      #expect(failure?.problem.lowercased().contains(words) == true, "\(failure?.description ?? "")")
    }
  }
}
