import ArgumentParser

/// How convolutions are computed, by the names of `--kernels`.
public enum KernelChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
  /// Winograd tiles of 4x4 results.
  case fast
  /// Winograd tiles of 2x2 results.
  case accurate
  /// Sums as the definition has them.
  case exact
}

/// The option that chooses the kernels of a program that runs networks.
public struct KernelOptions: ParsableArguments, Sendable {
  /// How convolutions are computed.
  @Option(
    help: ArgumentHelp(
      "How convolutions are computed: fast (Winograd 4x4), accurate (Winograd 2x2) or exact (by the definition); they agree to rounding.",
      valueName: "name"))
  public var kernels = KernelChoice.fast

  /// The default.
  public init() {}

  /// What the provenance says of it: nothing of the default.
  public var record: [String: String] { kernels == .fast ? [:] : ["kernels": kernels.rawValue] }
}
