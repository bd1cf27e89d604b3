import Diagnostics
import Foundation
import Scoring
import TestSupport
import Testing

/// Images in every form that is read.
@Suite struct ImageSourceTests {
  static func path(_ name: String) -> String { Fixtures.path("sources/" + name) }

  @Test(
    "The same images in every form are the same bytes, in pieces too",
    arguments: [
      "images.zip", "images.npz", "deflated.npz", "columns.npz", "columns-deflated.npz", "images.tar", "flat", "nested",
      "tars", "shards/all.h5",
      "shards/all-old.h5",
    ])
  func forms(name: String) throws {
    let expected = try ImageCollection(Self.path("images.h5")).images(0..<12)
    let collection = try ImageCollection(Self.path(name))
    #expect(collection.count == 12)
    #expect(collection.shape.count == 90)
    #expect(try collection.images(0..<12) == expected)
    // Forward in pieces, then back.
    for range in [0..<1, 1..<4, 4..<11, 11..<12, 2..<6, 5..<5] {
      #expect(try collection.images(range) == Array(expected[range.lowerBound * 90..<range.upperBound * 90]))
    }
  }

  @Test(
    "Shards that are missing, overlap, leave images out or lie elsewhere are refused, never read as zeros",
    arguments: [
      ("gap", "row 5"), ("short", "row 5"), ("overlap", "row 4"), ("missing", "part-9.h5"), ("longer", "part-0.h5"),
      ("outside", "outside the folder"), ("itself", "outside the folder"), ("columns", "whole rows"),
    ])
  func refusedShards(name: String, words: String) {
    let failure = #expect(throws: Failure.self) {
      let collection = try ImageCollection(Self.path("shards/\(name).h5"))
      _ = try collection.images(0..<collection.count)
    }
    #expect(failure?.status == (name == "missing" ? .noInput : .dataError))
    #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
  }

  @Test(
    "Files that do not hold images are refused with the reason",
    arguments: [
      ("floats.npz", "F32"), ("objects.npz", "arr_0.npy: elements of type |O"), ("other.npz", "arr_0"),
      ("truncated.tar", "tar"),
      ("README.md", "HDF5"),
    ])
  func refusedFiles(name: String, words: String) {
    let failure = #expect(throws: Failure.self) {
      let collection = try ImageCollection(Self.path(name))
      _ = try collection.images(0..<collection.count)
    }
    #expect(failure?.status == .dataError)
    #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
  }

  @Test("Folders with links, other image formats, other shapes or nothing are refused")
  func refusedFolders() throws {
    let folder = try TemporaryFolder()
    func expect(_ name: String, _ words: String, _ fill: (String) throws -> Void) throws {
      let path = folder.file(name)
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: Self.path("flat/000000.png"), toPath: path + "/0.png")
      try fill(path)
      let failure = #expect(throws: Failure.self) {
        let collection = try ImageCollection(path)
        _ = try collection.images(0..<collection.count)
      }
      #expect(failure?.status == .dataError)
      #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
    }
    try expect("empty", "no PNG") { try FileManager.default.removeItem(atPath: $0 + "/0.png") }
    try expect("links", "links") {
      try FileManager.default.createSymbolicLink(atPath: $0 + "/1.png", withDestinationPath: $0 + "/0.png")
    }
    try expect("shard beside", "kinds") {
      for name in ["1.tar", "1.zip"] {
        try FileManager.default.copyItem(atPath: Self.path("images" + name.dropFirst()), toPath: $0 + "/" + name)
      }
    }
    try expect("beside", "beside images") {
      try FileManager.default.copyItem(atPath: Self.path("images.tar"), toPath: $0 + "/1.tar")
    }
    try expect("below", "a zip archive inside a folder") {
      try FileManager.default.removeItem(atPath: $0 + "/0.png")
      try FileManager.default.createDirectory(atPath: $0 + "/sub", withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: Self.path("images.zip"), toPath: $0 + "/sub/1.zip")
    }
    try expect("jpeg", "no PNG file") { try Data().write(to: URL(fileURLWithPath: $0 + "/1.jpg")) }
    try expect("cut", "1.png") {
      try Data(contentsOf: URL(fileURLWithPath: $0 + "/0.png")).prefix(60).write(
        to: URL(fileURLWithPath: $0 + "/1.png"))
    }
    try expect("shape", "1.png") {
      try FileManager.default.copyItem(
        atPath: Fixtures.path("images/interlaced_rgb_11x13.png"), toPath: $0 + "/1.png")
    }
    try expect("mixed", "kinds") {
      try FileManager.default.copyItem(atPath: Self.path("images.tar"), toPath: $0 + "/1.tar")
      try FileManager.default.copyItem(atPath: Self.path("images.h5"), toPath: $0 + "/1.h5")
    }
    // A master file names its shards itself.
    #expect(throws: Failure.self) { try ImageCollection(Self.path("shards")) }
  }
}
