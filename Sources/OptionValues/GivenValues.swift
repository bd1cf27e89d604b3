/// What a step of a job says, each value right by itself: what relations between values are read from.
public struct GivenValues: Sendable {
  private let texts: [String: [String]]
  private let others: Set<String>

  /// - Parameters:
  ///   - texts: the values of options, by their names.
  ///   - others: flags that are set, and inputs that are given or filled in.
  public init(texts: [String: [String]], others: Set<String>) {
    self.texts = texts
    self.others = others
  }

  /// Whether an option, a flag or an input is given.
  func has(_ name: String) -> Bool { texts[name] != nil || others.contains(name) }

  /// The value of an option that is given; its standard otherwise.
  func value<Value>(_ option: ValueOption<Value>) -> Value? { values(option).last ?? option.standard }

  /// The values of an option that may be repeated.
  func values<Value>(_ option: ValueOption<Value>) -> [Value] {
    (texts[option.name] ?? []).compactMap { try? option.parse($0) }
  }
}

/// How the values of one command line, or of one step of a job, have to fit each other.
///
/// A program makes it from its options, a reader of job files from what the step says; both ask `check`.
public protocol ValueRelations: Sendable {
  /// From what a step says.
  init(_ given: GivenValues)

  /// - Throws: `ValueConflict` for the first that do not fit.
  func check() throws(ValueConflict)
}
