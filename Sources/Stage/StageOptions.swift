import ArgumentParser
import OptionValues

/// The options that every stage program has. None of them changes a result.
public struct StageOptions: ParsableArguments, Sendable {
  /// Worker threads; nil for every core this process may use.
  @Option(
    CommonValues.threads,
    help: ArgumentHelp("Worker threads (default: the cores this process may use).", valueName: "n"))
  public var threads: Int?

  /// Where JSON progress lines go; nil for nowhere.
  @Option(
    name: .customLong("progress-fd"),
    help: ArgumentHelp("Write progress to this open file descriptor, one JSON object per line.", valueName: "n"))
  public var progressDescriptor: Int32?

  /// Make the output again even if it exists.
  @Flag(help: "Make the output again even if it exists, whatever it was made from.")
  public var overwrite = false

  /// Print an `Estimate` and stop.
  @Flag(name: .customLong("dry-run"), help: "Print work, memory, disk and expected hours, then stop.")
  public var dryRun = false

  /// The defaults.
  public init() {}

  /// Refuses values that make no sense, with status 64.
  public func validate() throws {
    if let progressDescriptor, progressDescriptor < 0 {
      throw ValidationError("--progress-fd must be an open file descriptor, found \(progressDescriptor)")
    }
  }
}
