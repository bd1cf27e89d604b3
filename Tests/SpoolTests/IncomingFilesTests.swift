import Spool
import Testing

@Suite("Files on their way into the spool")
struct IncomingFilesTests {
  private func file(_ size: Int, _ modified: Int64 = 0) -> FileEntry {
    FileEntry(kind: .file, size: size, modified: modified)
  }

  @Test(
    "Names of files on their way are ignored",
    arguments: [".a.yaml", "a.yaml~", "a.yaml.partial", "a.yaml.tmp", ".hidden"])
  func ignores(_ name: String) {
    var incoming = IncomingFiles()
    #expect(incoming.scan([name: file(1)], completed: [name], nowSeconds: 0).ready.isEmpty)
    #expect(incoming.scan([name: file(1)], completed: [], nowSeconds: 100).ready.isEmpty)
  }

  @Test("A file that was closed is taken at once")
  func takesClosedFiles() {
    var incoming = IncomingFiles()
    let scan = incoming.scan(["b.yaml": file(1), "a.yaml": file(1)], completed: ["a.yaml"], nowSeconds: 0)
    #expect(scan.ready == ["a.yaml"])
    #expect(scan.waitSeconds == 2)
  }

  @Test("A file that a scan finds is taken when it has stood still for two seconds")
  func waitsForFilesToSettle() {
    var incoming = IncomingFiles()
    #expect(incoming.scan(["a.yaml": file(1)], completed: [], nowSeconds: 10).ready.isEmpty)
    #expect(incoming.scan(["a.yaml": file(2)], completed: [], nowSeconds: 11.5).ready.isEmpty, "it has grown")
    #expect(incoming.scan(["a.yaml": file(2, 5)], completed: [], nowSeconds: 13).ready.isEmpty, "it was written again")
    let scan = incoming.scan(["a.yaml": file(2, 5)], completed: [], nowSeconds: 14)
    #expect(scan.ready.isEmpty)
    #expect(scan.waitSeconds == 1)
    #expect(incoming.scan(["a.yaml": file(2, 5)], completed: [], nowSeconds: 15).ready == ["a.yaml"])
  }

  @Test("A name that was taken away and comes back waits anew")
  func forgetsWhatIsGone() {
    var incoming = IncomingFiles()
    _ = incoming.scan(["a.yaml": file(1)], completed: [], nowSeconds: 0)
    _ = incoming.scan([:], completed: [], nowSeconds: 1)
    #expect(incoming.scan(["a.yaml": file(1)], completed: [], nowSeconds: 2).ready.isEmpty)
  }

  @Test("Owners take turns: nobody waits behind another's flood")
  func takesTurns() {
    var incoming = IncomingFiles()
    var entries: [String: FileEntry] = [:]
    for index in 0..<100 { entries["a\(1000 + index).yaml"] = FileEntry(kind: .file, size: 1, modified: 0, owner: 1) }
    entries["y.yaml"] = FileEntry(kind: .file, size: 1, modified: 0, owner: 2)
    entries["z.yaml"] = FileEntry(kind: .file, size: 1, modified: 0, owner: 2)
    let scan = incoming.scan(entries, completed: Set(entries.keys), nowSeconds: 0, most: 5)
    #expect(scan.ready == ["a1000.yaml", "y.yaml", "a1001.yaml", "z.yaml", "a1002.yaml"])
  }
}
