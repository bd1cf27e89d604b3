/// Why a text is no value of an option: what was expected instead, in the same words for a command line and a job file.
public struct ValueProblem: Error, Sendable, Equatable, CustomStringConvertible {
  /// What the option takes, for example "a whole number from 1 to 1024".
  public let expected: String
  /// What is wrong in particular, or what was probably meant; nil where the rule says all.
  public let hint: String?

  init(expected: String, hint: String? = nil) {
    self.expected = expected
    self.hint = hint
  }

  /// `expected RULE; HINT`.
  public var description: String { "expected \(expected)" + (hint.map { "; \($0)" } ?? "") }
}

/// Values that do not go together, each of which would be right by itself.
public struct ValueConflict: Error, Sendable, Equatable, CustomStringConvertible {
  /// The option that is to blame, without dashes.
  public let option: String
  /// What is wrong with it, for example "needs evaluate".
  public let problem: String
  /// The other option, where it may be the only one that was given.
  public let other: String?

  init(_ option: String, with other: String? = nil, _ problem: String) {
    self.option = option
    self.problem = problem
    self.other = other
  }

  /// The conflict in a program's words.
  public var description: String { "--\(option) \(problem)" }
}
