extension MatrixMultiply {
  /// Packs the transpose of a row-major [columns, depth] matrix into panels, as `pack` does the matrix itself.
  public static func packTransposed(depth: Int, columns: Int, _ b: Source, stride: Int, into packed: Target) {
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

  /// C = A^T B, or C += A^T B, with B in panels.
  ///
  /// - Parameters:
  ///   - a: [depth, rows], rows of memory `aStride` apart.
  ///   - packed: the panels of [depth, columns].
  ///   - c: [rows, panels * panelColumns], rows `cStride` apart; columns of the last panel are written in whole.
  public static func multiplyTransposed(
    rows: Int, columns: Int, depth: Int, _ a: Source, _ aStride: Int, packed: Source, into c: Target, _ cStride: Int,
    accumulate: Bool
  ) {
    for panel in 0..<panels(columns) {
      multiplyTransposedPanel(
        rows: rows, depth: depth, a, aStride, packed + panel &* panelColumns &* depth,
        into: c + panel &* panelColumns, cStride, accumulate: accumulate)
    }
  }
}
