import CVector

/// The widest vectors of the instruction set that the kernels are built for.
#if arch(x86_64) && SID_MARCH_V4
  typealias Wide = SIMD16<Float>
#else
  typealias Wide = SIMD8<Float>
#endif

/// Single-precision matrix products on the calling thread, with the right operand packed beforehand.
///
/// Every element of a product is one chain of multiply-adds over the depth, in order, whatever its row and whatever the
/// rows beside it: the bytes of a row do not depend on how rows are gathered into calls.
public enum MatrixMultiply {
  /// Columns of a panel of a packed matrix: two vectors.
  public static let panelColumns = 2 * Wide.scalarCount
  /// Rows that one pass of the innermost kernel computes.
  public static let rowBlock = 6

  /// Floats ahead in a panel that are fetched: what memory delivers late arrives while earlier rows are multiplied.
  private static let prefetchDistance = 24 * panelColumns

  /// Number of panels that hold `columns` columns.
  public static func panels(_ columns: Int) -> Int { (columns + panelColumns - 1) / panelColumns }

  /// Floats of a packed [depth, columns] matrix.
  public static func packedCount(depth: Int, columns: Int) -> Int { panels(columns) * panelColumns * depth }

  /// Packs a row-major [depth, columns] matrix into panels: packed[panel][k][column], columns beyond the last are zero.
  public static func pack(depth: Int, columns: Int, _ b: Source, stride: Int, into packed: Target) {
    let width = panelColumns
    for panel in 0..<panels(columns) {
      let first = panel * width
      let count = min(width, columns - first)
      let target = packed + panel * depth * width
      for k in 0..<depth {
        let row = target + k * width
        row.update(from: b + k * stride + first, count: count)
        if count < width { (row + count).update(repeating: 0, count: width - count) }
      }
    }
  }

  /// C = A B, or C += A B, for the columns of one panel.
  ///
  /// - Parameters:
  ///   - a: [rows, depth], rows `aStride` apart.
  ///   - panel: [depth, panelColumns].
  ///   - c: [rows, panelColumns], rows `cStride` apart.
  @inline(__always)
  static func multiplyPanel(
    rows: Int, depth: Int, _ a: Source, _ aStride: Int, _ panel: Source, into c: Target, _ cStride: Int,
    accumulate: Bool
  ) {
    var row = 0
    while row < rows {
      let count = min(rowBlock, rows - row)
      multiplyBlock(
        rows: count, depth: depth, a + row * aStride, rowStride: aStride, depthStride: 1, panel,
        into: c + row * cStride, cStride, accumulate: accumulate)
      row += rowBlock
    }
  }

