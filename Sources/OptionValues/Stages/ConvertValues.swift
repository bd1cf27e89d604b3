/// Options of `sid-convert`.
public enum ConvertValues {
  /// Which network of the source.
  public static let key = ValueOption.text("key")
}

/// How they have to fit each other.
public struct ConvertRelations: ValueRelations {
  private let hasConfig: Bool
  private let digests: [ExpectedDigest]

  /// - Parameters:
  ///   - hasConfig: whether `--config` is given.
  ///   - digests: what inputs have to be.
  public init(hasConfig: Bool, digests: [ExpectedDigest]) {
    self.hasConfig = hasConfig
    self.digests = digests
  }

  /// From what a step says.
  public init(_ given: GivenValues) {
    self.init(hasConfig: given.has("config"), digests: given.values(CommonValues.digests))
  }

  /// - Throws: `ValueConflict` for the first that do not fit.
  public func check() throws(ValueConflict) {
    try ExpectedDigest.check(digests, inputs: ["source"] + (hasConfig ? ["config"] : []))
  }
}
