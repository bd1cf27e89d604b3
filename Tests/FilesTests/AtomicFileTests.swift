import Diagnostics
import Files
import Foundation
import TestSupport
import Testing

@Suite("Files appear complete or not at all")
struct AtomicFileTests {
  let folder: TemporaryFolder
  var path: String { folder.file("result.bin") }

  init() throws { folder = try TemporaryFolder() }

  private func content(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }

  @Test("What was written has the final name, and nothing else is left")
  func publishes() throws {
    try AtomicFile.publish(path, data: Data("first".utf8))
    try AtomicFile.publish(path, data: Data("second".utf8))
    #expect(content(path) == Data("second".utf8))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["result.bin"])
  }

  @Test("A writer that fails leaves the old file and no debris")
  func failure() throws {
    try AtomicFile.publish(path, data: Data("old".utf8))
    #expect(throws: CancellationError.self) {
      try AtomicFile.publish(path) { partial in
        try Data("half".utf8).write(to: URL(fileURLWithPath: partial))
        throw CancellationError()
      }
    }
    #expect(content(path) == Data("old".utf8))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["result.bin"])
  }

  @Test("The debris of a killed writer is written anew")
  func debris() throws {
    try Data("longer than what comes now".utf8).write(to: URL(fileURLWithPath: path + ".partial"))
    try AtomicFile.publish(path, data: Data("new".utf8))
    #expect(content(path) == Data("new".utf8))
  }

  @Test("A second writer of the same file is told to come back later")
  func concurrentWriters() throws {
    try AtomicFile.publish(path) { (_: String) -> Void in
      #expect {
        try AtomicFile.publish(path, data: Data("other".utf8))
      } throws: { ($0 as? Failure)?.status == .temporaryFailure }
    }
  }

  @Test("A folder that is missing and one that is read-only are named")
  func unwritable() throws {
    #expect {
      try AtomicFile.publish(folder.file("none/result.bin"), data: Data())
    } throws: { ($0 as? Failure)?.status == .cannotCreate && "\($0)".contains("folder") }
    #expect {
      try AtomicFile.publish("/proc/result.bin", data: Data())
    } throws: { ($0 as? Failure)?.subject.hasPrefix("/proc/") == true }
  }
}

@Suite("SHA-256")
struct SHA256Tests {
  @Test("The published test vectors")
  func vectors() throws {
    #expect(
      try SHA256.hexDigest(of: Data()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      try SHA256.hexDigest(of: Data("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test("A file longer than a block has the digest of its bytes; a missing one is named")
  func files() throws {
    let folder = try TemporaryFolder()
    let data = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    try data.write(to: URL(fileURLWithPath: folder.file("long")))
    #expect(try SHA256.hexDigest(ofFile: folder.file("long")) == SHA256.hexDigest(of: data))
    #expect { try SHA256.hexDigest(ofFile: folder.file("none")) } throws: { ($0 as? Failure)?.status == .noInput }
  }
}

@Suite("Failures")
struct FailureTests {
  @Test("Print as one line whatever a file says")
  func oneLine() {
    let failure = Failure(.dataError, "a\nb.pkl", "bad \u{1B}[31mkey\r\n", remedy: "look")
    #expect(failure.description.split(whereSeparator: \.isNewline).count == 1)
    #expect(!failure.description.unicodeScalars.contains { $0.properties.generalCategory == .control })
    #expect(failure.description.hasSuffix("; look"))
  }

  @Test("A full disk is temporary, a missing file is missing input, a forbidden one cannot be created")
  func errorNumbers() {
    #expect(Failure.system("x", "write", code: ENOSPC).status == .temporaryFailure)
    #expect(Failure.system("x", "open", code: ENOENT).status == .noInput)
    #expect(Failure.system("x", "create", code: EACCES).status == .cannotCreate)
    #expect(Failure.system("x", "read", code: EIO).status == .ioError)
  }
}
