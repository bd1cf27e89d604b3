import Compute
import Images

/// Finds for each of some images the nearest of many others, which come in blocks, mirrored ones too.
///
/// Distances are products of matrices; the nearest candidates of each block are computed again in integers, so that rounding
/// decides nothing that is told. Blocks and strips are cut by the sizes of the images alone.
struct NearestSearch {
  /// The nearest image.
  struct Match: Sendable, Equatable {
    /// The sum of squared differences of the bytes.
    let squaredSum: Int
    /// Its number among the others.
    let number: Int
    /// Whether it is its mirror image that is so near.
    let isMirrored: Bool

    /// Nearer, or as near and earlier, or as near and not mirrored.
    static func < (a: Match, b: Match) -> Bool {
      (a.squaredSum, a.number, a.isMirrored ? 1 : 0) < (b.squaredSum, b.number, b.isMirrored ? 1 : 0)
    }
  }

  /// Of each image; nil where there is none.
  private(set) var nearest: [Match?]
  private let images: [UInt8]
  private let shape: ImageShape
  private var size: Int { shape.count }
  /// The numbers that the images have among the others themselves: these, and others that are equal to the image, are passed
  /// over. Nil where they are none of them.
  private let ownNumbers: [Int]?

  private static let stripRows = 128
  /// Candidates of a block that are computed again.
  private static let candidates = 8
  /// How much of the lengths of two images products may be wrong by.
  private static let rounding: Float = 2e-5

  init(_ images: [UInt8], shape: ImageShape, ownNumbers: [Int]? = nil) {
    let count = images.count / shape.count
    precondition(images.count % shape.count == 0, "\(images.count) bytes of \(shape)")
    precondition(ownNumbers.map { $0.count == count } ?? true, "a number for each image")
    (self.images, self.shape, self.ownNumbers) = (images, shape, ownNumbers)
    nearest = Array(repeating: nil, count: count)
  }

  /// A block of the others, and their mirror images.
  struct Others {
    let first: Int
    let bytes: [UInt8]
    let mirrored: [UInt8]
    let block: MirrorBlock

    /// - Parameters:
    ///   - bytes: of whole images.
    ///   - first: the number of the first.
    init(_ bytes: [UInt8], shape: ImageShape, first: Int) {
      (self.bytes, self.first, mirrored) = (bytes, first, shape.mirrored(bytes))
      block = MirrorBlock(bytes, shape: shape, rows: 0..<bytes.count / shape.count)
    }
  }

  /// Compares every image with a block of the others.
  /// - Parameter progressed: called after each of the blocks that the images are cut into; throwing ends the work.
  mutating func compare(_ others: Others, progressed: () throws -> Void) throws {
    let rows = MirrorBlock.rows(size: size)
    for start in stride(from: 0, to: nearest.count, by: rows) {
      let range = start..<min(start + rows, nearest.count)
      let block = MirrorBlock(images, shape: shape, rows: range)
      let strips = Array(stride(from: 0, to: range.count, by: Self.stripRows))
      let found = Threads.map(strips) { strip -> [Match?] in
        self.matches(of: block, strip..<min(strip + Self.stripRows, range.count), from: start, others)
      }
      for (row, match) in found.joined().enumerated() {
        guard let match, nearest[start + row].map({ match < $0 }) ?? true else { continue }
        nearest[start + row] = match
      }
      try progressed()
    }
  }

  /// The nearest of a block to each of some rows.
  private func matches(of block: MirrorBlock, _ rows: Range<Int>, from start: Int, _ others: Others) -> [Match?] {
    let (other, columns) = (others.block, others.block.squares.count)
    return withScratch(2 * rows.count * columns) { even -> [Match?] in
      let odd = even + rows.count * columns
      for (part, first, depth) in [(even, 0, block.evenCount), (odd, block.evenCount, size - block.evenCount)] {
        MatrixProduct.multiply(
          rows: rows.count, columns: columns, depth: depth, block.values.pointer + rows.lowerBound * size + first, size,
          other.values.pointer + first, size, transposeB: true, into: part, columns)
      }
      return rows.enumerated().map { line, row in
        let (even, odd, square) = (even + line * columns, odd + line * columns, block.squares[row])
        let plain = nearest(to: start + row, square, others, isMirrored: false) { even[$0] + odd[$0] }
        let mirrored = nearest(to: start + row, square, others, isMirrored: true) { even[$0] - odd[$0] }
        guard let plain, let mirrored else { return plain ?? mirrored }
        return mirrored < plain ? mirrored : plain
      }
    }
  }

  /// The nearest of a block to one image, given the products with them.
  @inline(__always)
  private func nearest(
    to image: Int, _ square: Float, _ others: Others, isMirrored: Bool, _ product: (Int) -> Float
  ) -> Match? {
    let own = ownNumbers.map { $0[image] - others.first } ?? -1
    let (squares, bytes) = (others.block.squares, isMirrored ? others.mirrored : others.bytes)
    let passesOver = ownNumbers != nil
    /// A distance that may be 0 but for rounding.
    func isEqual(_ distance: Float, _ column: Int) -> Bool {
      distance <= Self.rounding * (square + squares[column]) && squaredSum(image, bytes, column) == 0
    }
    var least = Float.infinity
    var leastSquare: Float = 0
    for column in squares.indices {
      let distance = square - 2 * product(column) + squares[column]
      guard distance < least, column != own, !passesOver || !isEqual(distance, column) else { continue }
      (least, leastSquare) = (distance, squares[column])
    }
    guard least < .infinity else { return nil }
    // Those that rounding may have put behind it.
    let limit = least + Self.rounding * (square + leastSquare)
    var best: Match?
    var left = Self.candidates
    for column in squares.indices where left > 0 {
      let distance = square - 2 * product(column) + squares[column]
      guard distance <= limit, column != own else { continue }
      let match = Match(
        squaredSum: squaredSum(image, bytes, column), number: others.first + column, isMirrored: isMirrored)
      if passesOver, match.squaredSum == 0 { continue }
      left -= 1
      if best.map({ match < $0 }) ?? true { best = match }
    }
    return best
  }

  private func squaredSum(_ image: Int, _ others: [UInt8], _ column: Int) -> Int {
    images.withUnsafeBufferPointer { images in
      others.withUnsafeBufferPointer { others in
        var sum = 0
        for byte in 0..<size {
          let difference = Int(images[image * size + byte]) - Int(others[column * size + byte])
          sum += difference * difference
        }
        return sum
      }
    }
  }
}
