import ArgumentParser
import Diagnostics

/// Digests that the user knows of input files, so that a wrong or damaged download is noticed before it is used.
public struct ExpectedInputs: ParsableArguments, Sendable {
  /// `INPUT=DIGEST`, as given.
  @Option(
    name: .customLong("expect-sha256"),
    help: ArgumentHelp(
      "The SHA-256 that an input has to have, the input named by its option without dashes; may be repeated. Without a "
        + "digest after the = it is not checked.", valueName: "input=digest"))
  public var digests: [String] = []

  /// None.
  public init() {}

  /// Compares the inputs of a piece of work with their digests.
  /// - Throws: a `Failure`: `usage` where an option is malformed or names no input, `dataError` where a file is another.
  public func check(_ provenance: Provenance) throws {
    for text in digests {
      let option = "--expect-sha256 \(text.prefix(100))"
      guard let equals = text.firstIndex(of: "=") else { throw Failure(.usage, option, "expected INPUT=DIGEST") }
      let name = String(text[..<equals])
      let digest = text[text.index(after: equals)...].lowercased()
      if digest.isEmpty { continue }
      guard let input = provenance.inputs[name] else {
        let names = provenance.inputs.keys.sorted().joined(separator: ", ")
        throw Failure(.usage, option, "there is no input \"\(name)\"; the inputs are \(names)")
      }
      guard digest.utf8.count == 64, digest.allSatisfy({ $0.isHexDigit && $0.isASCII }) else {
        throw Failure(.usage, option, "a SHA-256 has 64 hexadecimal digits")
      }
      guard digest == input.sha256 else {
        throw Failure(
          .dataError, input.path, "its SHA-256 is \(input.sha256), expected \(digest)",
          remedy: "fetch the file again, or correct the digest")
      }
    }
  }
}
