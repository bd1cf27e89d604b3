import Foundation
import TestSupport
import Testing

@Suite("The folders of a module")
struct FolderCircleTests {
  /// Whose folders still know each other in circles.
  private static let crossed: Set<String> = ["Images", "OptionValues", "Report"]

  @Test("know each other in no circle")
  func circles() throws {
    let sources = Fixtures.repository + "/Sources"
    let modules = try FileManager.default.contentsOfDirectory(atPath: sources).sorted()
    #expect(modules.contains("Spool"))
    for module in modules {
      let circle = try Self.circle(in: sources + "/" + module)
      #expect(circle.isEmpty != Self.crossed.contains(module), "\(module): \(circle.joined(separator: ", "))")
    }
  }

  /// The folders of a module that know themselves by way of others: each knows those whose types its files name.
  private static func circle(in module: String) throws -> [String] {
    // What stands in no folder is one of its own.
    var texts: [String: [String]] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: module) where path.hasSuffix(".swift") {
      let parts = path.split(separator: "/")
      let text = try String(contentsOfFile: module + "/" + path, encoding: .utf8)
      texts[parts.count > 1 ? String(parts[0]) : ".", default: []].append(code(text))
    }
    guard texts.count > 1 else { return [] }
    let declaration = /^(?:(?:public|package|final|indirect) +)*(?:struct|class|enum|protocol|actor) +(\w+)/
      .anchorsMatchLineEndings()
    var homes: [Substring: Set<String>] = [:]
    for (folder, files) in texts {
      for match in files.flatMap({ $0.matches(of: declaration) }) { homes[match.output.1, default: []].insert(folder) }
    }
    let known = texts.mapValues { files in
      Set(
        files.flatMap { $0.matches(of: /\b[A-Z]\w+/) }.compactMap { homes[$0.output] }.filter { $0.count == 1 }.joined()
      )
    }
    func reached(from folder: String) -> Set<String> {
      var (seen, open) = (Set<String>(), [folder])
      while let next = open.popLast() {
        for other in known[next] ?? [] where other != next && seen.insert(other).inserted { open.append(other) }
      }
      return seen
    }
    return texts.keys.filter { reached(from: $0).contains($0) }.sorted()
  }

  /// A text without its comments and the words in its quotes.
  private static func code(_ text: String) -> String {
    text.replacing(/\/\/.*/, with: "").replacing(/"(?:\\.|[^"\\\n])*"/, with: "\"\"")
  }
}
