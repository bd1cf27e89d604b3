/// Options of `sid-convert`.
public enum ConvertValues {
  /// Which network of the source.
  public static let key = ValueOption.text("key")
}

/// How they have to fit each other.
public struct ConvertRelations: ValueRelations {
  private let hasConfig: Bool
  private let hasEMA: Bool
  private let digests: [ExpectedDigest]

  /// - Parameters:
  ///   - hasConfig: whether `--config` is given.
  ///   - hasEMA: whether `--ema` is given.
  ///   - digests: what inputs have to be.
  public init(hasConfig: Bool, hasEMA: Bool, digests: [ExpectedDigest]) {
    self.hasConfig = hasConfig
    self.hasEMA = hasEMA
    self.digests = digests
  }

  /// From what a step says.
  public init(_ given: GivenValues) {
    self.init(hasConfig: given.has("config"), hasEMA: given.has("ema"), digests: given.values(CommonValues.digests))
  }

  /// - Throws: `ValueConflict` for the first that do not fit.
  public func check() throws(ValueConflict) {
    try ExpectedDigest.check(digests, inputs: ["source"] + (hasConfig ? ["config"] : []) + (hasEMA ? ["ema"] : []))
  }
}
