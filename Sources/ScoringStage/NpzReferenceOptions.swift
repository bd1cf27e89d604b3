import ArgumentParser
import Models
import OptionValues
import Scoring
import Stage

/// What an npz of reference statistics does not say of itself: for every program that reads one.
public struct NpzReferenceOptions: ParsableArguments {
  /// How the images behind it became the network's input.
  @Option(
    CommonValues.referenceConvention, as: InputConvention.self,
    help: ArgumentHelp(
      "How the images behind an npz of statistics became the network's input, which it does not say. (default: tensorflow "
        + "for the file names of EDM's references)", valueName: "name"))
  public var referenceConvention: InputConvention?

  /// The number of images behind it.
  @Option(
    CommonValues.referenceCount,
    help: ArgumentHelp(
      "The number of images behind an npz of statistics, which it does not say. (default: known for the file names of EDM's "
        + "references)", valueName: "images"))
  public var referenceCount: Int?

  /// The defaults.
  public init() {}

  /// As the reader of references has it.
  public var conventions: NpzConventions { NpzConventions(convention: referenceConvention, count: referenceCount) }

  /// For the provenance: what was given.
  public var provenance: [String: String] {
    var options: [String: String] = [:]
    options[CommonValues.referenceConvention.name] = referenceConvention?.rawValue
    options[CommonValues.referenceCount.name] = referenceCount.map { String($0) }
    return options
  }
}
