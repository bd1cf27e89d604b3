import Report
import Testing

@Suite("Text on the page")
struct EscapingTests {
  @Test("is escaped wherever it is put, and literals are not")
  func interpolation() {
    let text = #"<img src=x onerror="alert(1)">&'"#
    let piece: HTML = "<b title=\"\(text)\">\(text)</b>"
    let escaped = "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;&#39;"
    #expect(piece.source == "<b title=\"\(escaped)\">\(escaped)</b>")
    let nested: HTML = "<p>\(piece)\([piece])\(nil as HTML?)\(7)</p>"
    #expect(nested.source == "<p>\(piece.source)\(piece.source)7</p>")
    #expect(HTML.unescaped(escaped) == text)
  }

  @Test("comes back from escaping as it was", arguments: ["&amp;lt;", "a\"b'c<d>e&f", "", "x\n\ty", "é😀"])
  func roundTrip(_ text: String) { #expect(HTML.unescaped(HTML.escaped(text)) == text) }

  @Test("has no control characters and none that turn the direction of what follows")
  func controls() {
    #expect(
      HTML.escaped("a\u{0}b\u{1B}[31mc\u{202E}d\u{2066}e\u{85}") == "a\u{FFFD}b\u{FFFD}[31mc\u{FFFD}d\u{FFFD}e\u{FFFD}")
  }

  @Test("is cut where it is longer than anybody reads")
  func length() {
    let long = HTML.escaped(String(repeating: "&", count: HTML.longestText + 5))
    #expect(long.hasSuffix("&amp; [cut after 100000 characters]"))
    #expect(long.utf8.count < 5 * HTML.longestText + 100)
  }
}
