import Files
import Foundation
import Records
import TestSupport
import Testing

/// What `sid-sample` promises beside the archive, whatever comes between.
@Suite("sid-sample: the record", .serialized)
struct SampleRecordTests {
  let made: RecordFixture

  init() throws { made = try RecordFixture() }

  @Test("names shards, companions and every file of the exports")
  func names() throws {
    try made.run(
      "sid-sample",
      made.sample("a.h5", "--shard-size", "16", "--export", "npz", "--export", "png", "--export", "webdataset"))
    let files = try made.names().filter { !["a.json", "teacher.h5", "teacher.json"].contains($0) }
    #expect(files.count > 45 && files.contains("a-00002.h5") && files.contains("a-webdataset/a-000000.tar"))
    try made.expectRecord("a", of: files)
    let record = try made.record("a")
    #expect(record.stage == "sample" && record.figures["contact_sheet"] == "a.png" && record.details["images"] == 40)
  }

  @Test(
    "appears after an export that failed or was locked when the same command runs again; the images are made once",
    arguments: ["npz", "edm-zip", "png"])
  func failedExport(format: String) throws {
    let name = try #require(["npz": "a.npz", "edm-zip": "a.zip", "png": "a-png"][format])
    let arguments = made.sample("a.h5", "--export", "hdf5", "--export", format)
    // A lock of somebody else: another process writes it.
    let partial = made.file(name + ".partial")
    if format == "png" { mkdir(partial, 0o755) } else { close(open(partial, O_CREAT | O_WRONLY, 0o644)) }
    let lock = open(partial, O_RDONLY)
    #expect(flock(lock, LOCK_EX) == 0)
    try made.run("sid-sample", arguments, status: 75)
    close(lock)
    #expect(!made.isThere("a.json") && made.isThere(".a.json") && made.isThere("a.h5") && made.isThere("a-whole.h5"))
    let (archive, whole) = (try made.inode("a.h5"), try made.inode("a-whole.h5"))
    // Something that is none of ours in the way.
    unlink(partial)
    rmdir(partial)
    if format == "png" { close(open(partial, O_CREAT | O_WRONLY, 0o644)) } else { mkdir(partial, 0o755) }
    let refused = try Programs.run("sid-sample", arguments)
    #expect([73, 74].contains(refused.status) && refused.errors.contains(name), "\(refused)")
    #expect(!made.isThere("a.json"))
    unlink(partial)
    rmdir(partial)
    let last = try made.run("sid-sample", arguments)
    #expect(!last.errors.contains("continues after"))
    #expect(try made.inode("a.h5") == archive && made.inode("a-whole.h5") == whole)
    try made.expectRecord("a")
    #expect(try made.record("a").details["images_per_second"] != nil, "what only the making knows was kept")
    #expect(try made.run("sid-sample", arguments).errors.contains("nothing to do"))
  }

  @Test("appears after a kill or a stop while an export is written", arguments: [SIGKILL, SIGTERM])
  func killedExport(signal: Int32) throws {
    // On a busy machine the first exports may all be there before this process is asked to look again: then with more images.
    var (arguments, status): ([String], Int32) = ([], 0)
    for images in [10_000, 40_000, 160_000] {
      arguments = made.sample("a.h5", "--export", "npz", "--export", "edm-zip", seeds: "0-\(images - 1)")
      status = try made.stop("sid-sample", arguments, by: signal) { made.isThere("a.npz.partial") }
      guard status == 0 else { break }
      try made.remove(made.names().filter { $0.hasPrefix("a.") })
    }
    #expect(status == (signal == SIGKILL ? 128 + SIGKILL : 75))
    #expect(!made.isThere("a.json"))
    let archive = try made.inode("a.h5")
    try made.run("sid-sample", arguments)
    #expect(try made.inode("a.h5") == archive)
    try made.expectRecord(
      "a",
      of: [
        "a.h5", "a.png", "a.manifest.json", "a.npz", "a.npz.export.json", "a.zip", "a.zip.export.json",
      ])
  }

  @Test("appears wherever a run was cut short behind the archive, and clears away what it left")
  func cutShort() throws {
    let arguments = made.sample("a.h5", "--export", "npz")
    try made.run("sid-sample", arguments)
    let (text, archive) = (try made.text("a.json"), try made.inode("a.h5"))
    func again(_ what: Comment) throws {
      try made.run("sid-sample", arguments)
      #expect(try made.text("a.json") == text, what)
      #expect(try made.inode("a.h5") == archive, what)
      try made.expectRecord("a")
    }
    try made.takeRecordBack("a")
    try again("before the record")
    try made.takeRecordBack("a")
    try made.remove("a.npz", "a.npz.export.json", "a.png", "a.manifest.json")
    try again("before everything but the archive")
    try made.takeRecordBack("a")
    rename(made.file(".a.json"), made.file(".a.json.partial"))
    try FileManager.default.copyItem(atPath: made.file("a.h5"), toPath: made.file("copy"))
    for name in [".a.parts", ".a.shards", ".a-00000.parts"] { mkdir(made.file(name), 0o755) }
    for name in [
      ".a.parts/000000000000-000000000040.h5", ".a.shards/x.json", "a.npz.export.json.next", "a.png.partial",
    ] {
      try FileManager.default.copyItem(atPath: made.file("copy"), toPath: made.file(name))
    }
    try made.remove("copy")
    // Nothing was kept: all but the speed can be told from the archive.
    try made.run("sid-sample", arguments)
    #expect(try made.inode("a.h5") == archive)
    try made.expectRecord("a")
    var expected = try #require(StepRecord(json: Array(text.utf8)))
    expected.details["images_per_second"] = nil
    #expect(try made.record("a") == expected)
  }

