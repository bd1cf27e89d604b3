import Diagnostics
import Files
import Foundation
import TestSupport
import Testing

/// What would stop an output at the end is found out at the beginning.
@Suite("Places of outputs")
struct OutputPlaceTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  func status(_ path: String, _ kind: OutputPlace.Kind = .file) -> Diagnostics.ExitStatus? {
    do {
      try OutputPlace(path, kind: kind).require()
      return nil
    } catch { return (error as? Failure)?.status }
  }

  @Test("A name that cannot be one is a wrong command line")
  func names() {
    #expect(status("") == .usage)
    #expect(status(folder.file("x/")) == .usage)
    #expect(status("", .folder) == .usage)
    #expect(status(folder.file("x/"), .folder) == nil)
    #expect(throws: Failure.self) { try OutputPlace("", option: "--state").requireName() }
    #expect(status(folder.file(String(repeating: "x", count: 250))) == .cannotCreate)
  }

  @Test("A new name, a file and a link to one are room for a file; nothing else is")
  func files() throws {
    let path = folder.file("x")
    #expect(status(path) == nil)
    try Data().write(to: URL(fileURLWithPath: path))
    #expect(status(path) == nil)
    symlink(path, folder.file("link"))
    #expect(status(folder.file("link")) == nil)
    symlink(folder.file("nowhere"), folder.file("dangling"))
    #expect(status(folder.file("dangling")) == .cannotCreate)
    symlink(folder.path, folder.file("to-folder"))
    #expect(status(folder.file("to-folder")) == .cannotCreate)
    mkdir(folder.file("f"), 0o755)
    #expect(status(folder.file("f")) == .cannotCreate)
    mkfifo(folder.file("pipe"), 0o600)
    #expect(status(folder.file("pipe")) == .cannotCreate)
    #expect(status(folder.file("none/x")) == .cannotCreate)
    #expect(status(path + "/x") == .cannotCreate)
  }

  @Test("A finished folder replaces what is there; a dangling link is in its way too")
  func folders() throws {
    mkdir(folder.file("f"), 0o755)
    try Data().write(to: URL(fileURLWithPath: folder.file("x")))
    symlink(folder.file("nowhere"), folder.file("dangling"))
    #expect(status(folder.file("f"), .folder) == nil && status(folder.file("x"), .folder) == nil)
    #expect(status(folder.file("dangling"), .folder) == .cannotCreate)
  }

  @Test("So is what stands at the unfinished output's name")
  func partial() throws {
    mkdir(folder.file("a.partial"), 0o755)
    #expect(status(folder.file("a")) == .cannotCreate)
    #expect(status(folder.file("a"), .folder) == nil)
    symlink(folder.file("x"), folder.file("b.partial"))
    #expect(status(folder.file("b")) == .cannotCreate)
    try Data().write(to: URL(fileURLWithPath: folder.file("c.partial")))
    #expect(status(folder.file("c")) == nil)
    #expect(status(folder.file("c"), .folder) == .cannotCreate)
  }

  @Test("A folder that may not be written to is named; root may write to any")
  func unwritable() throws {
    mkdir(folder.file("closed"), 0o555)
    #expect(status(folder.file("closed/x")) == (geteuid() == 0 ? nil : .cannotCreate))
  }
}
