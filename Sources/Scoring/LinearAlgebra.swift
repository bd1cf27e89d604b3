import COpenBLAS
import Compute

/// OpenBLAS, whose double-precision products and LAPACK scores are computed with.
public enum LinearAlgebra {
  /// Holds OpenBLAS to one thread, once. Its threads would compete with ours, and it may hang where their number changes
  /// while a product is under way: whoever calls it asks for this first.
  static let isSingleThreaded: Bool = {
    openblas_set_num_threads(1)
    return true
  }()

  /// The name of the kernels that OpenBLAS computes with, its core, for example "Haswell".
  public static var coreName: String { String(cString: openblas_get_corename()) }

  /// What scores are computed with, for example "x86-64-v3 fast, OpenBLAS Haswell".
  public static var kernels: String { "\(KernelSet.name), OpenBLAS \(coreName)" }
}
