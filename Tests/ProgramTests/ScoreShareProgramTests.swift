import Files
import Foundation
import HDF5
import TestSupport
import Testing

/// `sid-score --share` and `--shares` as a user meets them.
@Suite("sid-score by shares", .serialized)
struct ScoreShareProgramTests {
  let made: RecordFixture

  init() throws {
    made = try RecordFixture(isScored: true)
    _ = try samples("samples.h5", 9000)
  }

  /// Images of three segments, or of as many as are asked for.
  private func samples(_ name: String, _ count: Int, darker: Int = 0) throws -> String {
    try HDF5File.publish(made.file(name)) { file in
      try file.root.setAttribute("format", "sid-samples")
      try file.root.setAttribute("format_version", 1)
      let images = try file.root.createDataset(
        "images", of: UInt8.self, shape: [count, 8, 8, 1],
        storage: .chunked(rows: 1000, checksum: true, deflate: nil))
      for first in stride(from: 0, to: count, by: 10_000) {
        let rows = first..<min(first + 10_000, count)
        try images.write(
          (rows.lowerBound * 64..<rows.upperBound * 64).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 9 &+ darker) },
          rows: rows)
      }
    }
    return made.file(name)
  }

  private func arguments(
    _ output: String, _ more: [String], samples: String = "samples.h5", reference: String = "reference.h5"
  ) -> [String] {
    [
      "--samples", made.file(samples), "--reference", reference.hasPrefix("/") ? reference : made.file(reference),
      "--features", made.file("features.h5"), "--output", made.file(output),
    ] + more
  }

  @discardableResult
  private func score(_ output: String, _ more: String..., status: Int32 = 0) throws -> Programs.Outcome {
    try made.run("sid-score", arguments(output, more), status: status)
  }

  private func data(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: made.file(name))) }

  /// The hidden files in the folder.
  private func hidden() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: made.folder.path).filter { $0.hasPrefix(".") }.sorted()
  }

  @Test("The files are those of one process, byte for byte, whatever the number of shares; nothing is left of them")
  func sameBytes() throws {
    let options = [
      "--metrics", "fid,kid,is,pr,fd-infinity", "--kid-subsets", "4", "--pr-images", "1000", "--keep-features",
    ]
    let real = Fixtures.digits("digits-8x8.zip")
    for (name, more) in [("all", ["--bootstrap", "2"]), ("draws", ["--resample", "10000", "--sets", "4"])] {
      mkdir(made.file(name), 0o755)
      try made.run("sid-score", arguments(name + "/s.h5", options + more, reference: real))
      let files = ["s.h5", "s.features.h5", "s.json"]
      let expected = try files.map { try data("\(name)/\($0)") }
      for count in [1, 2, 3, 5] {
        let folder = "\(name)-\(count)"
        mkdir(made.file(folder), 0o755)
        func run(_ share: String...) throws -> Programs.Outcome {
          try made.run("sid-score", arguments(folder + "/s.h5", options + more + share, reference: real))
        }
        for index in (1...count).reversed() {
          let outcome = try run("--share", "\(index)/\(count)", "--threads", "\(1 + index % 2)")
          #expect(
            outcome.errors.contains("share \(index)/\(count) has nothing to do") == (index > 3), "\(outcome.errors)")
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: made.file(folder)).sorted()
        #expect(names == (1...min(count, 3)).map { ".s.share-\($0)-of-\(count).h5" })
        _ = try run("--shares", "\(count)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: made.file(folder)).sorted() == files.sorted())
        for (file, bytes) in zip(files, expected) {
          #expect(try data("\(folder)/\(file)") == bytes, "\(folder)/\(file)")
        }
      }
    }
  }

  @Test("A share that is missing is named, and so is the number of those that are there")
  func missing() throws {
    let none = try score("s.h5", "--shares", "2", status: 66)
    #expect(none.errors.contains("s.h5: 2 of 2 shares are missing: 1/2, 2/2; make them with"), "\(none.errors)")
    try score("s.h5", "--share", "2/3")
    let some = try score("s.h5", "--shares", "3", status: 66)
    #expect(some.errors.contains("2 of 3 shares are missing: 1/3, 3/3"), "\(some.errors)")
    let other = try score("s.h5", "--shares", "2", status: 66)
    #expect(other.errors.contains("there are shares of 3: give --shares that number"), "\(other.errors)")
    #expect(try hidden() == [".s.share-2-of-3.h5"] && !made.isThere("s.h5") && !made.isThere("s.json"))
  }

  @Test("A share of anything else is refused by its name, with what is different")
  func foreign() throws {
    let real = Fixtures.digits("digits-8x8.zip")
    let part = ".s.share-2-of-2.h5"
    func refuse(_ words: String, _ more: [String] = [], sourceLocation: SourceLocation = #_sourceLocation) throws {
      let outcome = try Programs.run("sid-score", arguments("s.h5", ["--shares", "2"] + more, reference: real))
      #expect(outcome.status == 65, "\(outcome.errors)", sourceLocation: sourceLocation)
      #expect(outcome.errors.split(separator: "\n").count == 1, sourceLocation: sourceLocation)
      #expect(
        outcome.errors.contains(".s.share-") && outcome.errors.contains(words), "\(outcome.errors)",
        sourceLocation: sourceLocation)
      #expect(!made.isThere("s.h5") && !made.isThere("s.json"), sourceLocation: sourceLocation)
    }
    func make(_ share: String, _ more: [String] = [], samples: String = "samples.h5") throws {
      try made.run(
        "sid-score", arguments("s.h5", ["--share", share] + more, samples: samples, reference: real))
    }
    for share in ["1/2", "2/2"] { try make(share) }
    try refuse("--metrics was not given and is now fid,pr", ["--metrics", "fid,pr", "--figure", "fd"])
    try refuse("--count was not given and is now 8999", ["--count", "8999"])
    try refuse("--resample was not given and is now 9000", ["--resample", "9000"])
    try refuse("--keep-features was not given and is now true", ["--keep-features"])
    // Another one's, under its name.
    let whole = try data(part)
    try data(".s.share-1-of-2.h5").write(to: URL(fileURLWithPath: made.file(part)))
    try refuse("it is share 1/2, not 2/2")
    try make("2/3")
    try data(".s.share-2-of-3.h5").write(to: URL(fileURLWithPath: made.file(part)))
    try refuse("it is share 2/3, not 2/2")
    // Of other images.
    _ = try samples("others.h5", 9000, darker: 1)
    try make("2/2", samples: "others.h5")
    try refuse("its samples was others.h5")
    // Of another kind of machine, and of the statistics of the same images.
    try whole.write(to: URL(fileURLWithPath: made.file(part)))
    try rewrite(part) { $0.replacing("OpenBLAS ", with: "OpenBLAS Old") }
    try refuse("OpenBLAS Old")
    try made.run("sid-score", made.reference(part, of: made.file("samples.h5")) + ["--share", "2/2", "--overwrite"])
    try refuse("no attribute `share`")
    try FileManager.default.removeItem(atPath: made.file(part.dropLast(3) + ".json"))
    // No share at all.
    try data("reference.h5").write(to: URL(fileURLWithPath: made.file(part)))
    try refuse("sid-statistics")
    try Data("nonsense".utf8).write(to: URL(fileURLWithPath: made.file(part)))
    try refuse(part)
    try Data(whole.prefix(whole.count / 2)).write(to: URL(fileURLWithPath: made.file(part)))
    try refuse(part)
    // Of another feature network.
    try whole.write(to: URL(fileURLWithPath: made.file(part)))
    let network = try FileHandle(forWritingTo: URL(fileURLWithPath: made.file("features.h5")))
    try network.seekToEnd()
    try network.write(contentsOf: Data([0]))
    try network.close()
    try refuse("its features was features.h5")
  }

  /// Writes a share anew with another provenance.
  private func rewrite(_ part: String, _ change: (String) -> String) throws {
    let root = try HDF5File.open(made.file(part)).root
    let segments = try root.dataset("segments")
    try HDF5File.publish(made.file("rewritten.h5")) { file in
      for name in ["first_image", "num_images", "total_images", "num_features", "format_version"] {
        try file.root.setAttribute(name, try root.intAttribute(name))
      }
      for name in ["format", "feature_network", "input_convention", "share"] {
        try file.root.setAttribute(name, try root.stringAttribute(name))
      }
      try file.root.setAttribute("images", try root.stringsAttribute("images"))
      try file.root.setAttribute("provenance", change(try root.stringAttribute("provenance")))
      try file.root.write(try segments.read(Double.self), shape: segments.shape, to: "segments")
    }
    rename(made.file("rewritten.h5"), made.file(part))
  }

  @Test("A share that is there is done at once; one of other work, or damaged, is made anew")
  func again() throws {
    let part = ".s.share-1-of-2.h5"
    try score("s.h5", "--share", "1/2")
    let inode = try made.inode(part)
    let bytes = try data(part)
    #expect(try score("s.h5", "--share", "1/2").errors.contains("share 1/2 is there; --shares 2"))
    #expect(try made.inode(part) == inode)
    try score("s.h5", "--share", "1/2", "--overwrite")
    #expect(try made.inode(part) != inode && data(part) == bytes)
    try score("s.h5", "--share", "1/2", "--metrics", "is")
    #expect(try data(part) != bytes)
    try score("s.h5", "--share", "1/2")
    #expect(try data(part) == bytes)
    try Data(bytes.prefix(100)).write(to: URL(fileURLWithPath: made.file(part)))
    try score("s.h5", "--share", "1/2")
    #expect(try data(part) == bytes && hidden() == [part])
    let dry = try score("s.h5", "--share", "2/2", "--dry-run")
    #expect(dry.output.contains("4904 images"))
    #expect(try hidden() == [part])
  }

  @Test("Two processes do not make one share: the second is sent away")
  func held() throws {
    let lock = try LockFile(made.file(".s.share-1-of-2.lock"))
    try withExtendedLifetime(lock) {
      let outcome = try score("s.h5", "--share", "1/2", status: 75)
      #expect(outcome.errors.contains("another process is making share 1/2"), "\(outcome.errors)")
      try score("s.h5", "--share", "2/2")
    }
    #expect(lock != nil)
    #expect(try hidden() == [".s.share-1-of-2.lock", ".s.share-2-of-2.h5"])
  }

  @Test("Once the score is there, shares have nothing to do, and whatever lies about of them is cleared away")
  func finished() throws {
    func lay() throws {
      for name in [".s.share-1-of-2.h5", ".s.share-3-of-7.features", ".s.share-3-of-7.lock"] {
        try Data("x".utf8).write(to: URL(fileURLWithPath: made.file(name)))
      }
    }
    // One process alone does not look at them.
    try lay()
    try score("s.h5")
    try made.expectRecord("s", of: ["s.h5"])
    let (file, record) = (try made.inode("s.h5"), try made.inode("s.json"))
    // A share that comes late takes its own with it.
    try lay()
    let late = try score("s.h5", "--share", "1/2")
    #expect(late.errors.contains("share 1/2 has nothing to do"), "\(late.errors)")
    #expect(try hidden() == [".s.share-3-of-7.features", ".s.share-3-of-7.lock"])
    try lay()
    #expect(try score("s.h5", "--shares", "2").errors.contains("nothing to do"))
    try made.expectRecord("s", of: ["s.h5"])
    #expect(try made.inode("s.h5") == file && made.inode("s.json") == record)
    // Killed between output and record.
    for share in [["--shares", "2"], []] {
      try lay()
      try made.takeRecordBack("s")
      try made.run("sid-score", arguments("s.h5", share))
      try made.expectRecord("s", of: ["s.h5"])
      #expect(try made.inode("s.h5") == file)
    }
    try score("s.h5", "--share", "1/2", "--metrics", "is", status: 73)
    #expect(try hidden().isEmpty)
  }

  @Test("Killed or stopped wherever they are, shares and what closes them go on to the bytes of one process")
  func killed() throws {
    let many = try samples("many.h5", 90_000)
    func arguments(_ output: String, _ more: String...) -> [String] {
      self.arguments(output, ["--metrics", "fid,is", "--keep-features", "--threads", "1"] + more, samples: "many.h5")
    }
    #expect(many == made.file("many.h5"))
    let alone = ContinuousClock.now
    try made.run("sid-score", arguments("whole.h5"))
    // Of a share, which takes half of it, and of what closes them, which takes less.
    let longest = UInt32(min((ContinuousClock.now - alone) / .microseconds(1), 2e6) / 3)
    var generator = SystemRandomNumberGenerator()
    for more in [["--share", "1/2"], ["--share", "2/2"], ["--shares", "2"]] {
      var interruptions = 0
      let start = ContinuousClock.now
      for round in 0..<12 {
        let run = try StartedProgram("sid-score", arguments("s.h5") + more)
        let most = max(10_000, more[0] == "--shares" ? longest / 4 : longest)
        let pause = UInt32.random(in: 5_000...most, using: &generator)
        usleep(pause)
        run.send(round.isMultiple(of: 3) ? SIGTERM : SIGKILL)
        let outcome = run.end()
        #expect([0, 75, 137, 143].contains(outcome.status), "\(more) \(pause): \(outcome.status) \(outcome.errors)")
        if outcome.status == 0 { break }
        interruptions += 1
      }
      try made.run("sid-score", arguments("s.h5") + more)
      if more[0] == "--share" { #expect(!made.isThere("s.h5") && !made.isThere("s.json")) }
      #expect(ContinuousClock.now - start < .seconds(120))
      #expect(interruptions > 0, "\(more): what was never interrupted proves nothing")
    }
    #expect(try hidden().isEmpty)
    for (own, whole) in [("s.h5", "whole.h5"), ("s.features.h5", "whole.features.h5")] {
      #expect(try data(own) == data(whole))
    }
  }

  @Test(
    "Options that make no sense are usage errors",
    arguments: [
      ["--share", "1/2", "--shares", "2"], ["--share", "3/2"], ["--share", "1"], ["--shares", "0"],
      ["--shares", "1/2"],
    ])
  func usage(_ options: [String]) throws {
    try made.run("sid-score", arguments("s.h5", options), status: 64)
  }

  @Test("Statistics in place of images have no shares", arguments: [["--share", "1/2"], ["--shares", "2"]])
  func statistics(_ options: [String]) throws {
    let outcome = try made.run("sid-score", arguments("s.h5", options, samples: "reference.h5"), status: 64)
    #expect(outcome.errors.contains("--share and --shares are for images"), "\(outcome.errors)")
  }
}
