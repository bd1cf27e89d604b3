import Foundation
import Spool
import TestSupport
import Testing

@Suite("The documents")
struct DocumentTests {
  /// The documents of the repository.
  private static let documents: [URL] = {
    let root = URL(fileURLWithPath: Fixtures.repository)
    let docs = root.appending(path: "docs")
    let pages = (try? FileManager.default.contentsOfDirectory(at: docs, includingPropertiesForKeys: nil)) ?? []
    let others = [
      "README.md", "CONTRIBUTING.md", "spool/README.md", "pipeline/tiles/ORIGIN.md", "Tests/Fixtures/README.md",
    ]
    return others.map { root.appending(path: $0) } + pages.filter { $0.pathExtension == "md" }
  }()

  @Test("show job files that are accepted")
  func jobs() throws {
    var jobs: [String] = []
    for document in Self.documents {
      let parts = try String(contentsOf: document, encoding: .utf8).components(separatedBy: "\n```")
      for part in parts where part.hasPrefix("yaml\njob:") {
        let text = String(part.dropFirst("yaml\n".count))
        jobs.append(try JobFile(Array(text.utf8)).name)
      }
    }
    #expect(jobs.sorted() == ["my-first", "own-time", "photos"])
  }

  @Test("link to files and headings that are there")
  func links() throws {
    var count = 0
    for document in Self.documents {
      let text = try String(contentsOf: document, encoding: .utf8)
      for link in text.matches(of: /\]\(([^)\s]+)\)/).map(\.1) where !link.contains("://") {
        count += 1
        let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let target =
          parts[0].isEmpty
          ? document : document.deletingLastPathComponent().appending(path: String(parts[0])).standardized
        guard FileManager.default.fileExists(atPath: target.path) else {
          Issue.record("\(document.lastPathComponent): \(link) leads nowhere")
          continue
        }
        guard parts.count == 2 else { continue }
        let headings = Self.anchors(try String(contentsOf: target, encoding: .utf8))
        #expect(headings.contains(String(parts[1])), "\(document.lastPathComponent): \(link)")
      }
    }
    #expect(count > 50)
  }

  /// What the headings of a page are called in links to them.
  private static func anchors(_ text: String) -> Set<String> {
    Set(
      text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
        line.drop { $0 == "#" || $0 == " " }.lowercased().filter { $0.isLetter || $0.isNumber || " -_".contains($0) }
          .replacing(" ", with: "-")
      })
  }
}
