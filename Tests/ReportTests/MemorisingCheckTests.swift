import Compute
import Foundation
import Images
import Report
import Testing

@Suite("The comparison with training pictures", .serialized)
struct MemorisingCheckTests {
  private static let shape = ImageShape(height: 12, width: 12, channels: 3)
  private static let random = Philox(seed: 11)

  /// Pictures of one distribution: three soft spots of any place, size and color.
  private static func pictures(_ numbers: Range<Int>) -> [UInt8] {
    numbers.flatMap { number -> [UInt8] in
      let draws = random.uniforms(18, stream: (UInt64(number), 0)).map { Double($0) }
      return (0..<shape.count).map { byte -> UInt8 in
        var value = 20.0
        for spot in 0..<3 {
          let draw = 6 * spot
          let x = Double(byte / 3 % 12) - 12 * draws[draw]
          let y = Double(byte / 36) - 12 * draws[draw + 1]
          let width: Double = 4 + 16 * draws[draw + 2]
          value += 220 * draws[draw + 3 + byte % 3] * exp2(-(x * x + y * y) / width)
        }
        return UInt8(min(255, value))
      }
    }
  }

  private static func mirrored(_ images: [UInt8]) -> [UInt8] {
    images.indices.map { byte in
      let (row, x, channel) = (byte / 36, byte / 3 % 12, byte % 3)
      return images[36 * row + 3 * (11 - x) + channel]
    }
  }

  private static func noisy(_ images: [UInt8], levels: Double) -> [UInt8] {
    let noise = random.uniforms(images.count, stream: (0, 99))
    return images.indices.map { byte -> UInt8 in
      let value = Double(images[byte]) + 2 * levels * (Double(noise[byte]) - 0.5)
      return UInt8(max(0, min(255, value.rounded())))
    }
  }

  private static func check(
    _ samples: [UInt8], against set: [UInt8], share: Double = 1, closest: Int = 8
  ) throws -> MemorisingCheck {
    let size = shape.count
    return try MemorisingCheck(
      samples: samples, shape: shape, pictureCount: set.count / size, share: share, closest: closest,
      pictures: { Array(set[$0.lowerBound * size..<$0.upperBound * size]) })
  }

