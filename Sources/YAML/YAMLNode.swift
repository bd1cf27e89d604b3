/// A value of a YAML text with the line it stands on; without anchors, aliases, tags and duplicate keys.
package struct YAMLNode {
  /// An entry of a mapping.
  package struct Pair {
    package let key: String
    package let line: Int
    /// Where the key stands.
    package let keySpan: Range<Int>
    package let value: YAMLNode
  }

  /// What it is.
  package enum Content {
    case scalar(String, isPlain: Bool)
    case list([YAMLNode])
    case mapping([Pair])
  }

  package let line: Int
  /// Where it stands in the text, counted in Unicode scalars.
  package let span: Range<Int>
  /// Whether it is a list or a mapping in brackets.
  package let isFlow: Bool
  package let content: Content

  /// What the value is, for messages.
  package var kind: String {
    switch content {
    case .scalar(let text, let isPlain): isPlain && Self.nulls.contains(text) ? "nothing" : "a single value"
    case .list: "a list"
    case .mapping: "a mapping"
    }
  }

  /// A single value, or nil.
  package var text: String? {
    guard case .scalar(let text, _) = content, !isNull else { return nil }
    return text
  }

  /// Whether the key stands without a value, as in `score:`.
  package var isNull: Bool {
    if case .scalar(let text, isPlain: true) = content { return Self.nulls.contains(text) }
    return false
  }

  private static let nulls: Set<String> = ["", "~", "null", "Null", "NULL"]
}

extension YAMLNode {
  /// What the value is, in quotes where it is a single one, for messages.
  package var shown: String { text.map { "\"\($0.prefix(80))\"" } ?? kind }
}

extension YAMLNode.Pair {
  /// The error of a value that is not what its key wants.
  package func wrong(_ expected: String) -> YAMLError {
    YAMLError(line: value.line, key: key, "is \(value.shown); expected \(expected)")
  }
}
