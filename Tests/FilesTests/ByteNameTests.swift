import Diagnostics
import Files
import Foundation
import TestSupport
import Testing

@Suite("Names as bytes")
struct ByteNameTests {
  @Test("A name is shown as text where it is text, and escaped where it is none")
  func shown() {
    #expect(ByteName("läs-mig.png").description == "läs-mig.png")
    #expect(ByteName([0x62, 0xFF, 0x2E]).description == "b\\xff.")
    #expect(ByteName([0xC3]).description == "\\xc3")
    #expect(ByteName([0xC3, 0x28]).description == "\\xc3(")
    #expect(ByteName([0x61, 0x0A, 0x1B]).description == "a\\x0a\\x1b")
    // Characters that turn or hide what stands around them, and separators of lines.
    #expect(ByteName("a\u{202E}gnp").description == "a\\xe2\\x80\\xaegnp")
    #expect(ByteName("\u{AD}\u{200B}\u{FEFF}").description == "\\xc2\\xad\\xe2\\x80\\x8b\\xef\\xbb\\xbf")
    #expect(ByteName("\u{2028}\u{2029}").description == "\\xe2\\x80\\xa8\\xe2\\x80\\xa9")
    #expect("a\u{202E}b\u{2028}\n\u{E0041}c".oneLine == "a\u{FFFD}b\u{FFFD}\u{FFFD}\u{FFFD}c")
    #expect(ByteName("日本語 e\u{301}").description == "日本語 e\u{301}" && "日本語 e\u{301}".oneLine == "日本語 e\u{301}")
    #expect(ByteName([0x62, 0xFF]).text == nil && ByteName("ö").text == "ö")
  }

  @Test("Names are ordered by their bytes and have extensions whatever their encoding")
  func order() {
    #expect([ByteName([0xFF]), ByteName("b"), ByteName("B")].sorted().map(\.bytes) == [[0x42], [0x62], [0xFF]])
    #expect(ByteName([0xFF] + Array(".PNG".utf8)).pathExtension == "png")
    // Letters beyond ASCII stay: the Kelvin sign is no "k".
    #expect(ByteName("a.\u{212A}\u{C4}Z").pathExtension == "\u{212A}\u{C4}z")
    #expect(ByteName("a.b/c").pathExtension == "" && ByteName("a.b/c").lastComponent == ByteName("c"))
  }

  @Test("A folder's names are listed as they are, and what cannot be listed is named")
  func listing() throws {
    let folder = try TemporaryFolder()
    let name = ByteName([0x62, 0xFF] + Array(".png".utf8))
    let created = ByteName(Array((folder.path + "/").utf8) + name.bytes).withCString {
      open($0, O_CREAT | O_WRONLY, 0o600)
    }
    try #require(created >= 0)
    close(created)
    #expect(try ByteName.names(inFolder: folder.path) == [name])
    #expect(throws: (any Error).self) { try ByteName.names(inFolder: folder.path + "/none") }
  }
}

@Suite("What a file is that was taken for something else")
struct FileGuessTests {
  @Test("Its first bytes say what it is")
  func kinds() {
    let cases: [([UInt8], String)] = [
      ([0x1F, 0x8B, 8], "a gzip-compressed file"),
      (
        Array("version https://git-lfs.github.com/spec/v1\n".utf8),
        "a Git LFS pointer, which stands for a file that was not fetched"
      ),
      (Array("\n  <!DOCTYPE html><html>".utf8), "a web page"),
      ([0xEF, 0xBB, 0xBF] + Array("<html>".utf8), "a web page"),
      ([UInt8](repeating: 0, count: 257) + Array("ustar".utf8), "a tar archive"),
      (Array("hello\n".utf8), "text"), ([], "empty"),
    ]
    for (bytes, kind) in cases { #expect(FileGuess(bytes)?.kind == kind) }
    for level in UInt8(ascii: "1")...UInt8(ascii: "9") {
      let file = Array("BZh".utf8) + [level]
      #expect(FileGuess(file + [0x31, 0x41, 0x59, 0x26, 0x53, 0x59])?.kind == "a bzip2-compressed file")
      #expect(FileSignature(file + [0x17, 0x72, 0x45, 0x38, 0x50, 0x90])?.category == .archive)
    }
    #expect(FileGuess(Array("BZhang's notes\n".utf8))?.kind == "text")
    #expect(FileSignature([0x49, 0x49, 0x2A, 0])?.category == .picture)
    #expect(FileGuess([1, 2, 3]) == nil)
  }

  @Test("A zip archive behind other bytes is told from what it begins with")
  func unpacking() throws {
    let folder = try TemporaryFolder()
    let zip = MadeArchive.zip([MadeArchive.Entry("a", [1, 2, 3])])
    for (start, word) in [
      (Array("#!/bin/sh\n".utf8), "zip -J"), ([0x7F, 0x45, 0x4C, 0x46], "zip -J"), (Array("MZ".utf8), "zip -J"),
      ([], "a zip archive"),
    ] {
      try folder.write(start + zip, to: "x")
      #expect("\(FileGuess.refuse(folder.file("x"), expected: "a list"))".contains(word))
    }
    try folder.write(Array("text PK, and \(String(repeating: "more ", count: 10))".utf8), to: "x")
    #expect(FileGuess(ofFile: folder.file("x"))?.kind == "text")
  }

  @Test("The refusal says what was expected, what is there, and what to do")
  func refusal() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/a.tar"
    try Data([0x1F, 0x8B, 8, 0]).write(to: URL(fileURLWithPath: path))
    let failure = FileGuess.refuse(path, expected: "a tar archive")
    #expect(failure.problem == "a tar archive is expected, this is a gzip-compressed file")
    #expect(failure.remedy?.contains("gunzip") == true)
  }
}
