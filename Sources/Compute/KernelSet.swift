/// Which kernels compute: results are bit-identical within one set and agree to tolerance across sets.
public enum KernelSet {
  /// For example "x86-64-v3 gemm, OpenBLAS Haswell".
  public static var name: String {
    #if arch(x86_64) && SID_MARCH_V4
      let instructions = "x86-64-v4"
    #elseif arch(x86_64)
      let instructions = "x86-64-v3"
    #elseif arch(arm64)
      let instructions = "arm64"
    #else
      let instructions = "generic"
    #endif
    return "\(instructions) gemm, OpenBLAS \(BLAS.coreName)"
  }
}

extension Threads {
  /// Floating-point operations a second of large matrix products on `threads` threads, measured within a fraction of a second.
  public static func measuredFlops(threads: Int) -> Double {
    use(threads)
    let n = 512
    let a = Tensor(shape: [n, n], repeating: 0.5)
    let rounds = 4
    let start = ContinuousClock.now
    forEach(threads * rounds) { _ in
      let product = Tensor(uninitialized: [n, n])
      BLAS.multiply(rows: n, columns: n, depth: n, a.pointer, n, a.pointer, n, into: product.mutable, n)
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    return Double(2 * n * n * n * threads * rounds) / max(seconds, 1e-6)
  }
}
