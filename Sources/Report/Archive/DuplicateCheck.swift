import Compute

/// Images of a set that are equal, and pairs that are nearest to each other.
///
/// The distance of two images is the root of the mean squared difference of their bytes, in levels of 0 to 255. All pairs of
/// different images are compared, by products of matrices in blocks; the nearest ones are computed again in integers.
public struct DuplicateCheck: Sendable, Equatable {
  /// Images that are equal to the byte, by their places in the set, the first of them first.
  public let groups: [[Int]]
  /// Two different images.
  public struct Pair: Sendable, Equatable {
    /// The lower one of their places in the set.
    public let first: Int
    /// The higher one.
    public let second: Int
    /// The sum of squared differences of their bytes.
    public let squaredSum: Int
  }
  /// The nearest pairs, nearest first; of equals those of the lowest places.
  public let pairs: [Pair]
  /// The median over the different images of the distance to the nearest other one; nil where there are not two.
  public let medianNearest: Double?
  /// Bytes of an image.
  public let imageBytes: Int
  /// Images in the set.
  public let count: Int

  /// Images that are equal to an earlier one.
  public var duplicateCount: Int { groups.reduce(0) { $0 + $1.count - 1 } }

  /// The distance of a pair in levels.
  public func distance(_ pair: Pair) -> Double { (Double(pair.squaredSum) / Double(imageBytes)).squareRoot() }

  /// What the distance is, in words.
  public static let definition =
    "root of the mean squared difference of the bytes of two images, over all pixels and channels, in levels of 0 to 255"

  static let blockRows = 1024
  private static let stripRows = 128
  /// Pairs that are computed again in integers, so that rounding does not choose among those that are shown.
  private static let candidates = 64

  /// Compares images.
  ///
  /// - Parameters:
  ///   - images: [count, imageBytes].
  ///   - imageBytes: bytes of an image; at least 1.
  ///   - closest: pairs to keep, at most 64.
  ///   - progressed: called after each block with the blocks done and their number; throwing ends the work.
  /// - Throws: what `progressed` throws.
  public init(
    images: [UInt8], imageBytes: Int, closest: Int,
    progressed: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws {
    precondition(imageBytes > 0 && images.count % imageBytes == 0, "\(images.count) bytes of \(imageBytes) each")
    precondition(closest <= Self.candidates, "\(closest) pairs of \(Self.candidates)")
    self.imageBytes = imageBytes
    count = images.count / imageBytes
    let set = ImageSet(images: images, size: imageBytes)
    let (different, groups) = set.withoutDuplicates()
    self.groups = groups
    let blocks = Array(stride(from: 0, to: different.count, by: Self.blockRows))
    let total = blocks.count * (blocks.count + 1) / 2
    var done = 0
    var nearest = [Float](repeating: .infinity, count: different.count)
    var best = NearestPairs(limit: Self.candidates)
    for (index, first) in blocks.enumerated() {
      let a = set.block(different[first..<min(first + Self.blockRows, different.count)])
      for second in blocks[index...] {
        let b =
          second == first ? a : set.block(different[second..<min(second + Self.blockRows, different.count)])
        for strip in Self.compare(a, b, isSame: first == second) {
          for (row, value) in strip.rows.enumerated() {
            nearest[first + strip.first + row] = min(nearest[first + strip.first + row], value)
          }
          for (column, value) in strip.columns.enumerated() {
            nearest[second + column] = min(nearest[second + column], value)
          }
          for pair in strip.pairs.found {
            best.offer(pair.squared, different[first + pair.row], different[second + pair.column])
          }
        }
        done += 1
        try progressed(done, total)
      }
    }
    pairs = Array(
      best.found.map { Pair(first: $0.row, second: $0.column, squaredSum: set.squaredSum($0.row, $0.column)) }
        .sorted { ($0.squaredSum, $0.first, $0.second) < ($1.squaredSum, $1.first, $1.second) }.prefix(closest))
    let sorted = nearest.sorted()
    medianNearest = different.count < 2 ? nil : (Double(sorted[sorted.count / 2]) / Double(imageBytes)).squareRoot()
  }

  private struct Strip {
    let first: Int
    var rows: [Float]
    var columns: [Float]
    var pairs: NearestPairs
  }

  /// The squared distances of two blocks, in strips of rows that are cut by the blocks' size alone.
  private static func compare(_ a: ImageSet.Block, _ b: ImageSet.Block, isSame: Bool) -> [Strip] {
    let (rows, columns, depth) = (a.squares.count, b.squares.count, a.values.shape[1])
    let strips = Array(stride(from: 0, to: rows, by: stripRows))
    return Threads.map(strips) { first -> Strip in
      let count = min(stripRows, rows - first)
      var strip = Strip(
        first: first, rows: Array(repeating: .infinity, count: count),
        columns: Array(repeating: .infinity, count: columns), pairs: NearestPairs(limit: candidates))
      withScratch(count * columns) { products in
        MatrixProduct.multiply(
          rows: count, columns: columns, depth: depth, a.values.pointer + first * depth, depth, b.values.pointer, depth,
          transposeB: true, into: products, columns)
        for row in 0..<count {
          let start = isSame ? first + row + 1 : 0
          guard start < columns else { continue }
          let line = products + row * columns
          let square = a.squares[first + row]
          var least = Float.infinity
          for column in start..<columns {
            let distance = max(square - 2 * line[column] + b.squares[column], 0)
            least = min(least, distance)
            if distance < strip.columns[column] { strip.columns[column] = distance }
            if distance < strip.pairs.threshold { strip.pairs.offer(distance, first + row, column) }
          }
          strip.rows[row] = least
        }
      }
      return strip
    }
  }
}

/// The smallest of many distances.
private struct NearestPairs {
  let limit: Int
  private(set) var found: [(squared: Float, row: Int, column: Int)] = []