  @Test("is renewed where a file that it names is gone, or more is asked for, and keeps what it named")
  func renewed() throws {
    try made.run("sid-sample", made.sample("a.h5", "--export", "npz", "--export", "png"))
    let files = try made.record("a").files
    let plain = made.sample("a.h5")
    for name in ["a.png", "a.manifest.json", "a.npz", "a.npz.export.json", "a-png/000003.png", "a-png/dataset.json"] {
      try made.remove(name)
      try made.run("sid-sample", plain)
      #expect(try made.record("a").files == files, "\(name)")
    }
    try made.remove("a-png", "a.npz", "a.npz.export.json", "a.png")
    try made.run("sid-sample", plain)
    try made.expectRecord("a", of: (files ?? []).map(\.name))
    try made.run("sid-sample", made.sample("a.h5", "--export", "edm-zip"))
    try made.expectRecord(
      "a", of: (files ?? []).map(\.name) + ["a.zip", "a.zip.export.json"])
    #expect(try made.run("sid-sample", plain).errors.contains("nothing to do"))
    #expect(try made.record("a").files?.count == (files?.count ?? 0) + 2)
  }

  @Test("goes first where the archive is overwritten, and a draft of another making is not used")
  func overwritten() throws {
    try made.run("sid-sample", made.sample("a.h5"))
    let old = try made.record("a")
    // The new archive cannot be published: its parts are all there, the draft tells of them.
    mkdir(made.file("a.manifest.json.partial"), 0o755)
    let other = made.sample("a.h5", "--overwrite", seeds: "100-139")
    #expect(try Programs.run("sid-sample", other).status != 0)
    #expect(!made.isThere("a.json") && made.isThere(".a.json"))
    rmdir(made.file("a.manifest.json.partial"))
    try made.run("sid-sample", made.sample("a.h5"))
    try made.expectRecord("a")
    let record = try made.record("a")
    #expect(record.details["seeds"] == "0-39" && record.files == old.files)
    try made.run("sid-sample", other)
    #expect(try made.record("a").details["seeds"] == "100-139")
    try made.expectRecord("a")
  }

  @Test("of a version before the rule is completed in place")
  func earlierVersion() throws {
    try made.run("sid-sample", made.sample("a.h5"))
    var record = try made.record("a")
    let archive = try made.inode("a.h5")
    (record.files, record.provenance) = (nil, nil)
    try Data(record.text.utf8).write(to: URL(fileURLWithPath: made.file("a.json")))
    try made.run("sid-sample", made.sample("a.h5"))
    try made.expectRecord("a", of: ["a.h5", "a.png", "a.manifest.json"])
    #expect(try made.record("a").details == record.details && made.inode("a.h5") == archive)
  }

  @Test("of an archive that several machines make belongs to whoever closes it")
  func shares() throws {
    let shards = ["--shard-size", "10"]
    for share in ["1/2", "2/2"] {
      try made.run("sid-sample", made.sample("a.h5", "--shard-size", "10", "--shards", share))
      #expect(!made.isThere("a.json") && !made.isThere(".a.json"))
    }
    try made.run("sid-sample", ["merge", made.file("a.h5")])
    let files = (0..<4).map { "a-0000\($0).h5" } + ["a.h5", "a.manifest.json", "a.png"]
    try made.expectRecord("a", of: files)
    let text = try made.text("a.json")
    try made.takeRecordBack("a")
    mkdir(made.file(".a.shards"), 0o755)
    try made.run("sid-sample", ["merge", made.file("a.h5")])
    #expect(try made.text("a.json") == text)
    // Closed by the sampling itself, with an export, and read by merge.
    try made.run("sid-sample", made.sample("a.h5") + shards + ["--export", "npz"])
    try made.expectRecord("a", of: files + ["a.npz", "a.npz.export.json"])
    #expect(try made.run("sid-sample", ["merge", made.file("a.h5")]).errors.contains("nothing to do"))
    try made.remove("a-00002.h5")
    try made.run("sid-sample", made.sample("a.h5") + shards)
    try made.expectRecord("a", of: files + ["a.npz", "a.npz.export.json"])
  }
}
