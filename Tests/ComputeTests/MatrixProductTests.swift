import Compute
import Testing

@Suite("Products of any matrices")
struct MatrixProductTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let rows: Int, columns: Int, depth: Int
    let transposesA: Bool, transposesB: Bool
    var testDescription: String {
      "\(rows)x\(depth)\(transposesA ? " transposed" : "") by \(depth)x\(columns)\(transposesB ? " transposed" : "")"
    }
  }

  static let cases = [
    (1, 1, 1), (3, 5, 7), (16, 16, 16), (97, 33, 40), (5, 300, 20), (13, 7, 520), (200, 257, 258), (4, 9, 0), (0, 3, 4),
  ].flatMap { size in
    [(false, false), (true, false), (false, true), (true, true)].map {
      Case(rows: size.0, columns: size.1, depth: size.2, transposesA: $0.0, transposesB: $0.1)
    }
  }

  /// Rows that are longer than what is multiplied, with what must not be touched behind it.
  private let slack = 3

  private func matrix(_ rows: Int, _ columns: Int, _ stream: UInt64) -> (tensor: Tensor, stride: Int) {
    (randomTensor([max(rows, 1), columns + slack], stream), columns + slack)
  }

  private func product(_ c: Case, accumulate: Bool) -> (found: [Float], start: [Float], expected: [Double]) {
    let (a, aStride) = c.transposesA ? matrix(c.depth, c.rows, 1) : matrix(c.rows, c.depth, 1)
    let (b, bStride) = c.transposesB ? matrix(c.columns, c.depth, 2) : matrix(c.depth, c.columns, 2)
    var (y, stride) = matrix(c.rows, c.columns, 3)
    let start = y.values
    y.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      MatrixProduct.multiply(
        rows: c.rows, columns: c.columns, depth: c.depth, a.pointer, aStride, transposeA: c.transposesA, b.pointer,
        bStride, transposeB: c.transposesB, accumulate: accumulate, into: base, stride)
    }
    var expected = start.map(Double.init)
    let (left, right) = (a.values, b.values)
    for row in 0..<c.rows {
      for column in 0..<c.columns {
        var sum = accumulate ? Double(start[row * stride + column]) : 0
        for k in 0..<c.depth {
          sum +=
            Double(left[c.transposesA ? k * aStride + row : row * aStride + k])
            * Double(right[c.transposesB ? column * bStride + k : k * bStride + column])
        }
        expected[row * stride + column] = sum
      }
    }
    return (y.values, start, expected)
  }

  @Test("They are sums of products, and nothing beside them is written", arguments: cases)
  func definition(c: Case) {
    for accumulate in [false, true] {
      let (found, start, expected) = product(c, accumulate: accumulate)
      let tolerance = 2e-6 * Double(max(c.depth, 1)).squareRoot() * 4
      #expect(zip(found, expected).allSatisfy { abs(Double($0) - $1) <= tolerance })
      for row in 0..<c.rows {
        let end = (row + 1) * (c.columns + slack)
        #expect(found[end - slack..<end] == start[end - slack..<end])
      }
    }
  }

  @Test("The bytes of a row depend neither on the rows nor on the columns beside it")
  func independence() {
    let (rows, columns, depth) = (150, 290, 300)
    let (a, b) = (randomTensor([rows, depth], 4), randomTensor([depth, columns], 5))
    func multiply(_ first: Int, _ count: Int, _ start: Int, _ width: Int) -> [Float] {
      var y = Tensor(shape: [count, width])
      y.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        MatrixProduct.multiply(
          rows: count, columns: width, depth: depth, a.pointer + first * depth, depth, b.pointer + start, columns,
          into: base, width)
      }
      return y.values
    }
    let whole = multiply(0, rows, 0, columns)
    for (first, count, start, width) in [(0, 1, 0, 1), (149, 1, 250, 40), (90, 20, 17, 33), (3, 100, 0, 290)] {
      let part = multiply(first, count, start, width)
      for row in 0..<count {
        let place = (first + row) * columns + start
        #expect(part[row * width..<(row + 1) * width].elementsEqual(whole[place..<place + width]))
      }
    }
  }
}
