import Files
import Foundation
import Records
import TestSupport
import Testing

/// A folder in which stage programs run, and what their records say of it.
struct RecordFixture {
  let folder: TemporaryFolder

  /// With the digits' teacher, feature network and reference, all made by the programs.
  init(isScored: Bool = false) throws {
    folder = try TemporaryFolder()
    try run("sid-convert", [Fixtures.digits("teacher.pkl"), "--output", file("teacher.h5")])
    guard isScored else { return }
    try run(
      "sid-convert",
      [
        Fixtures.digits("features.safetensors"), "--config", Fixtures.digits("features.yaml"), "--output",
        file("features.h5"),
      ])
    try run("sid-score", reference("reference.h5"))
  }

  func reference(_ output: String, of images: String = Fixtures.digits("digits-8x8.zip")) -> [String] {
    [
      "reference", "--dataset", images, "--features", file("features.h5"), "--output",
      file(output),
    ]
  }

  func sample(_ output: String, _ more: String..., seeds: String = "0-39") -> [String] {
    ["--network", file("teacher.h5"), "--seeds", seeds, "--output", file(output)] + more
  }

  func file(_ name: String) -> String { folder.file(name) }
  func isThere(_ name: String) -> Bool { access(file(name), F_OK) == 0 }

  @discardableResult
  func run(_ program: String, _ arguments: [String], status: Int32 = 0) throws -> Programs.Outcome {
    let outcome = try Programs.run(program, arguments)
    try #require(outcome.status == status, "\(program) \(arguments): \(outcome.status) \(outcome.errors)")
    return outcome
  }

  func text(_ name: String) throws -> String { try String(contentsOfFile: file(name), encoding: .utf8) }

  func record(_ name: String) throws -> StepRecord {
    try #require(StepRecord(json: Array(try text(name + ".json").utf8)), "\(name).json")
  }

  func inode(_ name: String) throws -> UInt64 { try AtomicFile.inode(of: file(name)) }

  /// Every plain file beneath the folder.
  func names() throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { name in
      var status = stat()
      return lstat(file(name), &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }.sorted()
  }

  /// Expects a complete record of exactly these files, as they are, and nothing hidden or half written in the folder.
  func expectRecord(
    _ name: String, of expected: [String]? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let record = try record(name)
    #expect(record.isComplete, sourceLocation: sourceLocation)
    let files = try #require(record.files, sourceLocation: sourceLocation)
    for entry in files {
      #expect(
        try SHA256.hexDigest(ofFile: file(entry.name)) == entry.sha256, "\(entry.name)", sourceLocation: sourceLocation)
    }
    if let expected { #expect(files.map(\.name) == expected.sorted(), sourceLocation: sourceLocation) }
    let debris = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { path in
      path.split(separator: "/").contains { $0.hasPrefix(".") || $0.contains(".partial") || $0.hasSuffix(".next") }
    }
    #expect(debris.isEmpty, "\(debris)", sourceLocation: sourceLocation)
  }

  /// Makes it as a run leaves it that is killed after the output has its name and before the record appears.
  func takeRecordBack(_ name: String) throws {
    var record = try record(name)
    record.files = nil
    try Data(record.text.utf8).write(to: URL(fileURLWithPath: file(".\(name).json")))
    try FileManager.default.removeItem(atPath: file(name + ".json"))
  }

  func remove(_ names: String...) throws { try remove(names) }

  func remove(_ names: [String]) throws {
    for name in names { try FileManager.default.removeItem(atPath: file(name)) }
  }

  /// Starts a program, and stops it by a signal as soon as something is so.
  /// - Returns: how it ended; a signal as 128 and its number.
  func stop(
    _ program: String, _ arguments: [String], by signal: Int32, when isSo: () -> Bool
  ) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Programs.path(program))
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    while process.isRunning, !isSo() { usleep(200) }
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    return process.terminationStatus + (process.terminationReason == .uncaughtSignal ? 128 : 0)
  }
}
