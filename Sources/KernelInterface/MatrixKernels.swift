/// Single-precision matrix products with the right operand packed into panels beforehand.
///
/// Every element of a product is one chain of multiply-adds over the depth, in order, whatever its row and whatever the
/// rows beside it: the bytes of a row do not depend on how rows are gathered into calls.
public protocol MatrixKernels: SendableMetatype {
  /// Packs a row-major [depth, columns] matrix into panels: packed[panel][k][column], columns beyond the last are zero.
  static func pack(depth: Int, columns: Int, _ b: Source, stride: Int, into packed: Target)

  /// Packs the transpose of a row-major [columns, depth] matrix into panels, as `pack` does the matrix itself.
  static func packTransposed(depth: Int, columns: Int, _ b: Source, stride: Int, into packed: Target)

  /// C = A B, or C += A B, with B in panels.
  ///
  /// - Parameters:
  ///   - a: [rows, depth], rows `aStride` apart.
  ///   - packed: the panels of [packedDepth, columns], of whose rows the first `depth` count.
  ///   - packedDepth: rows of the packed matrix, from one panel to the next.
  ///   - c: [rows, panels * panelColumns], rows `cStride` apart; columns of the last panel are written in whole.
  ///   - sums: what becomes of what C holds.
  static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: Source, _ aStride: Int, packed: Source, packedDepth: Int,
    into c: Target, _ cStride: Int, _ sums: ProductSums)

  /// C = A^T B, or C += A^T B, with B in panels.
  ///
  /// - Parameters:
  ///   - a: [depth, rows], rows of memory `aStride` apart.
  ///   - packed: the panels of [depth, columns].
  ///   - c: [rows, panels * panelColumns], rows `cStride` apart; columns of the last panel are written in whole.
  static func multiplyTransposed(
    rows: Int, columns: Int, depth: Int, _ a: Source, _ aStride: Int, packed: Source, into c: Target, _ cStride: Int,
    accumulate: Bool)
}

extension MatrixKernels {
  /// C = A B with all rows of the packed matrix.
  public static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: Source, _ aStride: Int, packed: Source, into c: Target, _ cStride: Int
  ) {
    multiply(
      rows: rows, columns: columns, depth: depth, a, aStride, packed: packed, packedDepth: depth, into: c, cStride,
      .new)
  }
}

/// What becomes of what stands where a product goes.
public enum ProductSums: Sendable {
  /// It is overwritten.
  case new
  /// The product, summed by itself, is added to it.
  case joining
  /// Its chains of multiply-adds go on: as if both depths had been one.
  case resuming
}
