import Foundation
import Fuzzing
import TestSupport
import Testing

/// `sid-fuzz` in small: every kept case, and a few hundred changed ones of each reader.
@Suite("Readers of untrusted files", .serialized)
struct FuzzTests {
  static let names = [
    "pickle", "torch-archive", "torch-legacy", "safetensors", "numpy", "image-archive", "image-tar",
    "image-npz", "labels", "netpbm", "png", "jpeg", "picture", "hdf5", "job-file",
  ]

  func parser(_ name: String) throws -> FuzzParser {
    try #require(try FuzzParser.all().first { $0.name == name })
  }

  @Test("Cases that fuzzing kept are read or refused as malformed, in good time", arguments: names)
  func keptCases(name: String) throws {
    let parser = try parser(name)
    let folder = Fixtures.path("fuzz/" + name)
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder).sorted()) ?? []
    #expect(!files.isEmpty)
    for file in files {
      let path = folder + "/" + file
      let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
      let start = ContinuousClock.now
      let (outcome, _) = parser.run(path, bytes)
      if case .defect(let problem) = outcome { Issue.record("\(file): \(problem)") }
      #expect(ContinuousClock.now - start < .seconds(10), "\(file)")
    }
  }

  @Test("Seeds and kept cases reach every record that a reader knows", arguments: names)
  func seedsReachEverything(name: String) throws {
    let parser = try parser(name)
    let folder = try TemporaryFolder()
    var reached: Set<String> = []
    let kept = try FileManager.default.contentsOfDirectory(atPath: Fixtures.path("fuzz/" + name)).map {
      Array(try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("fuzz/\(name)/\($0)"))))
    }
    for seed in parser.seeds + kept {
      try Data(seed).write(to: URL(fileURLWithPath: folder.file("x")))
      reached.formUnion(parser.run(folder.file("x"), seed).reached)
    }
    let missing = Set(parser.knownRecords).subtracting(reached)
    #expect(missing.isEmpty, "\(missing.sorted())")
  }

  @Test("Changed files are read or refused as malformed", arguments: names)
  func changedFiles(name: String) throws {
    let parser = try parser(name)
    let folder = try TemporaryFolder()
    var random = FuzzRandom(seed: 20)
    for round in 0..<300 {
      let seed = parser.seeds[round % parser.seeds.count]
      let bytes = parser.mutated(seed, donor: parser.seeds[0], &random)
      try Data(bytes).write(to: URL(fileURLWithPath: folder.file("x")))
      if case .defect(let problem) = parser.run(folder.file("x"), bytes).outcome {
        Issue.record("round \(round): \(problem)")
      }
    }
  }
}
