import Diagnostics
import Foundation
import HDF5
import TestSupport
import Testing
import Training

@Suite("Samples over time")
struct SampleHistoryTests {
  private func history(_ positions: some Sequence<Double>) -> SampleHistory {
    var history = SampleHistory(seeds: [7, 9], imageShape: [2, 3, 1])
    for kimg in positions { history.add((0..<12).map { UInt8((Int(kimg) + $0) % 251) }, kimg: kimg) }
    return history
  }

  @Test("stay few and spread over the training, first and last included", arguments: [1, 24, 25, 48, 49, 1000])
  func thinned(count: Int) {
    let all = (0..<count).map { Double($0) }
    let history = history(all)
    let kept = history.rows.map(\.kimg)
    #expect(kept.count == min(count, SampleHistory.mostRows) && kept.first == 0 && kept.last == all.last)
    #expect(kept == kept.sorted() && Set(kept).count == kept.count)
    #expect(history.rows.allSatisfy { $0.images[0] == UInt8(Int($0.kimg) % 251) })
    let gaps = zip(kept, kept.dropFirst()).map { $1 - $0 }
    #expect((gaps.max() ?? 0) <= 4 * Double(count) / Double(SampleHistory.mostRows) + 1, "\(gaps)")
  }

  @Test("come back from a file, and what is kept does not depend on how often that happened")
  func interrupted() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("h.h5")
    var whole = history([])
    var parts = history([])
    for number in 0..<70 {
      let images = (0..<12).map { UInt8(number + $0) }
      whole.add(images, kimg: Double(number * number))
      parts.add(images, kimg: Double(number * number))
      guard number % 9 == 4 else { continue }
      try HDF5File.publish(path) { try parts.write(to: $0.root) }
      parts = try #require(try SampleHistory(reading: HDF5File.open(path).root, path: path))
    }
    #expect(parts == whole)
    try HDF5File.publish(path) { try history([]).write(to: $0.root) }
    #expect(try SampleHistory(reading: HDF5File.open(path).root, path: path) == nil)
  }

  @Test("of large images are fewer")
  func large() {
    #expect(SampleHistory.imageCount(imageBytes: 64 * 64 * 3) == 8)
    #expect(SampleHistory.imageCount(imageBytes: 256 * 256 * 3) == 3)
    #expect(SampleHistory.imageCount(imageBytes: 2048 * 2048 * 3) == 1)
  }

  @Test("of another form are refused by name")
  func refused() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("h.h5")
    func refuse(_ write: (HDF5Group) throws -> Void) throws {
      try HDF5File.publish(path) { try write($0.root.createGroup("course")) }
      let file = try HDF5File.open(path)
      let failure = #expect(throws: Failure.self) { try SampleHistory(reading: file.root, path: path) }
      #expect(failure?.status == .dataError && failure?.subject == path, "\(failure?.problem ?? "")")
    }
    func write(_ shape: [Int], kimg: [Double], seeds: Int, to group: HDF5Group) throws {
      try group.write([UInt8](repeating: 0, count: shape.reduce(1, *)), shape: shape, to: "samples")
      try group.write(kimg, shape: [kimg.count], to: "kimg")
      try group.write([UInt64](repeating: 0, count: seeds), shape: [seeds], to: "seeds")
    }
    try refuse { _ in }
    try refuse { try write([2, 1, 2, 2], kimg: [0, 1], seeds: 1, to: $0) }
    try refuse { try write([2, 1, 2, 2, 1], kimg: [0], seeds: 1, to: $0) }
    try refuse { try write([2, 1, 2, 2, 1], kimg: [0, 1], seeds: 2, to: $0) }
    try refuse { try write([2, 1, 2, 2, 1], kimg: [1, 0], seeds: 1, to: $0) }
    try refuse { try write([2, 1, 2, 2, 1], kimg: [0, .nan], seeds: 1, to: $0) }
    try refuse { try write([25, 1, 1, 1, 1], kimg: (0..<25).map { Double($0) }, seeds: 1, to: $0) }
    try refuse { try write([1, 9, 1, 1, 1], kimg: [0], seeds: 9, to: $0) }
    try refuse { try write([1, 1, 8192, 8193, 1], kimg: [0], seeds: 1, to: $0) }
    try refuse {
      try $0.write([Float](repeating: 0, count: 4), shape: [1, 1, 2, 2, 1], to: "samples")
      try $0.write([0.0], shape: [1], to: "kimg")
      try $0.write([UInt64(0)], shape: [1], to: "seeds")
    }
  }
}
