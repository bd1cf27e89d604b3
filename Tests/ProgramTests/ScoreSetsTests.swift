import Foundation
import HDF5
import Records
import TestSupport
import Testing

/// `sid-score --sets` as a user meets it.
@Suite("sid-score over sets of images", .serialized)
struct ScoreSetsTests {
  let made: RecordFixture
  private static let archive = Fixtures.digits("digits-8x8.zip")

  init() throws { made = try RecordFixture(isScored: true) }

  private func arguments(_ samples: String, _ output: String, _ more: [String]) -> [String] {
    [
      "--samples", samples, "--reference", made.file("reference.h5"), "--features", made.file("features.h5"),
      "--output", made.file(output),
    ] + more
  }

  private func score(_ output: String, _ more: String..., samples: String = archive) throws -> Programs.Outcome {
    try Programs.run("sid-score", arguments(samples, output, more))
  }

  /// The digits from one place on.
  private func samples(_ name: String, count: Int, repeating times: Int = 1) throws -> String {
    let path = made.file(name)
    try HDF5File.publish(path) { file in
      try file.root.setAttribute("format", "sid-samples")
      try file.root.setAttribute("format_version", 1)
      let images = try file.root.createDataset(
        "images", of: UInt8.self, shape: [count * times, 8, 8, 1],
        storage: .chunked(rows: 1000, checksum: true, deflate: nil))
      for part in 0..<times {
        let pixels = (0..<count * 64).map { UInt8(truncatingIfNeeded: ($0 + part) &* $0 >> 9) }
        try images.write(pixels, rows: part * count..<(part + 1) * count)
      }
    }
    return path
  }

