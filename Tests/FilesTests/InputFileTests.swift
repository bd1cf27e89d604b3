import Diagnostics
import Files
import Foundation
import TestSupport
import Testing

@Suite("Files that are read")
struct InputFileTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func refusal(_ path: String) -> Failure? {
    #expect(throws: Failure.self) { try InputFile(path, expected: "a list") }
  }

  @Test("Ranges are read as they are, and end with the file")
  func ranges() throws {
    let path = folder.file("x")
    try Data([1, 2, 3, 4, 5]).write(to: URL(fileURLWithPath: path))
    try FileManager.default.createSymbolicLink(atPath: folder.file("link"), withDestinationPath: "x")
    for file in [try InputFile(path), try InputFile(folder.file("link"))] {
      #expect(file.size == 5)
      #expect(try file.bytes(from: 1, count: 2) == [2, 3])
      #expect(try file.bytes(from: 3, count: .max) == [4, 5] && file.bytes(from: 9, count: 4) == [])
      #expect(throws: Failure.self) { try file.allBytes(from: 4, count: 2) }
    }
    #expect(try InputFile.content(of: path, limitBytes: 5) == Data([1, 2, 3, 4, 5]))
    #expect { try InputFile.content(of: path, limitBytes: 4) } throws: { ($0 as? Failure)?.status == .dataError }
    try Data().write(to: URL(fileURLWithPath: folder.file("empty")))
    #expect(try InputFile(folder.file("empty")).bytes(from: 0, count: 1) == [])
  }

  @Test("What is no regular file is refused at once, saying what it is")
  func irregular() throws {
    mkfifo(folder.file("pipe"), 0o600)
    try FileManager.default.createSymbolicLink(atPath: folder.file("link"), withDestinationPath: "pipe")
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let name = folder.file("s")
    try #require(name.utf8.count < 100)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name.utf8) }
    let socket = Foundation.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(bound == 0)
    let begin = Date()
    for (path, word) in [
      (folder.file("pipe"), "a pipe"), (folder.file("link"), "a pipe"), (folder.path, "a folder"),
      ("/dev/zero", "a device"), ("/dev/full", "a device"), (name, "a socket"),
    ] {
      let failure = refusal(path)
      #expect(failure?.status == .dataError && failure?.subject == path)
      #expect(failure?.problem.hasPrefix("not a regular file but \(word)") == true, "\(String(describing: failure))")
      #expect(failure?.problem.hasSuffix("a list is expected") == true)
    }
    #expect(throws: Failure.self) { try SHA256.hexDigest(ofFile: folder.file("pipe")) }
    #expect(FileGuess(ofFile: folder.file("pipe")) == nil)
    #expect(Date().timeIntervalSince(begin) < 10)
    #expect(refusal(folder.file("none"))?.status == .noInput)
    #expect(refusal(folder.file("none/none"))?.status == .noInput)
  }

  @Test("Links are not followed where they are not to be")
  func links() throws {
    try Data([1]).write(to: URL(fileURLWithPath: folder.file("x")))
    try FileManager.default.createSymbolicLink(atPath: folder.file("link"), withDestinationPath: "x")
    #expect(throws: Failure.self) { try InputFile(ByteName(folder.file("link")), followsLinks: false) }
    #expect(try InputFile(ByteName(folder.file("x")), followsLinks: false).size == 1)
  }

  @Test("A lease that another holds on a file is waited for")
  func lease() async throws {
    let path = folder.file("x")
    try Data([1, 2]).write(to: URL(fileURLWithPath: path))
    let holder = open(path, O_RDWR | O_CLOEXEC)
    try #require(holder >= 0)
    defer { close(holder) }
    // F_SETSIG: the holder is told by a signal that does nothing. F_SETLEASE: nobody else opens the file meanwhile.
    try #require(fcntl(holder, 10, SIGURG) == 0 && fcntl(holder, 1024, Int32(F_WRLCK)) == 0)
    let begin = Date()
    let release = Task.detached {
      try await Task.sleep(for: .milliseconds(300))
      return fcntl(holder, 1024, Int32(F_UNLCK))
    }
    #expect(try InputFile(path).bytes(from: 0, count: 2) == [1, 2])
    #expect(Date().timeIntervalSince(begin) > 0.2)
    #expect(try await release.value == 0)
  }
}
