import Compute
import Report
import Testing

@Suite("The check for duplicates", .serialized)
struct DuplicateCheckTests {
  /// Images of random bytes, some of them planted: equal to others, or off by a little.
  private static func images(_ count: Int, size: Int, copies: [(of: Int, at: Int)], near: [(of: Int, at: Int, by: Int)])
    -> [UInt8]
  {
    let random = Philox(seed: 7)
    var bytes = (0..<count).flatMap { image in
      random.uniforms(size, stream: (UInt64(image), 0)).map { UInt8($0 * 256) }
    }
    for copy in copies {
      for byte in 0..<size { bytes[copy.at * size + byte] = bytes[copy.of * size + byte] }
    }
    for pair in near {
      for byte in 0..<size {
        let value = bytes[pair.of * size + byte]
        bytes[pair.at * size + byte] = byte < pair.by ? value ^ 1 : value
      }
    }
    return bytes
  }

  private static func bruteForce(_ images: [UInt8], size: Int) -> (pairs: [(sum: Int, Int, Int)], nearest: [Int]) {
    let count = images.count / size
    var pairs: [(sum: Int, Int, Int)] = []
    var nearest = [Int](repeating: .max, count: count)
    for a in 0..<count {
      for b in a + 1..<count {
        var sum = 0
        for byte in 0..<size {
          let difference = Int(images[a * size + byte]) - Int(images[b * size + byte])
          sum += difference * difference
        }
        if sum == 0 { continue }
        pairs.append((sum, a, b))
        nearest[a] = min(nearest[a], sum)
        nearest[b] = min(nearest[b], sum)
      }
    }
    return (pairs.sorted { ($0.sum, $0.1, $0.2) < ($1.sum, $1.1, $1.2) }, nearest)
  }

  @Test("finds what comparing every pair finds, within blocks and across them", arguments: [1, 2])
  func bruteForce(threads: Int) throws {
    Threads.use(threads)
    let size = 48
    let images = Self.images(
      1300, size: size, copies: [], near: [(3, 1200, 5), (100, 101, 3), (1100, 1299, 40), (0, 1024, 1)])
    let check = try DuplicateCheck(images: images, imageBytes: size, closest: 8)
    let expected = Self.bruteForce(images, size: size)
    #expect(check.groups.isEmpty && check.duplicateCount == 0 && check.count == 1300)
    #expect(check.pairs.map(\.squaredSum) == expected.pairs.prefix(8).map(\.sum))
    #expect(check.pairs.map { [$0.first, $0.second] } == expected.pairs.prefix(8).map { [$0.1, $0.2] })
    #expect(
      check.pairs.prefix(4).map { [$0.first, $0.second] } == [[0, 1024], [100, 101], [3, 1200], [1100, 1299]])
    #expect(check.distance(check.pairs[0]) == (1.0 / 48).squareRoot())
    let median = (Double(expected.nearest.sorted()[650]) / Double(size)).squareRoot()
    #expect(abs((check.medianNearest ?? 0) - median) < 1e-3)
  }

  @Test("names equal images once, and does not let them crowd out near ones")
  func equalImages() throws {
    let size = 27
    let images = Self.images(
      400, size: size, copies: [(5, 399), (5, 17), (200, 300)], near: [(42, 43, 2)])
    let check = try DuplicateCheck(images: images, imageBytes: size, closest: 4)
    #expect(check.groups == [[5, 17, 399], [200, 300]] && check.duplicateCount == 3)
    let nearest = try #require(check.pairs.first)
    #expect(nearest.first == 42 && nearest.second == 43 && nearest.squaredSum == 2)
    #expect(check.pairs.allSatisfy { $0.squaredSum > 0 && $0.first < $0.second })
  }

  @Test("takes sets with nothing to compare", arguments: [0, 1, 5])
  func allEqual(count: Int) throws {
    let check = try DuplicateCheck(images: [UInt8](repeating: 9, count: count * 12), imageBytes: 12, closest: 8)
    #expect(check.pairs.isEmpty && check.medianNearest == nil)
    #expect(check.duplicateCount == max(0, count - 1))
  }

  @Test("ends where its caller throws")
  func stops() {
    #expect(throws: CancellationError.self) {
      try DuplicateCheck(images: [1, 2, 3, 4], imageBytes: 1, closest: 1) { _, _ in throw CancellationError() }
    }
  }
}
