import Diagnostics
import Files
import Foundation
import TestSupport
import Testing

@Suite("Files that are none, and files without names")
struct UnusualFileTests {
  @Test("The digest of a pipe is refused at once, not waited for", .timeLimit(.minutes(1)))
  func pipe() throws {
    let folder = try TemporaryFolder()
    #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
    for path in [folder.file("pipe"), folder.path, "/dev/zero"] {
      let failure = #expect(throws: Failure.self) { try SHA256.hexDigest(ofFile: path) }
      #expect(failure?.status == .dataError, "\(path)")
      #expect(failure?.problem.hasPrefix("not a regular file but a") == true, "\(path)")
    }
  }

  @Test("A temporary file has no name in its folder, and holds what was written")
  func temporary() throws {
    let folder = try TemporaryFolder()
    let file = try OutputFile(folder.file("x.partial.labels"), isTemporary: true)
    try file.write([1, 2, 3])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    var read: [UInt8] = []
    try file.forEachBlock { read += $0 }
    #expect(read == [1, 2, 3])
  }
}
