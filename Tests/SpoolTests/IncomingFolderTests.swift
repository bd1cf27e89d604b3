import Files
import Foundation
import Spool
import Synchronization
import TestSupport
import Testing

/// Real files, real notices and real leases; the clock is the tests'.
@Suite("The folder incoming/", .serialized)
struct IncomingFolderTests {
  /// Whether the kernel answers who asks about writers: the owner, or a service that others submit to.
  enum Asker: CaseIterable, Sendable {
    case owner, other

    var check: WriterCheck {
      switch self {
      case .owner: WriterCheck(trialFolder: nil)
      case .other:
        WriterCheck(trialFolder: nil, user: geteuid() + 1) { _ in
          errno = EACCES
          return -1
        }
      }
    }
  }

  /// What the reader does while a file is being written.
  enum Reader: CaseIterable, Sendable {
    /// Reads in every pause.
    case idle
    /// Reads when all is over.
    case busy
    /// Is another one after every pause.
    case restarted
  }

  /// A way in which people and programs bring files.
  struct Manner: Sendable, CustomTestStringConvertible {
    let name: String
    /// Writes `x.yaml` into the folder; calls `pause` where it takes its time.
    let write: @Sendable (_ folder: String, _ pause: () throws -> Void) throws -> Void
    var testDescription: String { name }

    init(_ name: String, _ write: @escaping @Sendable (String, () throws -> Void) throws -> Void) {
      (self.name, self.write) = (name, write)
    }
  }

  static let text = "job: x\nsteps:\n  - convert: { source: a.pkl }\n  - sample: { seeds: 0-9 }\n"

  private static func open(_ path: String, _ flags: Int32 = O_WRONLY | O_CREAT | O_TRUNC) throws -> FileHandle {
    let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o644)
    try #require(descriptor >= 0, "\(path)")
    return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  private static func put(_ text: String, _ path: String) throws {
    let handle = try open(path)
    try handle.write(contentsOf: Data(text.utf8))
    try handle.close()
  }

  /// Half of the text and the rest of it, with pauses before, between and behind.
  private static func slowly(_ path: String, _ pause: () throws -> Void) throws {
    let handle = try open(path)
    try pause()
    for part in [text.prefix(30), text.dropFirst(30).prefix(20), text.dropFirst(50)] {
      try handle.write(contentsOf: Data(part.utf8))
      try pause()
    }
    try handle.close()
  }

  static let manners: [Manner] = [
    Manner("slowly, in place") { folder, pause in try slowly(folder + "/x.yaml", pause) },
    Manner("slowly, with a reader who looks at it") { folder, pause in
      try slowly(folder + "/x.yaml") {
        let reader = try open(folder + "/x.yaml", O_RDONLY)
        try pause()
        try reader.close()
        try pause()
      }
    },
    Manner("by a copy") { folder, _ in
      try put(text, folder + "/../x.yaml")
      try run("/bin/cp", folder + "/../x.yaml", folder + "/")
    },
    Manner("by a copy that keeps its times") { folder, _ in
      try put(text, folder + "/../x.yaml")
      try run("/bin/cp", "-p", folder + "/../x.yaml", folder + "/")
    },
    Manner("by a rename") { folder, _ in
      try put(text, folder + "/../x.yaml")
      rename(folder + "/../x.yaml", folder + "/x.yaml")
    },
    Manner("as SFTP clients do") { folder, pause in
      try slowly(folder + "/x.yaml.filepart", pause)
      rename(folder + "/x.yaml.filepart", folder + "/x.yaml")
    },
    Manner("as rsync does") { folder, pause in
      try slowly(folder + "/.x.yaml.Ab3xYz", pause)
      rename(folder + "/.x.yaml.Ab3xYz", folder + "/x.yaml")
    },
    // As strace has shown them.
    Manner("as vim does") { folder, pause in
      let swap = try open(folder + "/.x.yaml.swp", O_RDWR | O_CREAT | O_EXCL)
      try open(folder + "/.x.yaml.swx", O_RDWR | O_CREAT | O_EXCL).close()
      unlink(folder + "/.x.yaml.swx")
      try pause()
      try open(folder + "/4913", O_WRONLY | O_CREAT | O_EXCL).close()
      unlink(folder + "/4913")
      try put(text, folder + "/x.yaml")
      try swap.close()
      unlink(folder + "/.x.yaml.swp")
    },
    Manner("as nano does") { folder, pause in
      try put("b0nano", folder + "/.x.yaml.swp")
      try pause()
      try put(text, folder + "/x.yaml")
      unlink(folder + "/.x.yaml.swp")
    },
    Manner("as emacs does") { folder, pause in
      symlink("me@here.1:2", folder + "/.#x.yaml")
      try put(String(text.prefix(40)), folder + "/#x.yaml#")
      try pause()
      try put(text, folder + "/x.yaml")
      unlink(folder + "/#x.yaml#")
      unlink(folder + "/.#x.yaml")
    },
    Manner("as sed -i does") { folder, pause in
      try slowly(folder + "/sedQw3rTy", pause)
      rename(folder + "/sedQw3rTy", folder + "/x.yaml")
    },
    Manner("as one who maps it does") { folder, pause in
      let handle = try open(folder + "/x.yaml", O_RDWR | O_CREAT | O_TRUNC)
      try handle.truncate(atOffset: UInt64(text.utf8.count))
      let map = mmap(nil, text.utf8.count, PROT_WRITE, MAP_SHARED, handle.fileDescriptor, 0)
      try handle.close()
      try #require(map != MAP_FAILED)
      map?.copyMemory(from: Array(text.utf8), byteCount: text.utf8.count)
      munmap(map, text.utf8.count)
    },
    Manner("over another file of the name, which a writer still has open") { folder, pause in
      let old = try open(folder + "/.old")
      rename(folder + "/.old", folder + "/x.yaml")
      unlink(folder + "/x.yaml")
      try slowly(folder + "/x.yaml") {
        try old.write(contentsOf: Data("old".utf8))
        try pause()
      }
      try old.close()
    },
  ]

