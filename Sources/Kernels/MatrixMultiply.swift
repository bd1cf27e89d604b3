import CVector
import KernelInterface

enum MatrixMultiply: MatrixKernels {
  /// Columns of a panel of a packed matrix: two vectors.
  @inline(__always) static var panelColumns: Int { 2 * lanes }

  /// Rows that one pass of the innermost kernel computes: as many as registers hold the sums of, beside the vectors of the
  /// panel and a factor.
  #if SID_WIDE
    @inline(__always) static var rowBlock: Int { 12 }
  #else
    @inline(__always) static var rowBlock: Int { 6 }
  #endif

  /// Number of panels that hold `columns` columns.
  @inline(__always) static func panels(_ columns: Int) -> Int { (columns + panelColumns - 1) / panelColumns }

  static func pack(depth: Int, columns: Int, _ b: Source, stride: Int, into packed: Target) {
    let width = panelColumns
    for panel in 0..<panels(columns) {
      let first = panel * width
      let count = min(width, columns - first)
      let target = packed + panel * depth * width
      for k in 0..<depth {
        let row = target + k * width
        let source = b + k * stride + first
        if count == width {
          store(load(source), row)
          store(load(source + lanes), row + lanes)
        } else {
          for column in 0..<width { row[column] = column < count ? source[column] : 0 }
        }
      }
    }
  }

  static func packTransposed(depth: Int, columns: Int, _ b: Source, stride: Int, into packed: Target) {
    let width = panelColumns
    for panel in 0..<panels(columns) {
      let first = panel &* width
      let target = packed + panel &* depth &* width
      for column in 0..<width {
        if first &+ column < columns {
          let row = b + (first &+ column) &* stride
          for k in 0..<depth { target[k &* width &+ column] = row[k] }
        } else {
          for k in 0..<depth { target[k &* width &+ column] = 0 }
        }
      }
    }
  }

  static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: Source, _ aStride: Int, packed: Source, packedDepth: Int,
    into c: Target, _ cStride: Int, accumulate: Bool
  ) {
    let width = panelColumns
    let panelStride = packedDepth * width
    for panel in 0..<panels(columns) {
      forEachBlock(rows) { row, count in
        let sums = RowBlock(
          depth: depth, a: a + row * aStride, rowStride: aStride, depthStride: 1, panel: packed + panel * panelStride,
          c: c + row * cStride + panel * width, cStride: cStride, accumulate: accumulate)
        multiplyRows(count, sums)
      }
    }
  }

  static func multiplyTransposed(
    rows: Int, columns: Int, depth: Int, _ a: Source, _ aStride: Int, packed: Source, into c: Target, _ cStride: Int,
    accumulate: Bool
  ) {
    for panel in 0..<panels(columns) {
      multiplyTransposedPanel(
        rows: rows, depth: depth, a, aStride, packed + panel * panelColumns * depth, into: c + panel * panelColumns,
        cStride, accumulate: accumulate)
    }
  }

  /// `multiplyTransposed` for the columns of one panel.
  @inline(__always)
  static func multiplyTransposedPanel(
    rows: Int, depth: Int, _ a: Source, _ aStride: Int, _ panel: Source, into c: Target, _ cStride: Int,
    accumulate: Bool
  ) {
    forEachBlock(rows) { row, count in
      let sums = RowBlock(
        depth: depth, a: a + row, rowStride: 1, depthStride: aStride, panel: panel, c: c + row * cStride,
        cStride: cStride, accumulate: accumulate)
      multiplyColumns(count, sums)
    }
  }

  /// Calls `body` with the first row of each block and its rows.
  @inline(__always) private static func forEachBlock(_ rows: Int, _ body: (Int, Int) -> Void) {
    var row = 0
    while row < rows {
      let count = min(rowBlock, rows - row)
      body(row, count)
      row += count
    }
  }
}
