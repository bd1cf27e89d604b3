import ConfigurationFiles
import Diagnostics
import Files
import Foundation
import Testing

@Suite("The YAML file of --config")
struct ConfigurationFileTests {
  private func read(_ text: String) throws -> [String: PlainValue] {
    let path = NSTemporaryDirectory() + "/config-\(UUID().uuidString).yaml"
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    defer { unlink(path) }
    return try ConfigurationFile.read(path)
  }

  @Test("Plain text is the value that it looks like, quoted text is text")
  func values() throws {
    let values: [(String, PlainValue)] = [
      ("", .none), ("~", .none), ("null", .none), ("'null'", .text("null")),
      ("12", .integer(12)), ("-3", .integer(-3)), ("+3", .integer(3)), ("0x1F", .integer(31)), ("0o17", .integer(15)),
      ("'12'", .text("12")), ("0x-1", .text("0x-1")), ("0x", .text("0x")), ("1_000", .text("1_000")),
      ("99999999999999999999", .real(1e20)), ("0.5", .real(0.5)), ("-.5", .real(-0.5)), ("1e-3", .real(0.001)),
      ("2.E2", .real(200)), (".inf", .real(.infinity)), ("-.Inf", .real(-.infinity)), ("inf", .text("inf")),
      ("nan", .text("nan")), ("0x1p3", .text("0x1p3")), ("e", .text("e")), ("1.2.3", .text("1.2.3")),
      ("true", .flag(true)), ("False", .flag(false)), ("yes", .flag(true)), ("off", .flag(false)),
      ("\"true\"", .text("true")), ("EDMPrecond", .text("EDMPrecond")),
      ("[1, 0.5, a]", .list([.integer(1), .real(0.5), .text("a")])),
      ("{ a: { b: 1 } }", .dictionary(["a": .dictionary(["b": .integer(1)])])),
    ]
    for (text, value) in values {
      #expect(try read("key: \(text)\n") == ["key": value], "\(text)")
    }
    guard case .real(let number)? = try read("key: .nan\n")["key"] else { throw Failure(.software, "", "no number") }
    #expect(number.isNaN)
  }

  @Test("What it may not hold is refused at its line")
  func refused() throws {
    let texts: [(String, String)] = [
      ("a: 1\nb: &x 2\n", ":2: key \"b\": anchors"), ("a: *x\n", ":1: key \"a\": aliases"),
      ("a: 1\nb: 2\na: 3\n", ":3: key \"a\": given twice, first on line 1"), ("a: !!int 1\n", ":1: key \"a\": tags"),
      ("a: 1\n---\nb: 2\n", ":2: a second document"), ("[", ":2: not YAML"), ("- 1\n- 2\n", ":1: the file is a list"),
      ("12\n", ":1: the file is a single value"), ("", "empty"), ("a: |\n  two\n  lines\n", ":1: key \"a\": control"),
      (String(repeating: "a: {", count: 12) + String(repeating: "}", count: 12), "levels deep"),
    ]
    for (text, says) in texts {
      let failure = #expect(throws: Failure.self, "\(text)") { try read(text) }
      #expect(failure?.status == .configuration, "\(text)")
      #expect(failure?.description.contains(says) == true, "\(failure?.description ?? "") for \(text)")
    }
  }
}
