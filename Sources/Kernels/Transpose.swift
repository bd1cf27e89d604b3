/// Exchange of rows and columns.
public enum TransposeKernel {
  /// y[c, r] = x[r, c] for some rows of a matrix, in squares that stay in cache.
  ///
  /// - Parameters:
  ///   - rows: which rows of x.
  ///   - totalRows: rows of x in all, the length of a row of y.
  ///   - columns: of x.
  ///   - x, y: the whole matrices.
  public static func apply(rows: Range<Int>, totalRows: Int, columns: Int, _ x: Source, into y: Target) {
    let side = 16
    var firstRow = rows.lowerBound
    while firstRow < rows.upperBound {
      let lastRow = min(firstRow &+ side, rows.upperBound)
      var firstColumn = 0
      while firstColumn < columns {
        let lastColumn = min(firstColumn &+ side, columns)
        for c in firstColumn..<lastColumn {
          let target = y + c &* totalRows
          for r in firstRow..<lastRow { target[r] = x[r &* columns &+ c] }
        }
        firstColumn &+= side
      }
      firstRow &+= side
    }
  }

  /// Weights of a convolution from [outputs, totalInputs, taps] to [taps, inputs, outputs].
  ///
  /// A column of x, which is one tap of one input, becomes a row of y. Sixteen rows of x are read side by side, each in
  /// order, and give one cache line of y.
  /// - Parameter inputs: which inputs.
  public static func convolution(
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
