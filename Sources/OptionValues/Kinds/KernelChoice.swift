/// How convolutions are computed, by the names of `--kernels`.
public enum KernelChoice: String, CaseIterable, Sendable {
  /// Winograd tiles of 4x4 results.
  case fast
  /// Winograd tiles of 2x2 results.
  case accurate
  /// Sums as the definition has them.
  case exact
}