  private static func run(_ program: String, _ arguments: String...) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
  }

  private func folder() throws -> (TemporaryFolder, String) {
    let folder = try TemporaryFolder()
    mkdir(folder.file("incoming"), 0o755)
    return (folder, folder.file("incoming"))
  }

  /// Whether it hears that the folder should be read. A process that another test starts has this one's files open until it
  /// is another program: a file is closed only then.
  private func isDue(_ incoming: IncomingFolder) -> Bool {
    let end = Date() + 10
    while !incoming.hear() {
      guard Date() < end else { return false }
      usleep(1000)
    }
    return true
  }

  @Test(
    "A file is taken once and whole, in whichever way it is brought", arguments: manners,
    Asker.allCases.flatMap { asker in Reader.allCases.map { (asker, $0) } })
  func takesWhole(_ manner: Manner, _ how: (asker: Asker, reader: Reader)) throws {
    let (folder, path) = try folder()
    defer { withExtendedLifetime(folder) {} }
    var incoming = IncomingFolder(path, check: how.asker.check)
    try incoming.listen()
    var now = 0.0
    _ = try incoming.read(nowSeconds: now)
    try manner.write(path) {
      switch how.reader {
      case .idle:
        for _ in 0..<3 {
          now += 1000
          _ = incoming.hear()
          #expect(try incoming.read(nowSeconds: now).ready.isEmpty, "in a pause")
        }
      case .busy: break
      case .restarted:
        incoming = IncomingFolder(path, check: how.asker.check)
        try incoming.listen()
        for _ in 0..<3 {
          _ = incoming.hear()
          #expect(try incoming.read(nowSeconds: now).ready.isEmpty, "after a restart")
          now += 19
        }
      }
    }
    #expect(isDue(incoming))
    now += 0.1
    #expect(try incoming.read(nowSeconds: now).ready == ["x.yaml"])
    #expect(try String(contentsOfFile: path + "/x.yaml", encoding: .utf8) == Self.text)
    unlink(path + "/x.yaml")
    _ = incoming.hear()
    #expect(try incoming.read(nowSeconds: now + 1000).ready.isEmpty)
  }

  @Test("One of two writers who opened a file in the same moment closes it: it waits for the other")
  func waitsForEveryWriter() throws {
    let (folder, path) = try folder()
    defer { withExtendedLifetime(folder) {} }
    let incoming = IncomingFolder(path, check: Asker.owner.check)
    try incoming.listen()
    // Equal notices in a row: the kernel keeps one of them.
    let first = try Self.open(path + "/x.yaml")
    let second = try Self.open(path + "/x.yaml", O_WRONLY | O_APPEND)
    try first.write(contentsOf: Data(Self.text.prefix(30).utf8))
    try first.close()
    _ = incoming.hear()
    for now in [0.0, 1000, 2000] { #expect(try incoming.read(nowSeconds: now).ready.isEmpty) }
    try second.write(contentsOf: Data(Self.text.dropFirst(30).utf8))
    try second.close()
    #expect(isDue(incoming))
    #expect(try incoming.read(nowSeconds: 2000.1).ready == ["x.yaml"])
    #expect(try String(contentsOfFile: path + "/x.yaml", encoding: .utf8) == Self.text)
  }

  @Test("What was brought before anybody listened is taken at once by who may ask, else after a minute")
  func takesWhatStoodThere() throws {
    for asker in Asker.allCases {
      let (folder, path) = try folder()
      defer { withExtendedLifetime(folder) {} }
      try Self.put(Self.text, path + "/x.yaml")
      let writer = try Self.open(path + "/y.yaml")
      try writer.write(contentsOf: Data("job: y\n".utf8))
      let incoming = IncomingFolder(path, check: asker.check)
      try incoming.listen()
      let first = try incoming.read(nowSeconds: 0)
      #expect(first.ready == (asker == .owner ? ["x.yaml"] : []))
      #expect(first.waitSeconds == (asker == .owner ? nil : 60))
      #expect(!incoming.hear(), "its own look is no news to it")
      if asker == .other {
        #expect(try incoming.read(nowSeconds: 59.9).ready.isEmpty)
        #expect(try incoming.read(nowSeconds: 60).ready == ["x.yaml", "y.yaml"])
      } else {
        #expect(try incoming.read(nowSeconds: 1000).ready == ["x.yaml"])
      }
      try writer.close()
    }
  }

  @Test("What is being made all the time never looks as if it had stood there")
  func race() throws {
    // A reader may come between the making of a file and its opening: it is empty and has no writer then.
    let (folder, path) = try folder()
    defer { withExtendedLifetime(folder) {} }
    let incoming = IncomingFolder(path)
    try incoming.listen()
    let text = Self.text
    let number = Counter()
    try meanwhile(repeating: {
      let path = folder.file("incoming/\(number.next()).yaml")
      let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      _ = text.withCString { write(descriptor, $0, 20) }
      _ = text.withCString { write(descriptor, $0 + 20, text.utf8.count - 20) }
      close(descriptor)
      usleep(100)
    }) { writes in
      var taken = 0
      var readings = 0.0
      while taken < 1000 || writes() < 1000 {
        readings += 1
        _ = incoming.hear()
        for name in try incoming.read(nowSeconds: readings / 1000).ready {
          taken += 1
          #expect(try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) == text)
          unlink("\(path)/\(name)")
        }
      }
    }
  }

  private final class Counter: Sendable {
    private let value = Atomic(0)
    func next() -> Int { value.wrappingAdd(1, ordering: .relaxed).newValue }
  }

  @Test("A flood of notices that the kernel drops loses no file", arguments: Asker.allCases)
  func overflow(_ asker: Asker) throws {
    let (folder, path) = try folder()
    defer { withExtendedLifetime(folder) {} }
    let incoming = IncomingFolder(path, check: asker.check)
    try incoming.listen()
    try Self.put(Self.text, path + "/first.yaml")
    let most = try #require(
      Int(
        String(contentsOfFile: "/proc/sys/fs/inotify/max_queued_events", encoding: .utf8)
          .trimmingCharacters(in: .whitespacesAndNewlines)))
    for number in 0...most / 2 { try Self.put("", path + "/.\(number % 2)") }
    try Self.put(Self.text, path + "/last.yaml")
    let writer = try Self.open(path + "/open.yaml")
    try writer.write(contentsOf: Data("job: open\n".utf8))
    #expect(isDue(incoming))
    let now = try incoming.read(nowSeconds: 0).ready
    #expect(now == (asker == .owner ? ["first.yaml", "last.yaml"] : []))
    if asker == .other { #expect(try incoming.read(nowSeconds: 59).ready.isEmpty) }
    try writer.close()
    #expect(isDue(incoming))
    #expect(try incoming.read(nowSeconds: 60).ready == ["first.yaml", "last.yaml", "open.yaml"])
  }

  @Test("A folder that is replaced, moved away or covered by a mount is watched anew")
  func replaced() throws {
    let (folder, path) = try folder()
    defer { withExtendedLifetime(folder) {} }
    let incoming = IncomingFolder(path)
    func read() throws -> [String] {
      try incoming.listen()
      return try incoming.read(nowSeconds: 0).ready
    }
    #expect(try read().isEmpty)
    mkdir(folder.file("new"), 0o755)
    try Self.put(Self.text, folder.file("new/x.yaml"))
    rename(path, folder.file("old"))
    #expect(isDue(incoming))
    #expect(incoming.descriptor == nil)
    #expect(throws: (any Error).self) { try incoming.listen() }
    rename(folder.file("new"), path)
    #expect(try read() == ["x.yaml"])
    try Self.put(Self.text, path + "/y.yaml")
    #expect(isDue(incoming))

    #expect(mount("tmpfs", path, "tmpfs", 0, nil) == 0, "these tests run as root")
    defer { umount2(path, Int32(MNT_DETACH)) }
    try Self.put(Self.text, path + "/z.yaml")
    #expect(!incoming.hear(), "the kernel does not tell")
    #expect(try read() == ["z.yaml"])
    try Self.put(Self.text, path + "/w.yaml")
    #expect(isDue(incoming))
  }

  @Test("Other names are told once when they have stood there for a moment, also those that are no text")
  func otherNames() throws {
    let (folder, path) = try folder()
    defer { withExtendedLifetime(folder) {} }
    try Self.put("", path + "/README")
    let incoming = IncomingFolder(path)
    try incoming.listen()
    #expect(try incoming.read(nowSeconds: 0).others.map(\.description) == ["README"], "it stood there before")
    let raw = ByteName(Array((path + "/b").utf8) + [0xFF] + Array(".yaml".utf8))
    let hidden = ByteName(Array((path + "/.b").utf8) + [0xFF])
    for name in [ByteName(path + "/notes.txt"), raw, hidden] {
      let descriptor = name.withCString { Glibc.open($0, O_CREAT | O_WRONLY | O_CLOEXEC, 0o644) }
      try #require(descriptor >= 0)
      close(descriptor)
    }
    mkdir(path + "/folder", 0o755)
    let first = try incoming.read(nowSeconds: 0)
    #expect(first.others.isEmpty && first.waitSeconds == 2 && first.ready.isEmpty)
    #expect(try incoming.read(nowSeconds: 2).others.map(\.description) == ["b\\xff.yaml", "folder", "notes.txt"])
    #expect(try incoming.read(nowSeconds: 4).others.isEmpty)
    unlink(path + "/notes.txt")
    _ = try incoming.read(nowSeconds: 5)
    try Self.put("", path + "/notes.txt")
    _ = try incoming.read(nowSeconds: 6)
    #expect(try incoming.read(nowSeconds: 8).others.map(\.description) == ["notes.txt"], "it is another one")
  }
}

