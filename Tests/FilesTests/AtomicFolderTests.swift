import Diagnostics
import Files
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Folders that appear whole")
struct AtomicFolderTests {
  private let folder: TemporaryFolder
  private var path: String { folder.file("out") }

  init() throws { folder = try TemporaryFolder() }

  private func publish(_ text: String, replacing: Bool = false) throws {
    try AtomicFolder.publish(path, replacing: replacing) { partial in
      for name in ["first", "second"] { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(partial)/\(name)")) }
    }
  }

  private func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }

  private func content(_ name: String) -> String? { try? String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }

  @Test("A folder is published with all that was written, and nothing beside it")
  func publishes() throws {
    try publish("new")
    #expect(content("first") == "new" && content("second") == "new")
    #expect(try names() == ["out"])
  }

  @Test("What fails leaves what was there")
  func keepsOnFailure() throws {
    try publish("old")
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try AtomicFolder.publish(path, replacing: true) { partial in
        try Data().write(to: URL(fileURLWithPath: partial + "/first"))
        throw Stop()
      }
    }
    #expect(content("first") == "old")
    #expect(try names() == ["out"])
    #expect(throws: Failure.self) { try publish("new") }
    #expect(content("first") == "old")
  }

  @Test("Several writers replace it: each succeeds or is told that another one writes, and the folder is whole")
  func writers() throws {
    let failures = Failures()
    let rounds = meanwhile(repeating: { [path] in
      do {
        try AtomicFolder.publish(path, replacing: true) { partial in
          for index in 0..<50 { try Data("x".utf8).write(to: URL(fileURLWithPath: "\(partial)/\(index)")) }
        }
      } catch {
        failures.note(error)
      }
    }) { others in
      var rounds = 0
      while rounds < 100 || others() < 100 {
        do { try publish("mine", replacing: true) } catch { failures.note(error) }
        if let count = try? FileManager.default.contentsOfDirectory(atPath: path).count {
          #expect(count == 2 || count == 50, "\(count) files")
        }
        rounds += 1
        // The next one finds no folder to replace.
        if rounds % 2 == 0 { rename(path, folder.file("aside")) }
        try? FileManager.default.removeItem(atPath: folder.file("aside"))
      }
      return rounds
    }
    #expect(failures.others.isEmpty, "\(failures.others.first ?? "") of \(rounds)")
    try publish("last", replacing: true)
    #expect(content("first") == "last")
    #expect(try names() == ["out"])
  }

  @Test("While it is replaced there is always one folder or the other")
  func replaces() throws {
    try publish("0")
    let gaps = Gaps()
    let looks = try meanwhile(repeating: { [path] in
      if access(path, F_OK) != 0 { gaps.count.wrappingAdd(1, ordering: .relaxed) }
    }) { looks in
      var turn = 0
      while turn < 30 || looks() < 1000 {
        turn += 1
        try publish("\(turn)", replacing: true)
      }
      return (turns: turn, looks: looks())
    }
    #expect(gaps.count.load(ordering: .relaxed) == 0, "of \(looks)")
    #expect(content("first") == "\(looks.turns)")
    #expect(try names() == ["out"])
  }

  @Test("What an earlier writer left under any name, text or not, is in nobody's way")
  func foreignNames() throws {
    let left = AtomicFile.partial(of: path)
    try FileManager.default.createDirectory(atPath: left + "/deep/deeper", withIntermediateDirectories: true)
    symlink("/", left + "/deep/link")
    for bytes in [[0xFF, 0xFE], Array("caf\u{E9}".unicodeScalars.map { UInt8($0.value) })] as [[UInt8]] {
      for place in ["", "/deep", "/deep/deeper"] {
        let made = ByteName(Array("\(left)\(place)/".utf8) + bytes).withCString { open($0, O_CREAT | O_WRONLY, 0o600) }
        try #require(made >= 0)
        close(made)
      }
    }
    try publish("new")
    #expect(content("first") == "new" && content("second") == "new")
    #expect(try names() == ["out"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).count == 2)
  }

  @Test("A tree that cannot be removed is named; one that is not there is removed already")
  func removal() throws {
    try FolderTree.remove(folder.file("none"))
    let file = folder.file("file")
    try Data().write(to: URL(fileURLWithPath: file))
    #expect(throws: Failure.self) { try FolderTree.removeContents(of: file) }
    symlink(folder.path, folder.file("link"))
    #expect(throws: Failure.self) { try FolderTree.removeContents(of: folder.file("link")) }
    #expect(access(file, F_OK) == 0)
  }
}

private final class Gaps: Sendable {
  let count = Atomic(0)
}

/// Errors other than that another writer is at work.
private final class Failures: Sendable {
  private let texts = Mutex<[String]>([])
  var others: [String] { texts.withLock { $0 } }

  func note(_ error: any Error) {
    if let failure = error as? Failure, failure.status == .temporaryFailure { return }
    texts.withLock { $0.append("\(error)") }
  }
}
