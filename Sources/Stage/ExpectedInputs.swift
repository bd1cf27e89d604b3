import ArgumentParser
import Diagnostics
import OptionValues
import Records

/// Digests that the user knows of input files, so that a wrong or damaged download is noticed before it is used.
public struct ExpectedInputs: ParsableArguments, Sendable {
  /// One for each input that is to be checked.
  @Option(
    repeating: CommonValues.digests,
    help: ArgumentHelp(
      "The SHA-256 that an input has to have, the input named by its option without dashes; may be repeated. Without a "
        + "digest after the = it is not checked.", valueName: "input=digest"))
  public var digests: [ExpectedDigest] = []

  /// None.
  public init() {}

  /// Compares the inputs of a piece of work with their digests.
  /// - Throws: a `Failure`: `usage` where there is no such input, `dataError` where a file is another.
  public func check(_ provenance: Provenance) throws {
    for expected in digests where !expected.digest.isEmpty {
      guard let input = provenance.inputs[expected.input] else {
        let names = provenance.inputs.keys.sorted().joined(separator: ", ")
        throw Failure(
          .usage, "--expect-sha256 \(expected.input.prefix(80))=", "there is no such input; the inputs are \(names)")
      }
      guard expected.digest == input.sha256 else {
        throw Failure(
          .dataError, input.path, "its SHA-256 is \(input.sha256), expected \(expected.digest)",
          remedy: "fetch the file again, or correct the digest")
      }
    }
  }
}