@Suite("Who has a file open for writing")
struct WriterCheckTests {
  @Test("A writer and one who mapped the file are seen, a reader is not")
  func writers() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("a")
    try Data("a".utf8).write(to: URL(fileURLWithPath: path))
    var check = WriterCheck(trialFolder: folder.path)
    #expect(check.writers(of: path, owner: geteuid()) == .nobody)
    let reader = open(path, O_RDONLY)
    #expect(check.writers(of: path, owner: geteuid()) == .nobody)
    close(reader)
    let writer = open(path, O_RDWR | O_APPEND)
    #expect(check.writers(of: path, owner: geteuid()) == .somebody)
    let map = mmap(nil, 1, PROT_WRITE, MAP_SHARED, writer, 0)
    close(writer)
    #expect(check.writers(of: path, owner: geteuid()) == .somebody)
    munmap(map, 1)
    #expect(check.writers(of: path, owner: geteuid()) == .nobody)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a"], "the trial leaves nothing")
    #expect(check.writers(of: folder.file("none"), owner: geteuid()) == .unknown)
    mkfifo(folder.file("pipe"), 0o600)
    #expect(check.writers(of: folder.file("pipe"), owner: geteuid()) == .unknown)
  }

  @Test("Where every lease is refused, as over NFS, a refusal says nothing")
  func refusedAlways() throws {
    let folder = try TemporaryFolder()
    try Data("a".utf8).write(to: URL(fileURLWithPath: folder.file("a")))
    var check = WriterCheck(trialFolder: folder.path) { _ in 1 }
    #expect(check.writers(of: folder.file("a"), owner: geteuid()) == .unknown)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a"])
  }

  @Test("Who may not ask about others' files asks once and opens no more of them")
  func notPermitted() throws {
    let folder = try TemporaryFolder()
    try Data("a".utf8).write(to: URL(fileURLWithPath: folder.file("a")))
    var asked = 0
    var check = WriterCheck(trialFolder: nil) { _ in
      asked += 1
      errno = EACCES
      return -1
    }
    for _ in 0..<3 { #expect(check.writers(of: folder.file("a"), owner: geteuid() + 1) == .unknown) }
    #expect(asked == 1)
    #expect(check.writers(of: folder.file("a"), owner: geteuid()) == .unknown)
    #expect(asked == 2, "its own files are another matter")
  }
}
