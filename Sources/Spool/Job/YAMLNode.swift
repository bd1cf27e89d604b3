/// A value of a job file with the line it stands on: YAML without anchors, aliases, tags and duplicate keys.
struct YAMLNode {
  struct Pair {
    let key: String
    let line: Int
    /// Where the key stands.
    let keySpan: Range<Int>
    let value: YAMLNode
  }

  enum Content {
    case scalar(String, isPlain: Bool)
    case list([YAMLNode])
    case mapping([Pair])
  }

  let line: Int
  /// Where it stands in the text, counted in Unicode scalars.
  let span: Range<Int>
  /// Whether it is a list or a mapping in brackets.
  let isFlow: Bool
  let content: Content

  /// What the value is, for messages.
  var kind: String {
    switch content {
    case .scalar(let text, let isPlain): isPlain && Self.nulls.contains(text) ? "nothing" : "a single value"
    case .list: "a list"
    case .mapping: "a mapping"
    }
  }

  /// A single value, or nil.
  var text: String? {
    guard case .scalar(let text, _) = content, !isNull else { return nil }
    return text
  }

  /// Whether the key stands without a value, as in `score:`.
  var isNull: Bool {
    if case .scalar(let text, isPlain: true) = content { return Self.nulls.contains(text) }
    return false
  }

  private static let nulls: Set<String> = ["", "~", "null", "Null", "NULL"]
}
