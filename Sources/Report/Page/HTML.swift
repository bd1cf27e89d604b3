/// A piece of HTML that is well formed and holds no text of anybody else's unescaped.
///
/// Texts are put into it by interpolation, which escapes them; only literals of this program and other pieces come in as
/// they stand. So what a file says cannot become markup, wherever it is shown.
public struct HTML: Sendable, Equatable, ExpressibleByStringInterpolation {
  /// The markup.
  public private(set) var source: String

  /// Markup of this program's own.
  public init(stringLiteral value: String) { source = value }
  /// Markup of this program's own with texts and pieces put into it.
  public init(stringInterpolation: StringInterpolation) { source = stringInterpolation.source }
  /// Pieces one after the other.
  public init(_ parts: [HTML]) { source = parts.map(\.source).joined() }
  /// A text of this program's own, escaped and not cut.
  init(whole text: String) { source = Self.escaped(text, limit: .max) }

  /// Collects literals as they stand and texts escaped.
  public struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var source = ""
    /// An empty collection.
    public init(literalCapacity: Int, interpolationCount: Int) { source.reserveCapacity(literalCapacity) }
    /// Markup of this program's own.
    public mutating func appendLiteral(_ literal: String) { source += literal }
    /// A text, escaped.
    public mutating func appendInterpolation(_ text: String) { source += HTML.escaped(text) }
    /// A number.
    public mutating func appendInterpolation(_ number: Int) { source += "\(number)" }
    /// Markup as it stands; nothing for nil.
    public mutating func appendInterpolation(_ piece: HTML?) { source += piece?.source ?? "" }
    /// Pieces one after the other.
    public mutating func appendInterpolation(_ pieces: [HTML]) { for piece in pieces { source += piece.source } }
  }

  /// The most characters of one text that are shown.
  public static let longestText = 100_000

  /// A text as the content of an element or of a quoted attribute.
  ///
  /// Control characters, and those that turn the direction of the text around them, become U+FFFD; what is longer than
  /// `longestText` is cut, and says so.
  /// - Parameters:
  ///   - text: anybody's.
  ///   - limit: characters that are kept.
  public static func escaped(_ text: String, limit: Int = longestText) -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    var count = 0
    for scalar in text.unicodeScalars {
      count += 1
      if count > limit { return result + " [cut after \(limit) characters]" }
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}", "\u{200E}", "\u{200F}": result += "\u{FFFD}"
      default:
        result.unicodeScalars.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
      }
    }
    return result
  }

  /// The text that `escaped` was made from, control characters aside.
  public static func unescaped(_ text: String) -> String {
    var result = text
    for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
      result = result.replacing(entity, with: character)
    }
    return result
  }
}
