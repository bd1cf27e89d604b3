import COpenBLAS

/// Single-precision matrix products, row-major, on the calling thread.
package enum BLAS {
  /// C = A B * alpha + C * beta, with A [rows, depth], B [depth, columns] after the optional transpositions.
  package static func multiply(
    rows: Int, columns: Int, depth: Int,
    _ a: UnsafePointer<Float>, _ aStride: Int, transposeA: Bool = false,
    _ b: UnsafePointer<Float>, _ bStride: Int, transposeB: Bool = false,
    alpha: Float = 1, beta: Float = 0, into c: UnsafeMutablePointer<Float>, _ cStride: Int
  ) {
    _ = isSingleThreaded
    cblas_sgemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
      blasint(rows), blasint(columns), blasint(depth), alpha, a, blasint(aStride), b, blasint(bStride), beta, c,
      blasint(cStride))
  }

  /// Holds OpenBLAS to one thread, once. Its threads would compete with ours, and it may hang where their number changes
  /// while a product is under way: whoever calls it asks for this first.
  package static let isSingleThreaded: Bool = {
    openblas_set_num_threads(1)
    return true
  }()

  /// The name of the kernels that OpenBLAS chose for this processor, for example "Haswell".
  package static var coreName: String { String(cString: openblas_get_corename()) }
}

/// Calls `body` with uninitialized, cache-line aligned working memory for `count` floats.
package func withScratch<R>(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> R) -> R {
  let bytes = max(count, 1) * 4
  let memory = BufferPool.take(bytes: bytes)
  defer { BufferPool.give(memory, bytes: bytes) }
  return body(memory.bindMemory(to: Float.self, capacity: max(count, 1)))
}
