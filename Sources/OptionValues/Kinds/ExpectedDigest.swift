/// The SHA-256 that an input has to have, as `--expect-sha256` says it: `INPUT=DIGEST`.
public struct ExpectedDigest: Sendable, Equatable {
  /// The option that names the input, without dashes.
  public let input: String
  /// 64 hexadecimal digits in lower case; empty for no check.
  public let digest: String

  /// Reads `INPUT=DIGEST`; nil where it is something else.
  public init?(_ text: String) {
    guard let equals = text.firstIndex(of: "=") else { return nil }
    input = String(text[..<equals])
    digest = text[text.index(after: equals)...].lowercased()
    guard digest.isEmpty || digest.utf8.count == 64 && digest.allSatisfy({ $0.isHexDigit && $0.isASCII }) else {
      return nil
    }
  }

  /// Refuses digests of inputs that are not given.
  /// - Parameter inputs: the names of those that are.
  /// - Throws: `ValueConflict`.
  static func check(_ expected: [ExpectedDigest], inputs: [String]) throws(ValueConflict) {
    for expected in expected where !expected.digest.isEmpty && !inputs.contains(expected.input) {
      let guess = nearest(to: expected.input, among: inputs).map { "; did you mean \"\($0)\"?" } ?? ""
      throw ValueConflict(
        CommonValues.digests.name,
        "names no input \"\(expected.input.prefix(80))\"; the inputs are \(inputs.sorted().joined(separator: ", "))\(guess)"
      )
    }
  }
}
