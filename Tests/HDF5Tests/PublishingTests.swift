import Diagnostics
import Foundation
import HDF5
import Testing
import TestSupport

@Suite struct PublishingTests {
  private struct Interruption: Error {}
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var listing: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }
  }

  @Test("A body that throws leaves nothing behind and the earlier file in place")
  func throwing() throws {
    let path = folder.file("a.h5")
    #expect(throws: Interruption.self) {
      try HDF5File.publish(path) { file in
        try file.root.write([1.0], shape: [1], to: "x")
        throw Interruption()
      }
    }
    #expect(try listing == [])
    try HDF5File.publish(path) { try $0.root.write([1.0], shape: [1], to: "x") }
    #expect(throws: Interruption.self) { try HDF5File.publish(path) { _ in throw Interruption() } }
    #expect(try listing == ["a.h5"])
    #expect(try HDF5File.open(path).root.dataset("x").read(Double.self) == [1])
  }

  @Test("While it is written the file has no final name")
  func nameAppearsLast() throws {
    let path = folder.file("a.h5")
    let seen = try HDF5File.publish(path) { file in
      try file.root.write([1.0], shape: [1], to: "x")
      return try listing
    }
    #expect(seen == ["a.h5.partial"])
    #expect(try listing == ["a.h5"])
  }

  @Test("What a killed writer left is written anew")
  func debris() throws {
    let path = folder.file("a.h5")
    try Data(repeating: 0xA5, count: 100_000).write(to: URL(fileURLWithPath: path + ".partial"))
    try HDF5File.publish(path) { try $0.root.write([Float(3)], shape: [1], to: "x") }
    #expect(try listing == ["a.h5"])
    #expect(try HDF5File.open(path).root.dataset("x").read(Float.self) == [3])
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
    #expect(try #require(size) < 10_000)
  }

  @Test("A second writer of the same file is refused for now, the first is not disturbed")
  func concurrentWriter() throws {
    let path = folder.file("a.h5")
    try HDF5File.publish(path) { file in
      let failure = #expect(throws: Failure.self) {
        try HDF5File.publish(path) { try $0.root.write([2.0], shape: [1], to: "x") }
      }
      #expect(failure?.status == .temporaryFailure)
      try file.root.write([1.0], shape: [1], to: "x")
    }
    #expect(try HDF5File.open(path).root.dataset("x").read(Double.self) == [1])
  }

  @Test("What was opened from a file keeps no claim on it once the file is published")
  func closedBeforeRename() throws {
    let path = folder.file("a.h5")
    let kept = try HDF5File.publish(path) { try $0.root.createDataset("x", of: Float.self, shape: [3]) }
    #expect(throws: Failure.self) { try kept.write([1, 2, 3], rows: 0..<3) }
    let reader = try HDF5File.open(path)
    #expect(reader.root.contains("x"))
  }

  @Test("A folder that does not exist, and an output without permission, are named")
  func unwritable() throws {
    let failure = #expect(throws: Failure.self) { try HDF5File.publish(folder.file("none/a.h5")) { _ in } }
    #expect(failure?.status == .cannotCreate)
  }

  @Test("An existing name in a file cannot be written again")
  func duplicateName() throws {
    #expect(throws: Failure.self) {
      try HDF5File.publish(folder.file("a.h5")) { file in
        try file.root.write([1.0], shape: [1], to: "x")
        try file.root.write([2.0], shape: [1], to: "x")
      }
    }
    #expect(try listing == [])
  }
}
