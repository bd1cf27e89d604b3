import Compute
import Images

/// Whether samples are copies of training pictures: how near each is to one of them, against how near training pictures are to
/// each other.
///
/// The distance of two images is `DuplicateCheck`'s; a training picture counts with its mirror image, which augmentation shows to
/// the network as well.
package struct MemorisingCheck: Sendable {
  /// A sample and the training picture that is nearest to it.
  package struct Pair: Sendable, Equatable {
    /// The sample's number.
    package let sample: Int
    /// The training picture's number.
    package let picture: Int
    /// Whether it is nearest with left and right exchanged.
    package let isMirrored: Bool
    /// In levels.
    package let distance: Double
  }

  /// How many samples and training pictures were compared.
  package let sampleCount: Int, pictureCount: Int
  /// The share of all training pictures that were compared.
  package let share: Double
  /// Training pictures whose nearest other one was looked for.
  package let questionedCount: Int
  /// A sample that is nearer than this to a training picture, or equal to one, is as good as a copy of it; in levels.
  package let threshold: Double
  /// Samples that are as good as copies.
  package let copies: Int
  /// Training pictures that have another one within the threshold.
  package let copiesAmong: Int
  /// Half of the samples are within this of a training picture; nil where there are none.
  package let medianDistance: Double?
  /// Half of the training pictures are within this of another one that is not equal; nil where there is none.
  package let medianAmong: Double?
  /// Samples nearest to a training picture, nearest first, each training picture once.
  package let closest: [Pair]

  /// The most training pictures whose nearest other one is looked for, and their bytes.
  static let mostQuestioned = 2000, questionedBytes = 64 << 20

  /// Which training pictures are asked for their nearest other one.
  package static func questioned(of pictures: Int, size: Int) -> ImageChoice {
    ImageChoice(of: pictures, limit: max(1, min(mostQuestioned, questionedBytes / max(1, size))))
  }

  /// Compares.
  ///
  /// - Parameters:
  ///   - samples: [samples, height, width, channels].
  ///   - shape: of an image.
  ///   - pictureCount: training pictures that are compared.
  ///   - share: of all training pictures.
  ///   - closest: pairs to keep.
  ///   - pictures: some of the training pictures, by their numbers from 0.
  ///   - progressed: called on the way with the share that is done, 0 to 1; throwing ends the work.
  /// - Throws: what `pictures` and `progressed` throw.
  package init(
    samples: [UInt8], shape: ImageShape, pictureCount: Int, share: Double = 1, closest: Int,
    pictures: (Range<Int>) throws -> [UInt8], progressed: (Double) throws -> Void = { _ in }
  ) throws {
    let size = shape.count
    let questioned = Self.questioned(of: pictureCount, size: size)
    var asked: [UInt8] = []
    for range in questioned.ranges { asked += try pictures(range) }
    var ofSamples = NearestSearch(samples, shape: shape)
    var among = NearestSearch(asked, shape: shape, ownNumbers: questioned.ranges.flatMap { Array($0) })
    var spread = PictureSpread(size: size)
    let rows = MirrorBlock.rows(size: size)
    func parts(_ count: Int) -> Int { (count + rows - 1) / rows }
    let total = parts(pictureCount) * (parts(samples.count / size) + parts(questioned.count))
    var done = 0
    func step() throws {
      done += 1
      try progressed(Double(done) / Double(max(1, total)))
    }
    for first in stride(from: 0, to: pictureCount, by: rows) {
      let bytes = try pictures(first..<min(first + rows, pictureCount))
      spread.add(bytes)
      let others = NearestSearch.Others(bytes, shape: shape, first: first)
      try ofSamples.compare(others, progressed: step)
      try among.compare(others, progressed: step)
    }
    func distance(_ match: NearestSearch.Match) -> Double { (Double(match.squaredSum) / Double(size)).squareRoot() }
    let (near, nearAmong) = (
      ofSamples.nearest.compactMap { $0.map(distance) }, among.nearest.compactMap { $0.map(distance) }
    )
    let medianAmong = Self.median(nearAmong)
    let threshold = max((medianAmong ?? 0) / 3, spread.typicalDistance / 10)
    func isCopy(_ distance: Double) -> Bool { distance == 0 || distance < threshold }
    (sampleCount, self.pictureCount, self.share) = (samples.count / size, pictureCount, share)
    (questionedCount, self.threshold, self.medianAmong) = (questioned.count, threshold, medianAmong)
    (copies, copiesAmong, medianDistance) = (
      near.count(where: isCopy), nearAmong.count(where: isCopy), Self.median(near)
    )
    var seen: Set<Int> = []
    self.closest = Array(
      ofSamples.nearest.enumerated().compactMap { sample, match in match.map { (sample: sample, match: $0) } }
        .sorted { ($0.match.squaredSum, $0.sample) < ($1.match.squaredSum, $1.sample) }
        .filter { seen.insert($0.match.number).inserted }.prefix(closest)
    ).map {
      Pair(
        sample: $0.sample, picture: $0.match.number, isMirrored: $0.match.isMirrored, distance: distance($0.match))
    }
  }

  private static func median(_ values: [Double]) -> Double? {
    let sorted = values.sorted()
    return sorted.isEmpty ? nil : sorted[sorted.count / 2]
  }

  /// Bytes that a comparison takes.
  static func memoryBytes(samples: Int, pictures: Int, size: Int) -> Int {
    let rows = MirrorBlock.rows(size: size)
    // A block of images and one of pictures as numbers, and the bytes of these twice.
    let blocks = (2 * 4 + 2) * min(rows, max(samples, pictures)) * size
    return (samples + questioned(of: pictures, size: size).count) * size + blocks
  }
}

/// How far images are from each other in the mean.
private struct PictureSpread {
  private var sums: [Int]
  private var squares = 0
  private var count = 0

  init(size: Int) { sums = Array(repeating: 0, count: size) }

  mutating func add(_ images: [UInt8]) {
    let size = sums.count
    sums.withUnsafeMutableBufferPointer { sums in
      images.withUnsafeBufferPointer { images in
        for start in stride(from: 0, to: images.count, by: size) {
          for byte in 0..<size {
            let value = Int(images[start + byte])
            sums[byte] += value
            squares += value * value
          }
        }
      }
    }
    count += images.count / size
  }

  /// The root of the mean squared distance of two different ones, in levels; 0 where there are not two.
  var typicalDistance: Double {
    guard count > 1 else { return 0 }
    let n = Double(count)
    let ofMeans = sums.reduce(0.0) { $0 + (Double($1) / n) * (Double($1) / n) }
    let squared = 2 * (Double(squares) / n - ofMeans) * n / (n - 1)
    return (max(0, squared) / Double(sums.count)).squareRoot()
  }
}
