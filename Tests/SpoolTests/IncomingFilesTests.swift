import Queue
import Files
import Diagnostics
import Spool
import Testing

@Suite("Files on their way into the spool")
struct IncomingFilesTests {
  /// A folder with a clock, and a kernel that answers as one likes.
  private final class Folder {
    var incoming = IncomingFiles()
    var entries: [String: FileEntry] = [:]
    var writers: [String: WriterCheck.Answer] = [:]
    var now = 0.0

    func hear(_ kinds: FolderEvent.Kind..., name: String = "a.yaml") -> Bool {
      kinds.map { incoming.hear(FolderEvent($0, name)) }.last ?? false
    }

    func place(_ size: Int, _ modified: Int64 = 0, inode: UInt64 = 1, name: String = "a.yaml") {
      entries[name] = FileEntry(kind: .file, size: size, modified: modified, inode: inode)
    }

    func read(at seconds: Double? = nil) -> IncomingFiles.Reading {
      now = seconds ?? now
      return incoming.read(entries, listed: incoming.time, nowSeconds: now) { name, _ in writers[name] ?? .unknown }
    }
  }

  private static let all: [WriterCheck.Answer] = [.nobody, .somebody, .unknown]

  private static let closed: [FolderEvent.Kind] = [.created, .opened, .modified, .closedAfterWriting]

  @Test("What was moved in is taken at once, whatever the kernel would say", arguments: all)
  func takesWhatIsMovedIn(_ answer: WriterCheck.Answer) {
    let folder = Folder()
    folder.place(1)
    folder.writers["a.yaml"] = answer
    #expect(folder.hear(.movedIn))
    #expect(folder.read() == IncomingFiles.Reading(ready: ["a.yaml"]))
  }

