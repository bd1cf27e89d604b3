import Foundation
import Records
import Testing

@Suite("JSON")
struct JSONValueTests {
  private func read(_ text: String) -> JSONValue? { JSONValue(json: Array(text.utf8)) }

  @Test("What is written is read back")
  func roundTrip() {
    let value: JSONValue = [
      "a": [1, -2.5, true, false, .null, "x/y"], "b": ["c": [:], "d": []], "text": "quote \" back \\ line \n ü 🙂 \u{1}",
      "large": .int(.max), "small": .double(.leastNonzeroMagnitude),
    ]
    #expect(JSONValue(json: Array(value.text.utf8)) == value)
    #expect(JSONValue(json: Array(value.prettyText.utf8)) == value)
  }

  @Test("Numbers are whole where they are written so and fit")
  func numbers() {
    for (text, value) in [
      ("0", JSONValue.int(0)), ("-0", .int(0)), ("12", .int(12)), ("-9223372036854775808", .int(.min)),
      ("9223372036854775808", .double(9_223_372_036_854_775_808)), ("1.0", .double(1)), ("1e2", .double(100)),
      ("1.5E-2", .double(0.015)),
    ] { #expect(read(text) == value, "\(text)") }
  }

  @Test("Escapes become what they stand for")
  func escapes() {
    #expect(read(#""\u00e4\n\/\\\"\b\f\r\t""#) == .string("ä\n/\\\"\u{8}\u{C}\r\t"))
    #expect(read(#""\ud83d\ude42""#) == .string("🙂"))
  }

  @Test(
    "What is no JSON is none",
    arguments: [
      "", " ", "{", "}", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "01", "1.", ".5", "+1", "-",
      "1e",
      "1e999", "nul", "True", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud83d\"", "\"\\ud83dx\"", "\"\\ude42\"", "\"a\nb\"",
      "1 1",
      "{\"a\":1,\"a\":2}", "\u{FEFF}1", "'a'", "NaN", "\"\\u00e\"",
    ])
  func refused(_ text: String) { #expect(read(text) == nil) }

  @Test("Bytes that are not UTF-8, and nesting without end, are refused")
  func hostile() {
    #expect(JSONValue(json: [UInt8(ascii: "\""), 0xFF, UInt8(ascii: "\"")]) == nil)
    #expect(JSONValue(json: [UInt8(ascii: "\""), 0xC3, UInt8(ascii: "\"")]) == nil)
    for open in ["[", "{\"a\":"] { #expect(read(String(repeating: open, count: 100_000)) == nil) }
    #expect(read(String(repeating: "[", count: 64) + String(repeating: "]", count: 64)) != nil)
    #expect(read(String(repeating: "[", count: 65) + String(repeating: "]", count: 65)) == nil)
  }

  @Test("No beginning of a text is taken for the whole, and no changed byte crashes")
  func cut() {
    let text = Array(#"{"a": [1.5e-3, "x\u00e4\n", {"b": null}], "c": false}"#.utf8)
    for count in text.indices { #expect(JSONValue(json: Array(text.prefix(count))) == nil) }
    for place in text.indices {
      for byte: UInt8 in [0, 0x22, 0x5C, 0x7B, 0x80, 0xFF] {
        var changed = text
        changed[place] = byte
        if let value = JSONValue(json: changed) { #expect(JSONValue(json: Array(value.text.utf8)) == value) }
      }
    }
  }
}
