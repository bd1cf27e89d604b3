import Diagnostics
import Foundation
import Spool
import TestSupport
import Testing

@Suite("Input roots")
struct InputRootsTests {
  private let folder: TemporaryFolder
  private let roots: InputRoots

  init() throws {
    folder = try TemporaryFolder()
    for name in ["first/sub", "second", "outside"] {
      try FileManager.default.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true)
    }
    for name in ["first/sub/a", "second/a", "second/b", "outside/secret"] {
      try Data(name.utf8).write(to: URL(fileURLWithPath: folder.file(name)))
    }
    roots = InputRoots([folder.file("first"), folder.file("second")])
  }

  private func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: folder.file(name), withDestinationPath: target)
  }

  @Test("are searched in order")
  func searchesInOrder() throws {
    #expect(try roots.resolve("a").hasSuffix("/second/a"))
    try Data().write(to: URL(fileURLWithPath: folder.file("first/a")))
    #expect(try roots.resolve("a").hasSuffix("/first/a"))
    #expect(try roots.resolve("sub/a").hasSuffix("/first/sub/a"))
    let failure = try #require(throws: Failure.self) { try roots.resolve("c") }
    #expect(failure.status == .noInput)
    #expect(failure.problem.contains(folder.file("first")))
  }

  @Test("A link within a root is followed, one that leaves it is refused")
  func links() throws {
    try link("first/inside", to: "sub/a")
    #expect(try roots.resolve("inside").hasSuffix("/first/sub/a"))
    try link("first/file", to: folder.file("outside/secret"))
    try link("first/dir", to: "../outside")
    try link("first/sibling", to: "../second/b")
    for path in ["file", "dir/secret", "sibling"] {
      let failure = try #require(throws: Failure.self) { try roots.resolve(path) }
      #expect(failure.problem.contains("symbolic link that leaves"), "\(path): \(failure)")
    }
  }

  @Test("A folder whose name begins like a root's is outside")
  func prefixes() throws {
    try FileManager.default.createDirectory(atPath: folder.file("firstly"), withIntermediateDirectories: true)
    try Data().write(to: URL(fileURLWithPath: folder.file("firstly/x")))
    try link("first/x", to: "../firstly/x")
    #expect(throws: Failure.self) { try roots.resolve("x") }
  }

  @Test(
    "Folders, pipes and paths that climb are refused",
    arguments: ["sub", "pipe", "../outside/secret", "/etc/passwd", "sub/../sub/a", ""])
  func refuses(_ path: String) throws {
    mkfifo(folder.file("first/pipe"), 0o600)
    let failure = try #require(throws: Failure.self) { try roots.resolve(path) }
    #expect(failure.status == .dataError, "\(failure)")
  }
}
