import Diagnostics

/// What is wrong with a YAML text, and where: its form, or what a reader of its values says.
public struct YAMLError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The line it stands on, counted from 1.
  public let line: Int
  /// The key it is about, where there is one.
  public let key: String?
  /// What is wrong and what was expected instead.
  public let problem: String
  /// What to do about it, where that does not follow from the problem.
  public let remedy: String?

  /// - Parameters: as the properties.
  package init(line: Int, key: String? = nil, _ problem: String, remedy: String? = nil) {
    self.line = line
    self.key = key
    self.problem = problem
    self.remedy = remedy
  }

  /// One line without the file's name: `line 4: key "alpah": unknown; did you mean "alpha"?`.
  public var description: String {
    "line \(line): \(message)".oneLine
  }

  /// The same without the line.
  package var message: String {
    let text = key.map { "key \"\($0)\": \(problem)" } ?? problem
    return remedy.map { "\(text); \($0)" } ?? text
  }

  /// The same as the error of a program that was given the file `path`.
  public func failure(in path: String, _ status: ExitStatus = .dataError) -> Failure {
    Failure(status, "\(path):\(line)", message)
  }
}