  @Test("Fresh pictures of the same distribution are no copies")
  func fresh() throws {
    let check = try Self.check(Self.pictures(3000..<3500), against: Self.pictures(0..<1500))
    #expect([.none, .asAmongPictures].contains(check.verdict), "\(check.sentence)")
    #expect(check.sentence.localizedStandardContains("no sign that the network memorises"))
    // As far from training pictures as these are from each other.
    let (samples, among) = (try #require(check.medianDistance), try #require(check.medianAmong))
    #expect(samples > 0.85 * among && samples < 1.15 * among && check.threshold < 0.5 * among, "\(samples), \(among)")
  }

  @Test("Samples that are like no picture are told so, not cleared")
  func noise() throws {
    let noise = Self.random.uniforms(100 * Self.shape.count, stream: (7, 7)).map { UInt8(255 * $0) }
    let check = try Self.check(noise, against: Self.pictures(0..<500))
    #expect(check.verdict == .none && check.sentence.contains("says little"), "\(check.sentence)")
    #expect(!check.sentence.localizedStandardContains("no sign"))
  }

  @Test(
    "Copies are found: exact ones, with slight noise, mirrored, and mirrored with noise", arguments: [0.0, 4.0],
    [false, true])
  func copies(noise: Double, isMirrored: Bool) throws {
    let set = Self.pictures(0..<1500)
    let originals = Self.pictures(700..<1000)
    let samples = Self.noisy(isMirrored ? Self.mirrored(originals) : originals, levels: noise)
    let check = try Self.check(samples, against: set, closest: 400)
    #expect(check.copies == 300 && check.verdict == .most, "\(check.sentence)")
    #expect(check.sentence.hasPrefix("300 of 300 samples (100 %) are as good as copies"))
    #expect(check.sentence.contains("train on more pictures, for less long, or with a smaller network"))
    let pairs = check.closest.sorted { $0.sample < $1.sample }
    #expect(pairs.map(\.sample) == Array(0..<300) && pairs.map(\.picture) == Array(700..<1000))
    #expect(pairs.allSatisfy { $0.isMirrored == isMirrored && ($0.distance == 0) == (noise == 0) })
    #expect(pairs.allSatisfy { $0.distance <= 0.7 * noise })
  }

  @Test("A few copies among fresh pictures are counted")
  func few() throws {
    let set = Self.pictures(0..<1500)
    let samples = Self.pictures(3000..<3480) + Self.noisy(Self.pictures(20..<40), levels: 3)
    let fresh = try Self.check(Self.pictures(3000..<3480), against: set)
    let check = try Self.check(samples, against: set)
    #expect(check.copies == fresh.copies + 20 && check.verdict == .few, "\(check.sentence)")
    #expect(check.closest.allSatisfy { $0.sample >= 480 && $0.picture == $0.sample - 460 })
    #expect(check.closest.map(\.distance) == check.closest.map(\.distance).sorted())
    // The tenth part of a data set: copies of the others go unnoticed.
    let part = try Self.check(samples, against: set, share: 0.1)
    #expect(part.verdict == .many && part.sentence.contains("Only 10 % of the training pictures were compared"))
  }

  @Test("Pictures that the data set holds twice hide no copies, nor make any")
  func repeatedPictures() throws {
    let set = Self.pictures(0..<750)
    let twice = set + set
    let copies = try Self.check(Self.noisy(Self.pictures(100..<200), levels: 4), against: twice)
    #expect(copies.copies == 100 && copies.verdict == .most)
    let fresh = try Self.check(Self.pictures(3000..<3300), against: twice)
    #expect([.none, .asAmongPictures].contains(fresh.verdict), "\(fresh.sentence)")
    let once = try #require(try Self.check([], against: set).medianAmong)
    let ratio = (fresh.medianAmong ?? 0) / once
    #expect(ratio > 0.9 && ratio < 1.1)
    // Pictures that hardly differ, like those of a film: nothing can be said.
    let film = set + Self.noisy(set, levels: 2) + Self.noisy(Self.mirrored(set), levels: 2)
    let frames = try Self.check(Self.noisy(Self.pictures(100..<200), levels: 4), against: film)
    #expect(frames.copies == 100 && frames.verdict == .undecidable, "\(frames.sentence)")
    #expect(frames.sentence.contains("repeats itself too much"))
  }

  @Test("It finds what comparing every pair finds, in blocks and strips, on any threads", arguments: [1, 3])
  func bruteForce(threads: Int) throws {
    let before = Threads.count
    defer { Threads.use(before) }
    Threads.use(threads)
    let shape = ImageShape(height: 3, width: 5, channels: 1)
    func images(_ count: Int, _ stream: UInt64) -> [UInt8] {
      // Few levels, so that there are ties and equal images.
      Self.random.uniforms(count * 15, stream: (stream, 7)).map { UInt8($0 * 3) * 9 }
    }
    let (samples, set) = (images(1100, 1), images(2300, 2))
    let check = try MemorisingCheck(
      samples: samples, shape: shape, pictureCount: 2300, closest: 1100,
      pictures: { Array(set[$0.lowerBound * 15..<$0.upperBound * 15]) })
    func sum(_ a: [UInt8], _ i: Int, _ b: [UInt8], _ j: Int, _ isMirrored: Bool) -> Int {
      (0..<15).reduce(0) { sum, byte in
        let other = isMirrored ? byte / 5 * 5 + 4 - byte % 5 : byte
        let difference = Int(a[15 * i + byte]) - Int(b[15 * j + other])
        return sum + difference * difference
      }
    }
    var distances: [Double] = []
    for sample in 0..<1100 {
      var best = (sum: Int.max, picture: 0, side: 0)
      for picture in 0..<2300 {
        for side in 0...1 {
          let next = (sum: sum(samples, sample, set, picture, side == 1), picture: picture, side: side)
          if next < best { best = next }
        }
      }
      distances.append((Double(best.sum) / 15).squareRoot())
      if let pair = check.closest.first(where: { $0.sample == sample }) {
        #expect((pair.picture, pair.isMirrored) == (best.picture, best.side == 1))
        #expect(pair.distance == distances[sample])
      }
    }
    #expect(check.medianDistance == distances.sorted()[550] && check.closest.count > 100)
    #expect(check.questionedCount == 2000)
  }

  @Test("Sets with little to compare", arguments: [0, 1, 2, 5])
  func little(count: Int) throws {
    let equal = (0..<count).flatMap { _ in [UInt8](repeating: 9, count: Self.shape.count) }
    let check = try Self.check([UInt8](repeating: 9, count: Self.shape.count), against: equal)
    #expect(check.copies == min(count, 1) && check.medianAmong == nil && check.threshold == 0)
    #expect(try Self.check([], against: equal).verdict == .none)
  }

  @Test("ends where its caller throws")
  func stops() {
    #expect(throws: CancellationError.self) {
      try MemorisingCheck(
        samples: [1, 2], shape: ImageShape(height: 1, width: 1, channels: 1), pictureCount: 2, closest: 1,
        pictures: { _ in [1, 2] }, progressed: { _ in throw CancellationError() })
    }
  }
}
