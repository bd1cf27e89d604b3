import ArgumentParser
import Models
import OptionValues
import ScoringStage

/// Options that say how images are read, and what npz files do not say.
struct SourceOptions: ParsableArguments {
  @Option(
    ScoreValues.convention, as: InputConvention.self,
    help: ArgumentHelp(
      "How images become the network's input: native, pytorch-fid or tensorflow (default: that of the reference, else the "
        + "network's only one). Published EDM and SiD numbers are tensorflow's.", valueName: "name"))
  var convention: InputConvention?

  @OptionGroup var npzReference: NpzReferenceOptions

  /// For the provenance.
  var provenance: [String: String] {
    var options = npzReference.provenance
    options["convention"] = convention?.rawValue
    return options
  }
}
