/// The rule for the names of figures in a summary.
enum FigureName {
  static let rule = "a name of up to 64 of a-z, 0-9 and _"

  private static let letters = Set("abcdefghijklmnopqrstuvwxyz0123456789_")
  /// The score file's and the summary's own fields.
  private static let taken: Set = [
    "format", "format_version", "feature_network", "input_convention", "figures", "created_by", "provenance",
    "archive", "contact_sheet", "job", "id", "started", "finished", "steps",
  ]

  static func isValid(_ name: String) -> Bool {
    !name.isEmpty && name.count <= 64 && name.allSatisfy(letters.contains) && !taken.contains(name)
  }

  /// What is wrong with a name that follows the rule and is not to be had all the same.
  static func reason(_ name: String) -> String? {
    taken.contains(name) ? "\(name) is a name of the score file's own fields" : nil
  }
}
