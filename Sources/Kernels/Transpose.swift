import CVector
import KernelInterface

enum TransposeKernel: TransposeKernels {
  static func apply(rows: Range<Int>, totalRows: Int, columns: Int, _ x: Source, into y: Target) {
    transpose(
      rows: rows.count, columns: columns, x + rows.lowerBound * columns, stride: columns, into: y + rows.lowerBound,
      stride: totalRows)
  }

  /// Any matrix, in squares of vectors.
  static func transpose(
    rows: Int, columns: Int, _ matrix: Source, stride: Int, into transposed: Target, stride outStride: Int
  ) {
    let (wholeRows, wholeColumns) = (rows & ~(lanes &- 1), columns & ~(lanes &- 1))
    withUnsafeTemporaryAllocation(of: Vector.self, capacity: 2 &* lanes) { memory in
      guard let square = memory.baseAddress else { return }
      var top = 0
      while top < wholeRows {
        var left = 0
        while left < wholeColumns {
          transposeSquare(
            matrix + (top &* stride &+ left), stride, into: transposed + (left &* outStride &+ top), outStride,
            square)
          left &+= lanes
        }
        top &+= lanes
      }
    }
    transposeOneByOne(0..<wholeRows, wholeColumns..<columns, matrix, stride, into: transposed, outStride)
    transposeOneByOne(wholeRows..<rows, 0..<columns, matrix, stride, into: transposed, outStride)
  }

  /// As many rows of as many columns as a vector has lanes: each round interleaves the upper half of the rows with the lower,
  /// and after as many rounds as the side has bits every element has changed its row for its column.
  @inline(__always)
  private static func transposeSquare(
    _ matrix: Source, _ stride: Int, into transposed: Target, _ outStride: Int, _ memory: UnsafeMutablePointer<Vector>
  ) {
    let half = lanes / 2
    var (from, to) = (memory, memory + lanes)
    for i in 0..<lanes { from[i] = load(matrix + i &* stride) }
    var side = 1
    while side < lanes {
      for i in 0..<half {
        to[2 &* i] = sid_zip_low(from[i], from[i &+ half])
        to[2 &* i &+ 1] = sid_zip_high(from[i], from[i &+ half])
      }
      swap(&from, &to)
      side &*= 2
    }
    for i in 0..<lanes { store(from[i], transposed + i &* outStride) }
  }

  @inline(__always)
  private static func transposeOneByOne(
    _ rows: Range<Int>, _ columns: Range<Int>, _ matrix: Source, _ stride: Int, into transposed: Target,
    _ outStride: Int
  ) {
    for column in columns {
      let target = transposed + column &* outStride
      for row in rows { target[row] = matrix[row &* stride &+ column] }
    }
  }

  static func convolution(
    outputs: Int, inputs: Range<Int>, totalInputs: Int, taps: Int, _ x: Source, into y: Target
  ) {
    let side = 16
    let stride = totalInputs &* taps
    var first = 0
    while first < outputs {
      let last = min(first &+ side, outputs)
      var source = x + inputs.lowerBound &* taps
      for input in 0..<inputs.count {
        for tap in 0..<taps {
          let target = y + (tap &* inputs.count &+ input) &* outputs
          for output in first..<last { target[output] = source[output &* stride] }
          source += 1
        }
      }
      first &+= side
    }
  }
}
