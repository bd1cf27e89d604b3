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

  /// Terms of a panel that stay in the nearest cache, of 32 KiB, while all rows pass: sums of more terms go to memory and on
  /// from there.
  @inline(__always) static var stretch: Int { 128 }

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
      let count = min(width, columns &- first)
      TransposeKernel.transpose(
        rows: count, columns: depth, b + first &* stride, stride: stride, into: target, stride: width)
      if count < width {
        for k in 0..<depth { (target + (k &* width &+ count)).update(repeating: 0, count: width &- count) }
      }
    }
  }

  static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: Source, _ aStride: Int, packed: Source, packedDepth: Int,
    into c: Target, _ cStride: Int, _ sums: ProductSums
  ) {
    multiply(
      rows: rows, columns: columns, depth: depth, a, aStride, packed: packed, packedDepth: packedDepth, into: c,
      cStride, sums, following: packed + panels(columns) * packedDepth * panelColumns)
  }

  /// The same.
  /// - Parameter following: the panels that are multiplied next.
  @inline(__always)
  static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: Source, _ aStride: Int, packed: Source, packedDepth: Int,
    into c: Target, _ cStride: Int, _ sums: ProductSums, following: Source
  ) {
    let width = panelColumns
    let count = panels(columns)
    // Sums that join others do so as a whole.
    let stretch = sums == .joining ? depth : Self.stretch
    for panel in 0..<count {
      let first = packed + panel * packedDepth * width
      var start = 0
      repeat {
        let terms = min(stretch, depth - start)
        let piece = first + start * width
        let isLast = start + terms == depth
        var next = !isLast ? piece + terms * width : panel + 1 < count ? first + packedDepth * width : following
        forEachBlock(rows) { row, count in
          let block = RowBlock(
            depth: terms, a: a + row * aStride + start, rowStride: aStride, depthStride: 1, panel: piece,
            c: c + row * cStride + panel * width, cStride: cStride, continues: start > 0 || sums == .resuming,
            accumulate: sums == .joining, next: next)
          multiplyRows(count, block)
          next += terms * RowBlock.fetched
        }
        start += terms
      } while start < depth
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
    var next = panel + depth * panelColumns
    forEachBlock(rows) { row, count in
      let sums = RowBlock(
        depth: depth, a: a + row, rowStride: 1, depthStride: aStride, panel: panel, c: c + row * cStride,
        cStride: cStride, continues: false, accumulate: accumulate, next: next)
      next += depth * RowBlock.fetched
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
