import ArgumentParser
import Models
import OptionValues
import Scoring

/// Options that say how images are read, and what npz files do not say.
struct SourceOptions: ParsableArguments {
  @Option(
    ScoreValues.convention, as: InputConvention.self,
    help: ArgumentHelp(
      "How images become the network's input: native, pytorch-fid or tensorflow (default: that of the reference, else the "
        + "network's only one). Published EDM and SiD numbers are tensorflow's.", valueName: "name"))
  var convention: InputConvention?

  @Option(
    CommonValues.referenceConvention, as: InputConvention.self,
    help: ArgumentHelp(
      "The convention that an npz of statistics was made under, which it does not say (default: tensorflow for the file "
        + "names of EDM's references).", valueName: "name"))
  var referenceConvention: InputConvention?

  @Option(
    CommonValues.referenceCount,
    help: ArgumentHelp(
      "The number of images behind an npz of statistics, which it does not say (default: known for the file names of EDM's "
        + "references).", valueName: "images"))
  var referenceCount: Int?

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
