import Diagnostics
import Foundation
import HDF5
import Synchronization
import Testing
import TestSupport

@Suite(.serialized) struct UntrustedFileTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func expectDataError(_ body: () throws -> Void) {
    let failure = #expect(throws: Failure.self, performing: body)
    #expect(failure?.status == .dataError)
    #expect(failure?.description.contains("\n") == false)
  }

  /// A file with a checksummed data set, as the stages write them.
  private func sample() throws -> Data {
    let path = folder.file("sample.h5")
    try HDF5File.publish(path) { file in
      try file.root.setAttribute("format", "sid-test")
      try file.root.write(
        (0..<40_000).map { UInt8(truncatingIfNeeded: $0) }, shape: [40, 1000], to: "images",
        storage: .chunked(rows: 4, checksum: true, deflate: nil))
    }
    return try Data(contentsOf: URL(fileURLWithPath: path))
  }

  private func readAll(_ data: Data) throws -> [UInt8] {
    let path = folder.file("damaged.h5")
    try data.write(to: URL(fileURLWithPath: path))
    return try HDF5File.open(path).root.dataset("images").read(UInt8.self)
  }

  @Test("A file cut anywhere is refused")
  func truncated() throws {
    let whole = try sample()
    #expect(try readAll(whole).count == 40_000)
    for length in [1, 8, 47, 100, 1000, whole.count / 2, whole.count - 1] {
      expectDataError { _ = try readAll(whole.prefix(length)) }
    }
  }

  @Test("A flipped bit in the content does not pass the checksum")
  func corrupted() throws {
    var data = try sample()
    let position = try #require(data.range(of: Data((0..<100).map { UInt8($0) }))).lowerBound + 50
    data[position] ^= 4
    expectDataError { _ = try readAll(data) }
  }

  @Test("Metadata overwritten at any place is refused or read, but never crashes")
  func scrambledMetadata() throws {
    let whole = try sample()
    for start in stride(from: 0, to: min(whole.count, 6000), by: 37) {
      var data = whole
      for offset in start..<min(start + 8, data.count) { data[offset] ^= 0xFF }
      _ = try? readAll(data)
    }
  }

  @Test(
    "Blocks beyond the end that a file declares are refused before libhdf5 stumbles over them",
    arguments: ["hdf5-signal-6-902783e10331dd3", "hdf5-signal-6-d2938cd039c3e3a2"])
  func declaredEnd(name: String) throws {
    let failure = #expect(throws: Failure.self) { try HDF5File.open(Fixtures.path("fuzz/hdf5/\(name)")) }
    #expect(failure?.status == .dataError)
    #expect(failure?.description.contains("outside the file") == true)
  }

  @Test("Missing, empty, foreign files and folders each have their own message")
  func foreign() throws {
    let missing = #expect(throws: Failure.self) { try HDF5File.open(folder.file("none.h5")) }
    #expect(missing?.status == .noInput)
    let empty = folder.file("empty.h5")
    try Data().write(to: URL(fileURLWithPath: empty))
    expectDataError { _ = try HDF5File.open(empty) }
    expectDataError { _ = try HDF5File.open(Fixtures.digits("digits-8x8.zip")) }
    expectDataError { _ = try HDF5File.open(folder.path) }
  }

  @Test("The library prints nothing of its own")
  func quiet() throws {
    let log = folder.file("stderr")
    let target = open(log, O_WRONLY | O_CREAT, 0o600)
    let saved = dup(2)
    dup2(target, 2)
    defer {
      dup2(saved, 2)
      close(saved)
      close(target)
    }
    let data = try sample()
    _ = try? readAll(data.prefix(3000))
    _ = try? HDF5File.open(Fixtures.digits("digits-8x8.zip"))
    _ = try? HDF5File.open(folder.file("sample.h5")).root.dataset("none")
    _ = try? HDF5File.open(Fixtures.path("hdf5/declares_too_much.h5")).root.dataset("lzf")
    // Other tests may print meanwhile.
    #expect(try !String(contentsOfFile: log, encoding: .utf8).contains("HDF5"))
  }

  @Test("Links are followed nowhere", arguments: ["outside", "soft", "g/outside", "g/outside/float16"])
  func links(name: String) throws {
    let root = try HDF5File.open(Fixtures.path("hdf5/external_link.h5")).root
    #expect(try root.dataset("inside").read(Double.self) == [0, 1, 2])
    #expect(!root.contains(name))
    expectDataError { _ = try root.dataset(name) }
    expectDataError { _ = try root.group(name) }
  }

  @Test(
    "Content that lies in other files is refused",
    arguments: ["external_storage", "virtual_outside"])
  func externalStorage(name: String) throws {
    let root = try HDF5File.open(Fixtures.path("hdf5/\(name).h5")).root
    expectDataError { _ = try root.dataset("x") }
  }

  @Test(
    "A declaration that the file does not hold is refused before memory is taken",
    arguments: ["contiguous", "chunked", "deflated", "overflow", "null", "deep", "lzf"])
  func declarations(name: String) throws {
    let root = try HDF5File.open(Fixtures.path("hdf5/declares_too_much.h5")).root
    expectDataError { _ = try root.dataset(name) }
  }

  @Test("Signals that a terminal sends to the whole group say nothing of the file that is being tried")
  func signalsToTheTrial() throws {
    let path = Fixtures.path("hdf5/slow_to_try.h5")
    let polite: [Int32] = [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU]
    let isOver = Mutex(false)
    let hits = Mutex(0)
    let sender = Thread {
      // The children that try files are those that ignore all of these signals.
      while !isOver.withLock({ $0 }) {
        for child in Self.children() where StartedProgram.signals("SigIgn", of: child).isSuperset(of: polite) {
          for signal in polite { kill(child, signal) }
          hits.withLock { $0 += 1 }
        }
        usleep(500)
      }
    }
    sender.start()
    defer { isOver.withLock { $0 = true } }
    for _ in 0..<50 where hits.withLock({ $0 }) < 3 {
      #expect(try HDF5File.open(path).root.dataset("numbers").shape == [1 << 23])
    }
    #expect(hits.withLock { $0 } > 0)
  }

  private static func children() -> [pid_t] {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return threads.flatMap { thread in
      ((try? String(contentsOfFile: "/proc/self/task/\(thread)/children", encoding: .utf8)) ?? "")
        .split(separator: " ").compactMap { pid_t($0) }
    }
  }
}