  /// C = A B, or C += A B, with B in panels.
  ///
  /// - Parameters:
  ///   - a: [rows, depth], rows `aStride` apart.
  ///   - packed: the panels of [depth, columns], or its first rows where `packedDepth` says that there are more.
  ///   - packedDepth: rows of the packed matrix; `depth` unless given.
  ///   - c: [rows, panels * panelColumns], rows `cStride` apart; columns of the last panel are written in whole.
  public static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: Source, _ aStride: Int, packed: Source, packedDepth: Int? = nil,
    into c: Target, _ cStride: Int, accumulate: Bool = false
  ) {
    let width = panelColumns
    let panelStride = (packedDepth ?? depth) * width
    for panel in 0..<panels(columns) {
      multiplyPanel(
        rows: rows, depth: depth, a, aStride, packed + panel * panelStride, into: c + panel * width, cStride,
        accumulate: accumulate)
    }
  }

  /// C = A^T B, or C += A^T B, for the columns of one panel.
  ///
  /// - Parameters:
  ///   - a: [depth, rows], rows of memory `aStride` apart.
  ///   - panel: [depth, panelColumns].
  ///   - c: [rows, panelColumns], rows `cStride` apart.
  @inline(__always)
  static func multiplyTransposedPanel(
    rows: Int, depth: Int, _ a: Source, _ aStride: Int, _ panel: Source, into c: Target, _ cStride: Int,
    accumulate: Bool
  ) {
    var row = 0
    while row < rows {
      let count = min(rowBlock, rows - row)
      multiplyBlock(
        rows: count, depth: depth, a + row, rowStride: 1, depthStride: aStride, panel, into: c + row * cStride,
        cStride, accumulate: accumulate)
      row += rowBlock
    }
  }

  /// Up to six rows by two vectors, held in registers over the whole depth. Rows beyond `rows` repeat the last one and
  /// are not stored.
  @inline(__always)
  private static func multiplyBlock(
    rows: Int, depth: Int, _ a: Source, rowStride: Int, depthStride: Int, _ panel: Source, into c: Target,
    _ cStride: Int, accumulate: Bool
  ) {
    let last = rows - 1
    var a0 = a
    var a1 = a + min(1, last) * rowStride
    var a2 = a + min(2, last) * rowStride
    var a3 = a + min(3, last) * rowStride
    var a4 = a + min(4, last) * rowStride
    var a5 = a + min(5, last) * rowStride
    var b = panel
    let zero = Wide(repeating: 0)
    var (c00, c01, c10, c11, c20, c21) = (zero, zero, zero, zero, zero, zero)
    var (c30, c31, c40, c41, c50, c51) = (zero, zero, zero, zero, zero, zero)
    for _ in 0..<depth {
      sid_prefetch(b + prefetchDistance)
      let b0 = loadWide(b)
      let b1 = loadWide(b + Wide.scalarCount)
      let v0 = Wide(repeating: a0.pointee)
      c00 = multiplyAdd(v0, b0, c00)
      c01 = multiplyAdd(v0, b1, c01)
      let v1 = Wide(repeating: a1.pointee)
      c10 = multiplyAdd(v1, b0, c10)
      c11 = multiplyAdd(v1, b1, c11)
      let v2 = Wide(repeating: a2.pointee)
      c20 = multiplyAdd(v2, b0, c20)
      c21 = multiplyAdd(v2, b1, c21)
      let v3 = Wide(repeating: a3.pointee)
      c30 = multiplyAdd(v3, b0, c30)
      c31 = multiplyAdd(v3, b1, c31)
      let v4 = Wide(repeating: a4.pointee)
      c40 = multiplyAdd(v4, b0, c40)
      c41 = multiplyAdd(v4, b1, c41)
      let v5 = Wide(repeating: a5.pointee)
      c50 = multiplyAdd(v5, b0, c50)
      c51 = multiplyAdd(v5, b1, c51)
      a0 += depthStride
      a1 += depthStride
      a2 += depthStride
      a3 += depthStride
      a4 += depthStride
      a5 += depthStride
      b += 2 * Wide.scalarCount
    }
    storeRow(c00, c01, c, accumulate)
    if rows > 1 { storeRow(c10, c11, c + cStride, accumulate) }
    if rows > 2 { storeRow(c20, c21, c + 2 * cStride, accumulate) }
    if rows > 3 { storeRow(c30, c31, c + 3 * cStride, accumulate) }
    if rows > 4 { storeRow(c40, c41, c + 4 * cStride, accumulate) }
    if rows > 5 { storeRow(c50, c51, c + 5 * cStride, accumulate) }
  }

  @inline(__always)
  private static func storeRow(_ first: Wide, _ second: Wide, _ c: Target, _ accumulate: Bool) {
    let next = c + Wide.scalarCount
    if accumulate {
      storeWide(loadWide(Source(c)) + first, c)
      storeWide(loadWide(Source(next)) + second, next)
    } else {
      storeWide(first, c)
      storeWide(second, next)
    }
  }
}

#if arch(x86_64) && SID_MARCH_V4
  @inline(__always) private func multiplyAdd(_ a: Wide, _ b: Wide, _ c: Wide) -> Wide { sid_fma16(a, b, c) }
#endif

@inline(__always) func loadWide(_ p: Source) -> Wide { UnsafeRawPointer(p).loadUnaligned(as: Wide.self) }

@inline(__always) func storeWide(_ v: Wide, _ p: Target) { UnsafeMutableRawPointer(p).storeBytes(of: v, as: Wide.self) }
