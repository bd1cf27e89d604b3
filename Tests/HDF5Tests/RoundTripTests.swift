import Diagnostics
import Foundation
import HDF5
import TestSupport
import Testing

@Suite struct RoundTripTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func roundTrip<T: HDF5Scalar & Equatable>(_ values: [T], storage: HDF5Storage) throws -> [T] {
    let path = folder.file("\(T.self).h5")
    try HDF5File.publish(path) { try $0.root.write(values, shape: [values.count / 2, 2], to: "x", storage: storage) }
    let dataset = try HDF5File.open(path).root.dataset("x")
    #expect(dataset.shape == [values.count / 2, 2])
    #expect(dataset.isFloatingPoint == (T.self == Float.self || T.self == Double.self))
    return try dataset.read(T.self)
  }

  @Test(
    "Every number type comes back exactly, extremes included",
    arguments: [
      HDF5Storage.contiguous, .chunked(rows: 2, checksum: true, deflate: nil),
      .chunked(rows: 1, checksum: false, deflate: 6),
      .chunked(rows: 99, checksum: true, deflate: 1),
    ])
  func allTypes(storage: HDF5Storage) throws {
    #expect(
      try roundTrip([Float.pi, -.infinity, .leastNonzeroMagnitude, 0, -0.0, 1e38], storage: storage).map(\.bitPattern)
        == [Float.pi, -.infinity, .leastNonzeroMagnitude, 0, -0.0, 1e38].map(\.bitPattern))
    #expect(try roundTrip([Double.pi, 1e-300, 1e308, -2], storage: storage) == [Double.pi, 1e-300, 1e308, -2])
    #expect(try roundTrip([UInt8(0), 255, 7, 128], storage: storage) == [0, 255, 7, 128])
    #expect(try roundTrip([Int32.min, .max], storage: storage) == [.min, .max])
    #expect(try roundTrip([Int64.min, .max], storage: storage) == [.min, .max])
    #expect(try roundTrip([UInt64.min, .max], storage: storage) == [.min, .max])
  }

  @Test("Plain float32 can be read without the library; anything else cannot")
  func storedFloats() throws {
    let path = folder.file("a.h5")
    let values = (0..<600).map { Float($0) / 7 }
    try HDF5File.publish(path) { file in
      try file.root.write(values, shape: [20, 30], to: "plain")
      try file.root.write(
        values, shape: [20, 30], to: "chunked", storage: .chunked(rows: 4, checksum: true, deflate: nil))
      try file.root.write(values.map(Double.init), shape: [20, 30], to: "double")
      try file.root.write([Float](), shape: [0], to: "empty")
      #expect(try file.root.dataset("plain").storedFloats == nil)
    }
    let root = try HDF5File.open(path).root
    for name in ["chunked", "double", "empty"] { #expect(try root.dataset(name).storedFloats == nil) }
    let stored = try #require(try root.dataset("plain").storedFloats)
    #expect(stored.count == 600)
    var some = [Float](repeating: 0, count: 100)
    try some.withUnsafeMutableBufferPointer { try stored.read(50..<150, into: #require($0.baseAddress)) }
    #expect(some == Array(values[50..<150]))
    // The file shrinks under the reader.
    #expect(truncate(path, 1000) == 0)
    let failure = #expect(throws: Failure.self) {
      try some.withUnsafeMutableBufferPointer { try stored.read(500..<600, into: #require($0.baseAddress)) }
    }
    #expect(failure?.status == .dataError)
  }

  @Test("A scalar, an empty axis and their attributes come back")
  func scalarAndEmpty() throws {
    let path = folder.file("a.h5")
    try HDF5File.publish(path) { file in
      try file.root.write([2.5], shape: [], to: "scalar")
      try file.root.write(
        [Float](), shape: [0, 3], to: "empty", storage: .chunked(rows: 4, checksum: true, deflate: nil))
      try file.root.dataset("empty").setAttribute("note", "nothing")
    }
    let root = try HDF5File.open(path).root
    #expect(try root.dataset("scalar").shape == [])
    #expect(try root.dataset("scalar").read(Double.self) == [2.5])
    #expect(try root.dataset("empty").read(Float.self) == [])
    #expect(try root.dataset("empty").shape == [0, 3])
    #expect(try root.dataset("empty").stringAttribute("note") == "nothing")
  }

  @Test("Attributes of every kind come back and can be replaced")
  func attributes() throws {
    let path = folder.file("a.h5")
    let long = String(repeating: "sixty-four thousand is no limit. ", count: 4000)
    try HDF5File.publish(path) { file in
      let group = try file.root.createGroup("g")
      try group.setAttribute("text", "before")
      try group.setAttribute("text", "Grüße, \"JSON\"")
      try group.setAttribute("nothing", "")
      try group.setAttribute("long", long)
      try group.setAttribute("count", -3)
      try group.setAttribute("rate", 4e-4)
      try group.setAttribute("shape", [1, 2, Int.max])
      try group.setAttribute("weights", [0.1, -1e300])
      try group.setAttribute("many", [Double](repeating: 1.5, count: 20_000))
      try group.setAttribute("names", ["a", "", "ccc"])
      try group.setAttribute("none", [Int]())
      try group.setAttribute("no names", [String]())
    }
    let group = try HDF5File.open(path).root.group("g")
    #expect(try group.stringAttribute("text") == "Grüße, \"JSON\"")
    #expect(try group.stringAttribute("nothing") == "")
    #expect(try group.stringAttribute("long") == long)
    #expect(try group.intAttribute("count") == -3)
    #expect(try group.doubleAttribute("rate") == 4e-4)
    #expect(try group.doubleAttribute("count") == -3)
    #expect(try group.intsAttribute("shape") == [1, 2, Int.max])
    #expect(try group.doublesAttribute("weights") == [0.1, -1e300])
    #expect(try group.doublesAttribute("many").count == 20_000)
    #expect(try group.stringsAttribute("names") == ["a", "", "ccc"])
    #expect(try group.intsAttribute("none") == [])
    #expect(try group.stringsAttribute("no names") == [])
    #expect(group.hasAttribute("text"))
    #expect(!group.hasAttribute("absent"))
    #expect(throws: Failure.self) { try group.stringAttribute("absent") }
    #expect(throws: Failure.self) { try group.intAttribute("text") }
    #expect(throws: Failure.self) { try group.intAttribute("rate") }
    #expect(throws: Failure.self) { try group.intAttribute("shape") }
    #expect(throws: Failure.self) { try group.stringAttribute("count") }
  }

  @Test("Rows are written and read in any order")
  func rows() throws {
    let path = folder.file("a.h5")
    try HDF5File.publish(path) { file in
      let images = try file.root.createDataset(
        "images", of: UInt8.self, shape: [10, 2, 3], storage: .chunked(rows: 4, checksum: true, deflate: nil))
      try images.write((30..<60).map { UInt8($0) }, rows: 5..<10)
      try images.write((0..<30).map { UInt8($0) }, rows: 0..<5)
      try images.write([UInt8](), rows: 3..<3)
    }
    let images = try HDF5File.open(path).root.dataset("images")
    #expect(try images.read(UInt8.self) == (0..<60).map { UInt8($0) })
    #expect(try images.read(UInt8.self, rows: 3..<9) == (18..<54).map { UInt8($0) })
    #expect(try images.read(Double.self, rows: 9..<10) == (54..<60).map { Double($0) })
    #expect(try images.read(UInt8.self, rows: 4..<4) == [])
  }

  @Test("Names come in the order of creation, paths lead into groups")
  func names() throws {
    let path = folder.file("a.h5")
    try HDF5File.publish(path) { file in
      let group = try file.root.createGroup("parameters")
      for name in ["z.weight", "a.bias", "m"] { try group.write([Float(1)], shape: [1], to: name) }
      _ = try group.createGroup("inner").createGroup("innermost")
    }
    let root = try HDF5File.open(path).root
    #expect(root.names == ["parameters"])
    #expect(try root.group("parameters").names == ["z.weight", "a.bias", "m", "inner"])
    #expect(try root.dataset("parameters/a.bias").name == "parameters/a.bias")
    #expect(root.contains("parameters/inner/innermost"))
    #expect(!root.contains("parameters/none/innermost"))
    #expect(!root.contains(""))
    #expect(throws: Failure.self) { try root.dataset("parameters") }
    #expect(throws: Failure.self) { try root.group("parameters/m") }
    #expect(throws: Failure.self) { try root.group("..") }
  }

  @Test("The same content gives the same bytes")
  func reproducible() throws {
    func write(_ name: String) throws -> Data {
      try HDF5File.publish(folder.file(name)) { file in
        try file.root.setAttribute("format", "sid-test")
        try file.root.createGroup("g").write([Float](repeating: 1, count: 100), shape: [100], to: "x")
      }
      return try Data(contentsOf: URL(fileURLWithPath: folder.file(name)))
    }
    let first = try write("a.h5")
    Thread.sleep(forTimeInterval: 1.1)
    #expect(try write("b.h5") == first)
  }

  @Test("Formats and versions other than the expected are refused by name")
  func formats() throws {
    let path = folder.file("a.h5")
    try HDF5File.publish(path) { file in
      try file.root.setFormat(HDF5Format("sid-samples", version: 2))
    }
    let file = try HDF5File.open(path)
    try file.requireFormat(HDF5Format("sid-samples", version: 2))
    #expect(try file.requireFormat(HDF5Format("sid-samples", versions: 1...3)) == 2)
    let wrong = #expect(throws: Failure.self) { try file.requireFormat(HDF5Format("sid-network")) }
    #expect(wrong?.problem.contains("sid-samples") == true)
    let old = #expect(throws: Failure.self) { try file.requireFormat(HDF5Format("sid-samples")) }
    #expect(old?.status == .dataError)
    let none = #expect(throws: Failure.self) {
      try HDF5File.open(Fixtures.path("hdf5/types.h5")).requireFormat(HDF5Format("sid-network"))
    }
    #expect(none?.status == .dataError)
  }

  @Test("Files are read and written on several threads at once")
  func threads() async throws {
    let folder = folder
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<8 {
        group.addTask {
          let path = folder.file("\(index).h5")
          let values = (0..<5000).map { Float($0 * index) }
          for _ in 0..<5 {
            try HDF5File.publish(path) { file in
              try file.root.write(
                values, shape: [50, 100], to: "x", storage: .chunked(rows: 7, checksum: true, deflate: 1))
            }
            guard try HDF5File.open(path).root.dataset("x").read(Float.self) == values else { return false }
          }
          return true
        }
      }
      for try await same in group { #expect(same) }
    }
  }
}
