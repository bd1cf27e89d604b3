import ArgumentParser
import OptionValues
import Records

/// The option that chooses the kernels of a program that runs networks.
public struct KernelOptions: ParsableArguments, Sendable {
  /// How convolutions are computed.
  @Option(
    CommonValues.kernels,
    help: ArgumentHelp(
      "How convolutions are computed: fast (Winograd 4x4), accurate (Winograd 2x2) or exact (by the definition); they agree to rounding.",
      valueName: "name"))
  public var kernels: KernelMode

  /// The default.
  public init() {}

  /// What the provenance says of it: nothing of the default.
  public var record: [String: String] { kernels == .fast ? [:] : ["kernels": kernels.rawValue] }
}