  @Test("What was closed after writing is taken at once, unless the kernel knows another writer", arguments: all)
  func takesWhatIsClosed(_ answer: WriterCheck.Answer) {
    let folder = Folder()
    folder.place(1)
    folder.writers["a.yaml"] = answer
    // Of two openings in a row the kernel has kept one notice: after the first closing nobody seems to have it open.
    #expect(Self.closed.map { folder.hear($0) }.last == true)
    guard answer == .somebody else { return #expect(folder.read() == IncomingFiles.Reading(ready: ["a.yaml"])) }
    #expect(folder.read() == IncomingFiles.Reading(), "only a notice will tell")
    #expect(folder.read(at: 1000) == IncomingFiles.Reading())
    #expect(!folder.hear(.modified))
    folder.writers["a.yaml"] = .nobody
    #expect(folder.hear(.closedAfterWriting))
    #expect(folder.read() == IncomingFiles.Reading(ready: ["a.yaml"]))
  }

  @Test(
    "What was closed empty has a moment to be opened again by who made it",
    arguments: [WriterCheck.Answer.nobody, .unknown])
  func closedEmpty(_ answer: WriterCheck.Answer) {
    let folder = Folder()
    folder.place(0)
    folder.writers["a.yaml"] = answer
    #expect(folder.hear(.created, .opened, .closedAfterWriting))
    #expect(folder.read() == IncomingFiles.Reading(waitSeconds: 2))
    #expect(folder.read(at: 2).ready == ["a.yaml"])

    let again = Folder()
    again.place(0)
    again.writers["a.yaml"] = answer
    #expect(again.hear(.created, .opened, .closedAfterWriting))
    #expect(again.read().ready.isEmpty)
    #expect(!again.hear(.opened, .modified))
    again.place(5, 1)
    if answer == .nobody { again.writers["a.yaml"] = .somebody }
    #expect(again.read(at: 1000).ready.isEmpty)
    again.writers["a.yaml"] = answer
    #expect(again.hear(.closedAfterWriting))
    #expect(again.read().ready == ["a.yaml"])
  }

  @Test("What is being written while somebody listens is never taken by a reading")
  func waitsForTheEnd() {
    let folder = Folder()
    #expect(!folder.hear(.created, .opened))
    folder.place(0)
    #expect(folder.read() == IncomingFiles.Reading(), "only a notice will tell")
    for second in 1...50 {
      folder.place(second, Int64(second))
      if second % 10 == 0 { #expect(!folder.hear(.modified)) }
      #expect(folder.read(at: Double(second) * 1000).ready.isEmpty)
    }
    #expect(folder.hear(.closedAfterWriting))
    #expect(folder.read().ready == ["a.yaml"])
  }

  @Test("What cannot be looked at now is neither taken nor given up, whatever was heard of it")
  func refusedLook() {
    let failure = Failure(.ioError, "a.yaml", "cannot open: Too many open files")
    for kinds in [[], Self.closed] {
      let folder = Folder()
      folder.place(1)
      folder.writers["a.yaml"] = .refused(failure)
      for kind in kinds { _ = folder.hear(kind) }
      for second in [0.0, 100, 200] { #expect(folder.read(at: second) == IncomingFiles.Reading()) }
      folder.writers["a.yaml"] = .nobody
      #expect(folder.read(at: 300).ready == ["a.yaml"])
    }
  }

  @Test("A reader who looks at it meanwhile changes nothing")
  func readers() {
    let folder = Folder()
    folder.place(5)
    #expect(!folder.hear(.created, .opened, .modified, .opened, .closedAfterReading))
    #expect(folder.read(at: 1000).ready.isEmpty)
    // The kernel has kept one notice of the two openings.
    #expect(!folder.hear(.closedAfterReading))
    #expect(folder.read(at: 2000).ready.isEmpty)
    #expect(folder.hear(.closedAfterWriting))
    #expect(folder.read(at: 2001).ready == ["a.yaml"])
  }

  @Test(
    "What was opened again before it was taken waits: for its closing, the kernel's word or a minute without a change")
  func reopened() {
    func closedAndOpened() -> Folder {
      let folder = Folder()
      folder.place(5)
      _ = folder.hear(.created, .opened, .modified, .closedAfterWriting, .opened)
      return folder
    }
    var folder = closedAndOpened()
    #expect(folder.read() == IncomingFiles.Reading(waitSeconds: 60))
    #expect(folder.hear(.closedAfterReading), "it was a reader")
    #expect(folder.read().ready == ["a.yaml"])

    folder = closedAndOpened()
    _ = folder.read()
    #expect(folder.read(at: 60).ready == ["a.yaml"], "it may be a reader who stays")

    folder = closedAndOpened()
    folder.writers["a.yaml"] = .somebody
    // A writer and a reader: the kernel has kept one notice of the two openings.
    #expect(!folder.hear(.closedAfterReading))
    #expect(folder.read(at: 1000) == IncomingFiles.Reading(), "the kernel is asked all the same")
    #expect(!folder.hear(.opened, .closedAfterReading), "the daemon's own look")
    #expect(folder.hear(.closedAfterWriting))
    folder.writers["a.yaml"] = .nobody
    #expect(folder.read().ready == ["a.yaml"])

    folder = closedAndOpened()
    folder.writers["a.yaml"] = .nobody
    for _ in 0..<3 {
      #expect(folder.read().ready == ["a.yaml"], "it could not be taken")
      #expect(!folder.hear(.opened, .closedAfterReading), "the daemon's own look")
    }

    folder = closedAndOpened()
    #expect(!folder.hear(.modified))
    #expect(folder.read(at: 1000).ready.isEmpty && folder.read(at: 2000).ready.isEmpty, "it is a writer")
    #expect(folder.hear(.closedAfterWriting))
    #expect(folder.read().ready == ["a.yaml"])

    folder = closedAndOpened()
    folder.writers["a.yaml"] = .somebody
    #expect(folder.read() == IncomingFiles.Reading())
    // The daemon's own look merged with the writer's opening.
    #expect(!folder.hear(.closedAfterReading))
    #expect(folder.read(at: 1000) == IncomingFiles.Reading())
    folder.writers["a.yaml"] = .nobody
    #expect(folder.read(at: 1001).ready == ["a.yaml"])
  }

  @Test("What stood there before is taken when the kernel says that nobody writes, not while somebody does")
  func stoodBefore() {
    let folder = Folder()
    folder.place(5)
    folder.writers["a.yaml"] = .somebody
    #expect(folder.read() == IncomingFiles.Reading())
    #expect(folder.read(at: 1000).ready.isEmpty)
    folder.writers["a.yaml"] = .nobody
    #expect(folder.read(at: 1001).ready == ["a.yaml"])
  }

  @Test("An empty file that nobody has open may be about to be opened by who made it")
  func empty() {
    let folder = Folder()
    folder.place(0)
    folder.writers["a.yaml"] = .nobody
    #expect(folder.read() == IncomingFiles.Reading(waitSeconds: 2))
    #expect(folder.read(at: 1.5) == IncomingFiles.Reading(waitSeconds: 0.5))
    #expect(folder.read(at: 2).ready == ["a.yaml"])
  }

  @Test("What stood there before, where the kernel does not say, is taken when it has stood still for a minute")
  func waitsForStillness() {
    let folder = Folder()
    folder.place(1)
    #expect(folder.read(at: 10) == IncomingFiles.Reading(waitSeconds: 60))
    folder.place(2)
    #expect(folder.read(at: 69) == IncomingFiles.Reading(waitSeconds: 60), "it has grown")
    folder.place(2, 5)
    #expect(folder.read(at: 128).ready.isEmpty, "it was written again")
    folder.place(2, 5, inode: 7)
    #expect(folder.read(at: 187).ready.isEmpty, "it is another file")
    #expect(folder.read(at: 246) == IncomingFiles.Reading(waitSeconds: 1))
    #expect(folder.read(at: 247).ready == ["a.yaml"])
  }

  @Test("Who is heard to write what stood there before is waited for, however long he pauses")
  func heardAfterTheStart() {
    let folder = Folder()
    folder.place(1)
    _ = folder.read()
    folder.place(2)
    #expect(!folder.hear(.modified))
    #expect(folder.read(at: 1000) == IncomingFiles.Reading())
    #expect(folder.hear(.closedAfterWriting))
    #expect(folder.read(at: 1001).ready == ["a.yaml"])
  }

  @Test("After notices were lost, all that stands there stood there before")
  func lostNotices() {
    let folder = Folder()
    folder.place(1)
    folder.place(1, name: "b.yaml")
    _ = folder.hear(.movedIn)
    _ = folder.hear(.created, .opened, name: "b.yaml")
    folder.incoming.forget()
    #expect(folder.read() == IncomingFiles.Reading(waitSeconds: 60))
    #expect(folder.read(at: 60).ready == ["a.yaml", "b.yaml"])
  }

  @Test("Another name of a file is made without opening it: it waits as what stood there before does")
  func hardLink() {
    let folder = Folder()
    folder.place(5)
    #expect(!folder.hear(.created))
    #expect(folder.read() == IncomingFiles.Reading(waitSeconds: 60))
    folder.writers["a.yaml"] = .nobody
    #expect(folder.read().ready == ["a.yaml"])
  }

  @Test("A name that was taken away and comes back begins anew")
  func forgetsWhatIsGone() {
    let folder = Folder()
    folder.place(1)
    _ = folder.hear(.movedIn)
    folder.entries = [:]
    #expect(folder.read(at: 1).ready.isEmpty)
    folder.place(1)
    #expect(folder.read(at: 2) == IncomingFiles.Reading(waitSeconds: 60))
    _ = folder.hear(.movedIn)
    #expect(folder.read(at: 3).ready == ["a.yaml"])
    _ = folder.hear(.created, .opened)
    #expect(folder.read(at: 4).ready.isEmpty, "it was made anew and is being written")
  }

  @Test("What happens after the folder was listed is not forgotten because it is not in the list")
  func noticesBeyondTheList() {
    var incoming = IncomingFiles()
    let listed = incoming.time
    _ = incoming.hear(FolderEvent(.movedIn, "a.yaml"))
    _ = incoming.read([:], listed: listed, nowSeconds: 0) { _, _ in .unknown }
    let entry = FileEntry(kind: .file, size: 1, modified: 0)
    let reading = incoming.read(["a.yaml": entry], listed: incoming.time, nowSeconds: 1) { _, _ in .unknown }
    #expect(reading.ready == ["a.yaml"])
  }

  @Test("Folders, links and pipes are handed out at once, to be refused")
  func otherKinds() {
    let folder = Folder()
    folder.entries = [
      "a.yaml": FileEntry(kind: .folder, size: 0, modified: 0), "b.yaml": FileEntry(kind: .other, size: 0, modified: 0),
    ]
    #expect(folder.read().ready == ["a.yaml", "b.yaml"])
  }

  @Test("What could not be taken stays ready")
  func staysReady() {
    let folder = Folder()
    folder.place(1)
    _ = folder.hear(.created, .opened, .closedAfterWriting)
    #expect(folder.read().ready == ["a.yaml"])
    #expect(folder.read(at: 10).ready == ["a.yaml"])
  }

  @Test("Owners take turns: nobody waits behind another's flood")
  func takesTurns() {
    var incoming = IncomingFiles()
    var entries: [String: FileEntry] = [:]
    for index in 0..<100 { entries["a\(1000 + index).yaml"] = FileEntry(kind: .file, size: 1, modified: 0, owner: 1) }
    entries["y.yaml"] = FileEntry(kind: .file, size: 1, modified: 0, owner: 2)
    entries["z.yaml"] = FileEntry(kind: .file, size: 1, modified: 0, owner: 2)
    for name in entries.keys { _ = incoming.hear(FolderEvent(.movedIn, name)) }
    let reading = incoming.read(entries, listed: incoming.time, nowSeconds: 0, most: 5) { _, _ in .unknown }
    #expect(reading.ready == ["a1000.yaml", "y.yaml", "a1001.yaml", "z.yaml", "a1002.yaml"])
  }
}

@Suite("Names in incoming/")
struct IncomingNameTests {
  @Test(
    "Files on their way, backups and locks of editors are ignored",
    arguments: [
      ".a.yaml", "a.yaml~", "a.yaml.partial", "a.yaml.tmp", ".hidden", "a.yaml.filepart", "a.yaml.part",
      "a.yaml.crdownload", ".a.yaml.swp", "a.yaml.swp", "#a.yaml#", ".#a.yaml", ".a.yaml.1kF0zq", ".yaml",
    ])
  func ignores(_ name: String) {
    #expect(IncomingName(name) == .ignored)
    var incoming = IncomingFiles()
    #expect(!incoming.hear(FolderEvent(.movedIn, name)) && !incoming.hear(FolderEvent(.closedAfterWriting, name)))
  }

  @Test(
    "Job files and requests are taken",
    arguments: [
      "a.yaml", "a.yml", "My Job!.yaml", "4913.yaml", "a.tmp.yaml", "ä.yml", "20261122T221500Z-x-7f3a.cancel",
      "20261122T221500Z-x-7f3a.retry",
    ])
  func takes(_ name: String) { #expect(IncomingName(name) == .taken) }

  @Test(
    "Anything else is left alone and reported",
    arguments: [
      "4913", "sedAb3dEf", "notes.txt", "a.YAML", "a.yaml.bak", "a.json", "yaml", "a.yaml (1)", "Thumbs.db",
      "20261122T221500Z-x-7f3a.frob", "x.cancel", "a.yaml.gz",
    ])
  func reports(_ name: String) { #expect(IncomingName(name) == .other) }

  @Test("A job that says no name of its own is called as its file")
  func base() {
    #expect(["a.yaml", "b.yml", "c"].map(IncomingName.base) == ["a", "b", "c"])
  }
}
