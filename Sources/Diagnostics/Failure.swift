/// The one error type of this package: what a user reads when something cannot be done.
///
/// It prints as one line: `SUBJECT: PROBLEM; REMEDY`.
public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
  /// How the program ends because of it.
  public let status: ExitStatus
  /// The file (or option, or key) it is about.
  public let subject: String
  /// What is wrong and what was expected instead.
  public let problem: String
  /// What to do about it, where that does not follow from the problem.
  public let remedy: String?
  /// Whether somebody else tells the user of it already: then it only decides how the program ends.
  public var isTold = false

  /// - Parameters:
  ///   - status: how the program ends because of it.
  ///   - subject: the file, option or key it is about.
  ///   - problem: what is wrong and what was expected.
  ///   - remedy: what the user can do.
  public init(_ status: ExitStatus, _ subject: String, _ problem: String, remedy: String? = nil) {
    self.status = status
    self.subject = subject
    self.problem = problem
    self.remedy = remedy
  }

  /// The failure as one line.
  public var description: String {
    let line = remedy.map { "\(subject): \(problem); \($0)" } ?? "\(subject): \(problem)"
    return line.oneLine
  }
}

extension String {
  /// The same text with invisible characters replaced, so that nothing from a file can break a log line or turn it around.
  public var oneLine: String {
    String(String.UnicodeScalarView(unicodeScalars.map { $0.isInvisible ? "\u{FFFD}" : $0 }))
  }
}
