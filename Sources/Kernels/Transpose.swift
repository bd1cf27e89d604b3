import KernelInterface

enum TransposeKernel: TransposeKernels {
  static func apply(rows: Range<Int>, totalRows: Int, columns: Int, _ x: Source, into y: Target) {
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
