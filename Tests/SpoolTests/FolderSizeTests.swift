import Files
import Diagnostics
import Foundation
import Spool
import TestSupport
import Testing

@Suite("What stands in a folder")
struct FolderSizeTests {
  @Test("files count whatever their names are, folders that are gone count nothing")
  func names() throws {
    let folder = try TemporaryFolder()
    for name: [UInt8] in [Array("a".utf8), [0xFF, 0x61], Array("deep".utf8)] {
      let path = Array(folder.path.utf8) + [UInt8(ascii: "/")] + name + [0]
      let text = path.map { CChar(bitPattern: $0) }
      if name == Array("deep".utf8) {
        mkdir(text, 0o755)
        let inner = path.dropLast() + Array("/".utf8) + [0xE4, 0]
        let descriptor = open(inner.map { CChar(bitPattern: $0) }, O_CREAT | O_WRONLY, 0o644)
        #expect(write(descriptor, "1234567", 7) == 7)
        close(descriptor)
      } else {
        let descriptor = open(text, O_CREAT | O_WRONLY, 0o644)
        #expect(write(descriptor, "123", 3) == 3)
        close(descriptor)
      }
    }
    #expect(try FolderSize.bytes(folder.path) == 13)
    #expect(try FolderSize.files(folder.path) == [folder.file("a")])
    #expect(try FolderSize.bytes(folder.file("none")) == 0)
  }

  @Test("a request says what it wants by its name, and is complete when it is empty")
  func requests() throws {
    var incoming = IncomingFiles()
    let id = "20261122T221500Z-one-7f3a"
    let entry = FileEntry(kind: .file, size: 0, modified: 1)
    let entries = ["\(id).hold": entry, "\(id).cancel": entry, "\(id).retry": entry, "x.yaml": entry]
    let reading = incoming.read(entries, listed: 0, nowSeconds: 10) { _, _ in .nobody }
    #expect(Set(reading.ready) == ["\(id).hold", "\(id).cancel"])
  }
}
