import CVector
import KernelInterface

enum SoftmaxKernel: SoftmaxKernels {
  static func exponentials(rows: Int, columns: Int, scale: Float, _ x: Target, stride: Int, reciprocals: Target) {
    let factor = Vector(repeating: scale)
    for r in 0..<rows {
      let row = x + r &* stride
      let offset = Vector(repeating: -peak(columns, row) * scale)
      var total = Vector(repeating: 0)
      var rest: Float = 0
      var c = 0
      while c < columns {
        let n = min(lanes, columns &- c)
        let e = exponential(multiplyAdd(read(Source(row) + c, n), factor, offset))
        write(e, row + c, n)
        if n == lanes { total += e } else { for i in 0..<n { rest += row[c &+ i] } }
        c &+= lanes
      }
      reciprocals[r] = 1 / (sid_sum(total) + rest)
    }
  }

  static func scaleRows(
    rows: Int, columns: Int, _ x: Source, stride: Int, by factors: Source, into y: Target, stride outStride: Int
  ) {
    for r in 0..<rows {
      let factor = Vector(repeating: factors[r])
      map(columns, x + r &* stride, into: y + r &* outStride) { $0 * factor }
    }
  }

  static func gradient(
    rows: Int, columns: Int, scale: Float, weights: Target, reciprocals: Source, _ dy: Target, stride: Int
  ) {
    let factor = Vector(repeating: scale)
    for r in 0..<rows {
      let (y, d) = (weights + r &* stride, dy + r &* stride)
      let reciprocal = Vector(repeating: reciprocals[r])
      var products = Vector(repeating: 0)
      forEachGroup(columns) { c, n in
        // Unused lanes of the last group hold zeros.
        let weight = read(Source(y) + c, n) * reciprocal
        write(weight, y + c, n)
        products = multiplyAdd(weight, read(Source(d) + c, n), products)
      }
      let mean = Vector(repeating: sid_sum(products))
      map(columns, y, d, into: d) { factor * $0 * ($1 - mean) }
    }
  }

  /// The largest of `count` numbers.
  @inline(__always) static func peak(_ count: Int, _ x: Source) -> Float {
    var largest = Vector(repeating: -.infinity)
    var rest = -Float.infinity
    forEachVector(count) { i in
      let v = load(x + i)
      largest = largest.replacing(with: v, where: v .> largest)
    } tail: { i, n in
      for j in 0..<n { rest = max(rest, x[i + j]) }
    }
    return max(sid_largest(largest), rest)
  }
}