  @Test("Record and score file tell mean, spread and every set; one set is what there was before")
  func record() throws {
    let outcome = try score("s.h5", "--sets", "3", "--metrics", "fid,is", "--keep-features")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let record = try made.record("s")
    #expect(Set(record.figures.keys) == ["fid", "fid_spread", "is", "is_spread"])
    for name in ["fid", "is"] {
      let metric = try #require(record.details["metrics"]?[name])
      let sets = try #require(metric["sets"]?.arrayValue).compactMap(\.realValue)
      #expect(sets.count == 3 && metric["images"] == 599)
      let value = try #require(record.figures[name]?.realValue)
      #expect(abs(sets.reduce(0, +) / 3 - value) < 1e-12 * abs(value))
      #expect(record.figures[name + "_spread"] == metric["standard_deviation"])
      #expect(metric["definition"]?.textValue?.hasSuffix("; mean over 3 consecutive sets of 599 images") == true)
    }
    #expect(record.details["images"] == 599)
    let root = try HDF5File.open(made.file("s.h5")).root
    #expect(try root.doubleAttribute("fid_spread") > 0.01)
    #expect(try root.doublesAttribute("fid_sets").count == 3)
    #expect(try root.intAttribute("fid_image_count") == 599)
    // The kept features are those of all images, whatever the sets.
    #expect(try score("one.h5", "--metrics", "fid,is", "--keep-features").status == 0)
    let (a, b) = (
      try HDF5File.open(made.file("s.features.h5")).root, try HDF5File.open(made.file("one.features.h5")).root
    )
    #expect(try a.intAttribute("num_images") == 1797)
    for name in ["mu", "sigma"] { #expect(try a.dataset(name).read(Double.self) == b.dataset(name).read(Double.self)) }
    #expect(try a.dataset("features").read(Float.self) == b.dataset("features").read(Float.self))
    #expect(try a.dataset("scores").shape == [1797, 10])
    // One set is none: the same work, and the same names.
    let again = try score("one.h5", "--metrics", "fid,is", "--keep-features", "--sets", "1")
    #expect(again.status == 0 && again.errors.contains("nothing to do"), "\(again.errors)")
    #expect(try made.record("one").figures.keys.sorted() == ["fid", "is"])
    let other = try score("one.h5", "--metrics", "fid,is", "--keep-features", "--sets", "3")
    #expect(other.status == 73 && other.errors.contains("--sets"), "\(other.errors)")
    let dry = try score("dry.h5", "--sets", "3", "--dry-run")
    #expect(dry.status == 0 && dry.output.contains("1797 images"))
    // What is kept on the way is kept of each draw.
    let draws = try score("dry.h5", "--sets", "4", "--resample", "1000000", "--dry-run")
    #expect(draws.output.contains("489.4 MiB"), "\(draws.output)")
  }

  @Test("A lost record is read back from the score file")
  func lostRecord() throws {
    #expect(try score("s.h5", "--sets", "3").status == 0)
    let record = try made.record("s")
    try made.remove("s.json")
    #expect(try score("s.h5", "--sets", "3").status == 0)
    let found = try made.record("s")
    #expect(found.figures == record.figures && found.details["metrics"] == record.details["metrics"])
  }

  @Test("Set by set the figures are those of the images alone, whatever the threads and the interruptions")
  func interrupted() throws {
    let all = try samples("all.h5", count: 30_000, repeating: 4)
    #expect(try score("whole.h5", "--sets", "4", "--metrics", "fid,is", samples: all).status == 0)
    var interruptions = 0
    let state = made.file(".parts.moments.h5")
    for signal in [SIGTERM, SIGKILL] {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: Programs.path("sid-score"))
      process.arguments = arguments(all, "parts.h5", ["--sets", "4", "--metrics", "fid,is", "--threads", "1"])
      process.standardError = FileHandle.nullDevice
      let before = modificationTime(state)
      try process.run()
      while process.isRunning && modificationTime(state) == before { usleep(2000) }
      kill(process.processIdentifier, signal)
      process.waitUntilExit()
      if process.terminationReason == .exit && process.terminationStatus == 0 { break }
      #expect(process.terminationStatus == (signal == SIGKILL ? SIGKILL : 75))
      interruptions += 1
    }
    #expect(interruptions == 2)
    #expect(try score("parts.h5", "--sets", "4", "--metrics", "fid,is", samples: all).status == 0)
    let whole = try Data(contentsOf: URL(fileURLWithPath: made.file("whole.h5")))
    #expect(try Data(contentsOf: URL(fileURLWithPath: made.file("parts.h5"))) == whole)
    #expect(try FileManager.default.contentsOfDirectory(atPath: made.file("")).allSatisfy { !$0.hasPrefix(".parts") })
    // The first set alone.
    #expect(try score("first.h5", "--count", "30000", "--metrics", "fid,is", samples: all).status == 0)
    let (root, first) = (try HDF5File.open(made.file("whole.h5")).root, try HDF5File.open(made.file("first.h5")).root)
    for name in ["fid", "is"] { #expect(try root.doublesAttribute(name + "_sets")[0] == first.doubleAttribute(name)) }
  }

  private func modificationTime(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec : 0
  }

  @Test("What cannot be divided is refused in one line with the remedy")
  func refused() throws {
    func expect(_ outcome: Programs.Outcome, _ status: Int32, _ words: String...) {
      #expect(outcome.status == status, "\(outcome.errors)")
      for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
      #expect(!made.isThere("o.h5") && !made.isThere("o.json"))
    }
    expect(try score("o.h5", "--sets", "4"), 65, "1797 images", "4 sets", "--count 1796")
    expect(try score("o.h5", "--sets", "4", "--dry-run"), 65, "--count 1796")
    expect(try score("o.h5", "--sets", "1000"), 65, "1797 image(s) are too few for 1000 sets")
    expect(try score("o.h5", "--sets", "599", "--metrics", "is"), 65, "set 1 of 599", "10 splits")
    expect(try score("o.h5", "--sets", "2", "--count", "1798"), 65, "1797", "--count")
    expect(try score("o.h5", "--sets", "4", "--count", "1001"), 64, "--count 1001", "4 sets", "1000 can")
    expect(try score("o.h5", "--sets", "4", "--count", "7"), 64, "--count 7 is too few for 4 sets")
    expect(try score("o.h5", "--sets", "3", "--resample", "1000"), 64, "--resample 1000", "999 can")
    expect(try score("o.h5", "--sets", "3", "--bootstrap", "2"), 64, "--sets and bootstrap exclude each other")
    expect(try score("o.h5", "--sets", "0"), 64, "--sets")
    // Statistics cannot be divided, with features or without.
    #expect(try score("kept.h5", "--keep-features").status == 0)
    for statistics in ["reference.h5", "kept.features.h5"] {
      expect(try score("o.h5", "--sets", "3", samples: made.file(statistics)), 64, statistics, "--sets")
    }
    #expect(try score("o.h5", "--sets", "3", "--bootstrap", "0", "--resample", "999").status == 0)
    #expect(try made.record("o").details["metrics"]?["fd"]?["images"] == 333)
  }
}
