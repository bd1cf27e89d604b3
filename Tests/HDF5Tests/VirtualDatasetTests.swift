import Diagnostics
import Foundation
import HDF5
import TestSupport
import Testing

@Suite("Virtual data sets")
struct VirtualDatasetTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Three parts of 2, 3 and 1 rows, and the file that stitches them together.
  private func write() throws {
    var next: UInt8 = 0
    for (index, rows) in [2, 3, 1].enumerated() {
      try HDF5File.publish(folder.file("part\(index).h5")) { file in
        let values = (0..<rows * 4).map { UInt8($0) + next }
        try file.root.write(
          values, shape: [rows, 2, 2], to: "images", storage: .chunked(rows: 1, checksum: true, deflate: nil))
      }
      next += UInt8(rows * 4)
    }
    try HDF5File.publish(folder.file("all.h5")) { file in
      let sources = zip(0..<3, [2, 3, 1]).map { HDF5VirtualSource(file: "part\($0).h5", rows: $1) }
      try file.root.createVirtualDataset("images", of: UInt8.self, shape: [6, 2, 2], sources: sources, fill: 9)
    }
  }

  private func failure(_ name: String = "all.h5") throws -> Failure {
    try #require(
      #expect(throws: Failure.self) { _ = try HDF5File.open(folder.file(name)).root.dataset("images").read(UInt8.self) }
    )
  }

  @Test("Rows come from the files in order, across their borders, also after the folder has moved")
  func reading() throws {
    try write()
    for path in [folder.path, folder.path + "-moved"] {
      if path != folder.path { try FileManager.default.moveItem(atPath: folder.path, toPath: path) }
      let images = try HDF5File.open(path + "/all.h5").root.dataset("images")
      #expect(images.shape == [6, 2, 2] && images.virtualSources?.map(\.rows) == [2, 3, 1])
      #expect(try images.read(UInt8.self) == Array(0..<24))
      #expect(try images.read(UInt8.self, rows: 1..<6) == Array(4..<24))
      #expect(try images.read(Int32.self, rows: 4..<4).isEmpty)
    }
    try FileManager.default.moveItem(atPath: folder.path + "-moved", toPath: folder.path)
  }

  @Test("A part that is missing, a link, of another shape, or virtual itself is refused, never read as zeros")
  func parts() throws {
    try write()
    let part = folder.file("part1.h5")
    try FileManager.default.moveItem(atPath: part, toPath: folder.file("elsewhere.h5"))
    #expect(try failure().status == .noInput)
    #expect(try failure().description.contains("part1.h5"))
    try FileManager.default.createSymbolicLink(atPath: part, withDestinationPath: folder.file("elsewhere.h5"))
    #expect(try failure().status == .noInput)
    try FileManager.default.removeItem(atPath: part)
    try FileManager.default.copyItem(atPath: folder.file("part0.h5"), toPath: part)
    #expect(try failure().status == .dataError)
    try FileManager.default.removeItem(atPath: part)
    try FileManager.default.copyItem(atPath: folder.file("all.h5"), toPath: part)
    #expect(try failure().status == .dataError)
  }

  @Test("Damage to the list of files is found before libhdf5 sees it")
  func damage() throws {
    try write()
    let path = URL(fileURLWithPath: folder.file("all.h5"))
    let whole = try Data(contentsOf: path)
    let place = try #require(whole.range(of: Data("part1.h5".utf8))).lowerBound
    for offset in stride(from: -20, to: 120, by: 3) {
      var data = whole
      data[place + offset] ^= 0x11
      try data.write(to: path)
      #expect(try failure().status == .dataError, "byte \(offset)")
    }
  }

  @Test(
    "Files that h5py made: names outside the folder and rows that no file has are refused",
    arguments: [
      ("virtual_outside", "folder"), ("virtual_outside_new", "outside the folder"), ("virtual_gap", "row 2"),
    ])
  func foreign(name: String, says: String) throws {
    try FileManager.default.copyItem(atPath: Fixtures.path("hdf5/\(name).h5"), toPath: folder.file("foreign.h5"))
    for first in [0, 2, 3] {
      try HDF5File.publish(folder.file("part\(first).h5")) { file in
        try file.root.write(
          [UInt8](repeating: 1, count: first == 3 ? 3 : 6), shape: [first == 3 ? 1 : 2, 3], to: "images")
      }
    }
    let failure = try failure("foreign.h5")
    #expect(failure.status == .dataError && failure.description.contains(says), "\(failure)")
  }

  @Test(
    "A file that h5py made is read where its parts are beside it", arguments: ["virtual_beside", "virtual_beside_old"])
  func foreignBeside(name: String) throws {
    try FileManager.default.copyItem(atPath: Fixtures.path("hdf5/\(name).h5"), toPath: folder.file("foreign.h5"))
    for first in [0, 2] {
      try HDF5File.publish(folder.file("part\(first).h5")) { file in
        try file.root.write((0..<6).map { UInt8($0 + 3 * first) }, shape: [2, 3], to: "images")
      }
    }
    let images = try HDF5File.open(folder.file("foreign.h5")).root.dataset("images")
    #expect(try images.read(UInt8.self) == Array(0..<12))
  }
}
