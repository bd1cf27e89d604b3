/// The version of this package, shared by its programs.
public enum Version {
  /// Semantic version of the package.
  public static let package = "0.1.0"

  /// What `--version` prints and what outputs carry as `created_by`: "sid-sample 0.1.0".
  public static func line(_ program: String) -> String { "\(program) \(package)" }
}
