import Diagnostics
import Files
import Foundation
import TestSupport
import Testing

@Suite("Files that stand for a lock")
struct LockFileTests {
  let folder: TemporaryFolder
  let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.file(".work.lock")
  }

  private var isThere: Bool { access(path, F_OK) == 0 }

  @Test("One has it, the file goes with it, and then another one may")
  func one() throws {
    for _ in 0..<2 {
      let lock = try LockFile(path)
      #expect(lock != nil && isThere)
      #expect(try LockFile(path) == nil)
      #expect(isThere, "who was sent away has removed nothing")
      withExtendedLifetime(lock) {}
    }
    #expect(!isThere)
  }

  @Test("What a killed process has left is taken over")
  func abandoned() throws {
    try Data().write(to: URL(fileURLWithPath: path))
    #expect(try LockFile(path) != nil)
    #expect(!isThere)
  }

  @Test("Two that come and go at once never have it together")
  func together() async throws {
    let counter = folder.file("counter")
    try Data("0".utf8).write(to: URL(fileURLWithPath: counter))
    let path = path
    let taken = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<4 {
        group.addTask {
          var taken = 0
          while taken < 200 {
            guard let lock = try LockFile(path) else { continue }
            let count = try String(contentsOfFile: counter, encoding: .utf8)
            try Data("\((Int(count) ?? -1_000_000) + 1)".utf8).write(to: URL(fileURLWithPath: counter))
            taken += 1
            withExtendedLifetime(lock) {}
          }
          return taken
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(try String(contentsOfFile: counter, encoding: .utf8) == "\(taken)" && taken == 800)
    #expect(!isThere)
  }

  @Test("A link is not followed")
  func link() throws {
    symlink(folder.file("elsewhere"), path)
    #expect(throws: Failure.self) { try LockFile(path) }
    #expect(access(folder.file("elsewhere"), F_OK) != 0)
  }
}
