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
    return [root.appending(path: "README.md")] + pages.filter { $0.pathExtension == "md" }
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
}
