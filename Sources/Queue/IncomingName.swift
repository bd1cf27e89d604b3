/// What the name of a file in `incoming/` says it is.
package enum IncomingName {
  /// A job file, by `NAME.yaml` or `NAME.yml`, or the file of a request.
  case taken
  /// On its way, or none of the daemon's business: it is passed over without a word.
  case ignored
  /// Anything else: it is left alone and reported.
  case other

  /// What programs that write, copy, fetch and edit call a file that is not complete or not meant for others.
  private static let passingPrefixes = [".", "#"]
  private static let passingSuffixes = ["~", ".partial", ".part", ".tmp", ".filepart", ".crdownload", ".swp"]

  /// What job files end in.
  package static let jobFileSuffixes = [".yaml", ".yml"]

  /// What is a job file, for messages.
  package static let rule = "only NAME.yaml and NAME.yml, in UTF-8, are job files"

  package init(_ name: String) {
    if Self.passingPrefixes.contains(where: name.hasPrefix) || Self.passingSuffixes.contains(where: name.hasSuffix) {
      self = .ignored
    } else {
      self = Self.jobFileSuffixes.contains(where: name.hasSuffix) || JobRequest(name) != nil ? .taken : .other
    }
  }

  /// A job file's name without its ending.
  package static func base(_ name: String) -> String {
    guard let suffix = jobFileSuffixes.first(where: name.hasSuffix) else { return name }
    return String(name.dropLast(suffix.count))
  }
}
