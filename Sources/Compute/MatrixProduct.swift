import KernelInterface

/// Single-precision matrix products of any matrices, row-major, on the calling thread.
///
/// Every element is summed in stretches of the depth, in order: its bytes do not depend on the size of the matrices around
/// it, nor on how rows are gathered into calls.
package enum MatrixProduct {
  /// C = A B, or C += A B, with A [rows, depth] and B [depth, columns] after the optional transpositions.
  package static func multiply(
    rows: Int, columns: Int, depth: Int,
    _ a: UnsafePointer<Float>, _ aStride: Int, transposeA: Bool = false,
    _ b: UnsafePointer<Float>, _ bStride: Int, transposeB: Bool = false,
    accumulate: Bool = false, into c: UnsafeMutablePointer<Float>, _ cStride: Int
  ) {
    let shape = Blocks(columns: columns, depth: depth)
    if depth == 0 && !accumulate {
      for row in 0..<rows { (c + row * cStride).update(repeating: 0, count: columns) }
    }
    withScratch(shape.floats) { memory in
      let (left, strip) = (memory + shape.packedFloats, memory + shape.packedFloats + shape.leftFloats)
      for terms in blocks(of: depth, step: Blocks.stretch) {
        for some in blocks(of: columns, step: shape.groupColumns) {
          if transposeB {
            kernels.matrix.packTransposed(
              depth: terms.count, columns: some.count, b + some.lowerBound * bStride + terms.lowerBound,
              stride: bStride, into: memory)
          } else {
            kernels.matrix.pack(
              depth: terms.count, columns: some.count, b + terms.lowerBound * bStride + some.lowerBound,
              stride: bStride, into: memory)
          }
          // The product writes whole panels: the last columns go by way of a strip.
          let isWhole = some.count % kernels.panelColumns == 0
          let adds = accumulate || terms.lowerBound > 0
          for lines in blocks(of: rows, step: Blocks.rows) {
            if transposeA {
              kernels.patches.transpose(
                rows: terms.count, columns: lines.count, a + terms.lowerBound * aStride + lines.lowerBound,
                stride: aStride, into: left, stride: shape.leftStride)
            } else {
              for row in lines {
                copyFloats(
                  a + row * aStride + terms.lowerBound, to: left + (row - lines.lowerBound) * shape.leftStride,
                  count: terms.count)
              }
            }
            let target = c + lines.lowerBound * cStride + some.lowerBound
            kernels.matrix.multiply(
              rows: lines.count, columns: some.count, depth: terms.count, left, shape.leftStride, packed: memory,
              packedDepth: terms.count, into: isWhole ? target : strip, isWhole ? cStride : shape.paddedColumns,
              isWhole && adds ? .joining : .new)
            guard !isWhole else { continue }
            for row in 0..<lines.count {
              let (line, sums) = (target + row * cStride, strip + row * shape.paddedColumns)
              if adds {
                kernels.elementwise.addScaled(some.count, line, sums, scale: 1, into: line)
              } else {
                copyFloats(sums, to: line, count: some.count)
              }
            }
          }
        }
      }
    }
  }

  /// What of a product is multiplied at a time.
  private struct Blocks {
    /// Terms that are summed in registers before they join the product.
    static let stretch = 128
    /// Rows that stay in the second cache, beside the panels.
    static let rows = 96
    private static let mostColumns = 256

    /// Columns of packed panels.
    let groupColumns: Int
    /// The same in whole panels.
    let paddedColumns: Int
    let packedFloats: Int
    /// Rows of the left operand are copied: in large matrices of even sizes they would share their places in the cache.
    let leftStride: Int
    let leftFloats: Int
    let floats: Int

    init(columns: Int, depth: Int) {
      groupColumns = max(1, min(columns, Self.mostColumns))
      paddedColumns = kernels.paddedColumns(groupColumns)
      packedFloats = min(depth, Self.stretch) * paddedColumns
      leftStride = min(depth, Self.stretch) + 16
      leftFloats = Self.rows * leftStride
      floats = packedFloats + leftFloats + Self.rows * paddedColumns
    }
  }

  private static func blocks(of count: Int, step: Int) -> some Sequence<Range<Int>> {
    stride(from: 0, to: count, by: step).lazy.map { $0..<min($0 + step, count) }
  }
}

/// Calls `body` with uninitialized, cache-line aligned working memory for `count` floats.
package func withScratch<R>(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> R) -> R {
  let bytes = max(count, 1) * 4
  let memory = BufferPool.take(bytes: bytes)
  defer { BufferPool.give(memory, bytes: bytes) }
  return body(memory.bindMemory(to: Float.self, capacity: max(count, 1)))
}
