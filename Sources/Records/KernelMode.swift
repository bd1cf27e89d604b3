/// How convolutions are computed: the names of `--kernels`, and what a provenance says of it.
public enum KernelMode: String, Sendable, CaseIterable {
  /// Winograd F(4x4, 3x3): the fewest multiplications, with two to five times the rounding error of the definition.
  case fast
  /// Winograd F(2x2, 3x3): about the rounding error of the definition.
  case accurate
  /// Sums of products as the definition has them, each tap on its own: the smallest rounding error.
  case exact
}
