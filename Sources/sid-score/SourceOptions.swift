import ArgumentParser
import Models
import Scoring

extension InputConvention: ExpressibleByArgument {}

/// Options that say how images are read, and what npz files do not say.
struct SourceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How images become the network's input: native, pytorch-fid or tensorflow (default: that of the reference, else the "
        + "network's only one). Published EDM and SiD numbers are tensorflow's.", valueName: "name"))
  var convention: InputConvention?

  @Option(
    name: .customLong("reference-convention"),
    help: ArgumentHelp(
      "The convention that an npz of statistics was made under, which it does not say (default: tensorflow for the file "
        + "names of EDM's references).", valueName: "name"))
  var referenceConvention: InputConvention?

  @Option(
    name: .customLong("reference-count"),
    help: ArgumentHelp(
      "The number of images behind an npz of statistics, which it does not say (default: known for the file names of EDM's "
        + "references).", valueName: "images"))
  var referenceCount: Int?

  func validate() throws {
    if let referenceCount, referenceCount < 2 {
      throw ValidationError("--reference-count must be at least 2, found \(referenceCount)")
    }
  }

  /// What an npz does not say.
  var npz: NpzConventions { NpzConventions(convention: referenceConvention, count: referenceCount) }

  /// For the provenance.
  var provenance: [String: String] {
    var options: [String: String] = [:]
    options["convention"] = convention?.rawValue
    options["reference-convention"] = referenceConvention?.rawValue
    options["reference-count"] = referenceCount.map { String($0) }
    return options
  }
}
