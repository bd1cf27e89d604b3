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
}
