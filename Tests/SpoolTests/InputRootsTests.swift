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
    // It stays within, but only the kernel of this mount would know.
    try link("first/absolute", to: folder.file("first/sub/a"))
    for path in ["file", "dir/secret", "sibling", "absolute"] {
      let failure = try #require(throws: Failure.self) { try roots.resolve(path) }
      #expect(failure.problem.contains("symbolic link that is absolute or leaves"), "\(path): \(failure)")
    }
  }

  @Test("Links over several folders, chains and circles of links")
  func chains() throws {
    try FileManager.default.createDirectory(atPath: folder.file("first/sub/deep/er"), withIntermediateDirectories: true)
    try Data().write(to: URL(fileURLWithPath: folder.file("first/sub/deep/x")))
    try link("first/sub/deep/er/up", to: "../.././deep/../deep/x")
    try link("first/one", to: "sub/deep/er/")
    try link("first/two", to: "./one")
    #expect(try roots.resolve("two/up").hasSuffix("/first/sub/deep/x"))
    try link("first/sub/deep/er/out", to: "../../../../outside/secret")
    let failure = try #require(throws: Failure.self) { try roots.resolve("two/out") }
    #expect(failure.problem.contains("leaves the input root"))
    try link("first/circle", to: "circle")
    try link("first/sub/a-link", to: "a/x")
    #expect(throws: Failure.self) { try roots.resolve("circle") }
    for path in ["sub/a/x", "sub/a-link"] {
      #expect(try #require(throws: Failure.self) { try roots.resolve(path) }.status == .noInput, "\(path)")
    }
  }

  @Test("A path of more folders than anybody needs takes no more descriptors than there are")
  func depth() throws {
    let name = "first/" + (0..<300).map { _ in "d" }.joined(separator: "/")
    try FileManager.default.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true)
    try Data().write(to: URL(fileURLWithPath: folder.file(name + "/x")))
    #expect(throws: Failure.self) { try roots.resolve(String(name.dropFirst("first/".count)) + "/x") }
    let before = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    // Other tests open files meanwhile, but not as many as one left open each time would be.
    for _ in 0..<1000 { _ = try? roots.resolve("sub/a") }
    for _ in 0..<1000 { _ = try? roots.resolve("sub/missing") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count < before + 500)
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

  @Test("What is of no use in one root does not hide a good file in the next")
  func goesOn() throws {
    try link("first/outside-link", to: "../outside/secret")
    try link("first/absolute", to: folder.file("outside/secret"))
    try link("first/circle", to: "circle")
    mkfifo(folder.file("first/pipe"), 0o600)
    mkdir(folder.file("first/folder"), 0o755)
    let names = ["outside-link", "absolute", "circle", "pipe", "folder"]
    let reasons = ["leaves the input root", "leaves the input root", "too many", "plain file", "plain file"]
    for (name, reason) in zip(names, reasons) {
      let failure = try #require(throws: Failure.self) { try roots.resolve(name) }
      #expect(failure.status == .dataError && failure.problem.contains(reason), "\(failure)")
      try Data().write(to: URL(fileURLWithPath: folder.file("second/\(name)")))
      #expect(try roots.resolve(name).hasSuffix("/second/\(name)"))
    }
    // Another user's file by a second name, which its submitter may not have.
    try Data().write(to: URL(fileURLWithPath: folder.file("outside/linked")))
    chown(folder.file("outside/linked"), 4001, 4001)
    Glibc.link(folder.file("outside/linked"), folder.file("first/linked"))
    let failure = try #require(throws: Failure.self) { try roots.resolve("linked", submitter: 4002) }
    #expect(failure.problem.contains("hard links"))
    try Data().write(to: URL(fileURLWithPath: folder.file("second/linked")))
    #expect(try roots.resolve("linked", submitter: 4002).hasSuffix("/second/linked"))
  }

  @Test("Of several reasons, one that says what to do is told")
  func usefulReason() throws {
    mkdir(folder.file("first/x"), 0o755)
    try link("second/x", to: folder.file("outside/secret"))
    let failure = try #require(throws: Failure.self) { try roots.resolve("x") }
    #expect(failure.remedy?.contains("copy the file there") == true, "\(failure)")
    try link("first/y", to: folder.file("outside/secret"))
    mkdir(folder.file("second/y"), 0o755)
    #expect(try #require(throws: Failure.self) { try roots.resolve("y") }.remedy == failure.remedy)
  }

  @Test("A folder that is swapped for a link all the time never leads out")
  func race() throws {
    try FileManager.default.createDirectory(atPath: folder.file("first/real"), withIntermediateDirectories: false)
    try Data().write(to: URL(fileURLWithPath: folder.file("first/real/secret")))
    try link("first/link", to: "../outside")
    let swap: @Sendable () -> Void = { [folder] in
      for name in ["real", "link"] {
        rename(folder.file("first/\(name)"), folder.file("first/now"))
        rename(folder.file("first/now"), folder.file("first/\(name)"))
      }
    }
    var outcomes: [String: Int] = [:]
    try meanwhile(repeating: swap) { swaps in
      while outcomes.values.reduce(0, +) < 20_000 || swaps() < 1000 {
        do {
          let found = try roots.resolve("now/secret")
          #expect(found.contains("/first/") && !found.contains("outside"), "\(found)")
          outcomes["found", default: 0] += 1
        } catch let failure as Failure {
          outcomes[failure.status == .noInput ? "missing" : "refused", default: 0] += 1
        }
      }
    }
    #expect(outcomes.keys.sorted() == ["found", "missing", "refused"], "\(outcomes)")
  }
}