  init(limit: Int) { self.limit = limit }

  /// What a distance has to be below to be kept.
  var threshold: Float { found.count < limit ? .infinity : found[found.count - 1].squared }

  mutating func offer(_ squared: Float, _ row: Int, _ column: Int) {
    guard squared < threshold else { return }
    if found.count == limit { found.removeLast() }
    let place = found.firstIndex { $0.squared > squared } ?? found.count
    found.insert((squared, row, column), at: place)
  }
}

/// The bytes of an image, hashed all at once.
private struct ImageKey: Hashable {
  let bytes: ArraySlice<UInt8>

  func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
}

/// Images as bytes, and blocks of them as numbers.
private struct ImageSet {
  let images: [UInt8]
  let size: Int

  struct Block {
    /// [rows, size], bytes less 128: small numbers round less.
    let values: Tensor
    /// The squared length of each row.
    let squares: [Float]
  }

  func image(_ index: Int) -> ArraySlice<UInt8> { images[index * size..<(index + 1) * size] }

  /// The first of each group of equal images, and the groups of more than one.
  func withoutDuplicates() -> (different: [Int], groups: [[Int]]) {
    var places: [ImageKey: Int] = [:]
    var groups: [[Int]] = []
    for index in 0..<images.count / size {
      let place = places[ImageKey(bytes: image(index)), default: groups.count]
      if place < groups.count {
        groups[place].append(index)
      } else {
        places[ImageKey(bytes: image(index))] = place
        groups.append([index])
      }
    }
    return (groups.map { $0[0] }, groups.filter { $0.count > 1 })
  }

  func block(_ indices: ArraySlice<Int>) -> Block {
    var squares = [Float](repeating: 0, count: indices.count)
    let values = Tensor(shape: [indices.count, size]) { target in
      images.withUnsafeBufferPointer { images in
        for (row, index) in indices.enumerated() {
          var sum = 0
          for byte in 0..<size {
            let value = Int(images[index * size + byte]) - 128
            target[row * size + byte] = Float(value)
            sum += value * value
          }
          squares[row] = Float(sum)
        }
      }
    }
    return Block(values: values, squares: squares)
  }

  func squaredSum(_ a: Int, _ b: Int) -> Int {
    zip(image(a), image(b)).reduce(0) { sum, pair in
      let difference = Int(pair.0) - Int(pair.1)
      return sum + difference * difference
    }
  }
}
