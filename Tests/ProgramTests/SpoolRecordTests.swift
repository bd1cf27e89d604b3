import Files
import Foundation
import Records
import TestSupport
import Testing

/// What a step promises is there in the end, and found missing later.
@Suite("sid-spoold: a step is done when its record is there", .serialized)
struct SpoolRecordTests {
  private static let exports = ["samples.npz", "samples.npz.export.json", "samples.zip", "samples.zip.export.json"]
  private static let job = """
    job: exported
    steps:
      - convert: { source: digits/teacher.pkl, name: teacher }
      - sample: { network: teacher, seeds: 0-19999, export: [npz, edm-zip], name: samples }
    """

  private static var arguments: [String] {
    let programs = (Programs.path("sid-convert") as NSString).deletingLastPathComponent
    return ["--input-root", Fixtures.digits(".."), "--program-directory", programs, "--retry-base-seconds", "0.02"]
  }

  private func names(_ folder: String) -> Set<String> {
    Set((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
  }

  private func record(_ path: String) throws -> StepRecord {
    try #require(StepRecord(json: Array(try Data(contentsOf: URL(fileURLWithPath: path)))), "\(path)")
  }

  /// Expects a finished job with everything it promised, checksums that say so, and nothing hidden but the lock.
  private func expectWhole(_ spool: SpoolFixture, archive: UInt64) throws {
    let folder = try #require(spool.jobs("done").first, "\(spool.log)")
    let names = names(folder)
    #expect(names.isSuperset(of: Self.exports + ["samples.png", "samples.manifest.json"]), "\(names)")
    #expect(names.filter { $0.hasPrefix(".") || $0.hasSuffix(".partial") || $0.hasSuffix(".next") } == [".lock"])
    #expect(try AtomicFile.inode(of: folder + "/samples.h5") == archive, "the images were made once")
    let sums = Dictionary(
      uniqueKeysWithValues: spool.lines(folder + "/SHA256SUMS").map {
        (String($0.dropFirst(66)), String($0.prefix(64)))
      })
    let files = try #require(try record(folder + "/samples.json").files)
    #expect(Set(files.map(\.name)).isSuperset(of: Self.exports))
    for file in files {
      #expect(sums[file.name] == file.sha256)
      #expect(try SHA256.hexDigest(ofFile: folder + "/" + file.name) == file.sha256, "\(file.name)")
    }
    #expect(sums["job.yaml"] != nil && sums["samples.json"] != nil && sums["status.json"] == nil)
    let verified = try spool.control("verify", "exported")
    #expect(verified.status == 0 && verified.output.contains("samples.zip: OK"), "\(verified)")
    let checked = try spool.control("check")
    #expect(checked.output.contains("ok: files of jobs"), "\(checked)")
    let summary = spool.read(folder + "/summary.json")
    #expect(summary.contains("\"contact_sheet\"") && !summary.contains("sha256\" : \"\(files[0].sha256)"))
  }

  @Test(
    "an export under way survives a kill and a stop of the daemon, and hold and release",
    arguments: ["SIGKILL", "SIGTERM", "hold"])
  func interruptedExport(by cause: String) throws {
    let spool = try SpoolFixture()
    try spool.drop(Self.job)
    let daemon = try spool.startDaemon(Self.arguments)
    var archive: UInt64?
    try spool.wait("the export") {
      guard let folder = spool.jobs("active").first,
        !names(folder).isDisjoint(with: Self.exports.map { $0 + ".partial" })
      else { return false }
      archive = try? AtomicFile.inode(of: folder + "/samples.h5")
      return true
    }
    switch cause {
    case "hold":
      let held = try spool.control("hold", "exported")
      #expect(held.status == 0 && !spool.jobs("held").isEmpty, "\(held)")
      #expect(try spool.control("release", "exported").status == 0)
      try spool.wait("its end", seconds: 120) { !spool.jobs("done").isEmpty }
      kill(daemon.processIdentifier, SIGTERM)
      daemon.waitUntilExit()
    default:
      kill(daemon.processIdentifier, cause == "SIGKILL" ? SIGKILL : SIGTERM)
      daemon.waitUntilExit()
      #expect(spool.jobs("done").isEmpty)
      try spool.startDaemon(Self.arguments + ["--exit-when-idle"]).waitUntilExit()
    }
    try expectWhole(spool, archive: try #require(archive))
  }

  @Test("an export that fails defers the job, which goes on with the exports alone")
  func failingExport() throws {
    let spool = try SpoolFixture()
    try spool.drop(Self.job)
    var daemon = try spool.startDaemon(Self.arguments + ["--exit-when-idle"])
    // In the way of the second export, from the moment on that the stage has looked at the places of its outputs.
    try spool.wait("the samples") { spool.jobs("active").contains { names($0).contains(".samples.parts") } }
    let obstacle = try #require(spool.jobs("active").first) + "/samples.zip.partial"
    mkdir(obstacle, 0o755)
    daemon.waitUntilExit()
    var folder = try #require(spool.jobs("failed").first, "\(spool.log)")
    let reason = try #require(spool.status(folder)["reason"] as? String)
    #expect(reason.contains("samples.zip.partial"), "\(reason)")
    let archive = try AtomicFile.inode(of: folder + "/samples.h5")
    #expect(names(folder).contains("samples.npz") && !names(folder).contains("samples.json"))
    rmdir(folder + "/samples.zip.partial")
    daemon = try spool.startDaemon(Self.arguments)
    #expect(try spool.control("retry", "exported").status == 0)
    try spool.wait("its end") { !spool.jobs("done").isEmpty }
    kill(daemon.processIdentifier, SIGTERM)
    daemon.waitUntilExit()
    folder = try #require(spool.jobs("done").first)
    try expectWhole(spool, archive: archive)
    #expect(spool.read(folder + "/log/samples.log").contains("completing what belongs to it"))
  }

  // MARK: Verify and check

  /// A finished job of stand-in programs.
  private func finished() throws -> (spool: SpoolFixture, folder: String) {
    let spool = try SpoolFixture(secondsPerUnit: 0.001)
    try spool.drop(SpoolFixture.job)
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    return (spool, try #require(spool.jobs("done").first, "\(spool.log)"))
  }

  private func remove(_ line: String, from folder: String, _ spool: SpoolFixture) throws {
    let kept = spool.lines(folder + "/SHA256SUMS").filter { !$0.hasSuffix("  " + line) }
    try Data((kept.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: folder + "/SHA256SUMS"))
  }

  @Test("verify and check miss what was promised, whatever SHA256SUMS says")
  func missingFiles() throws {
    let (spool, folder) = try finished()
    #expect(try spool.control("check").output.contains("ok: files of jobs"))
    unlink(folder + "/sample.h5")
    try remove("sample.h5", from: folder, spool)
    var verified = try spool.control("verify", "three")
    #expect(
      verified.status == 65 && verified.output.contains("sample.h5: MISSING, named by sample.json"), "\(verified)")
    let checked = try spool.control("check")
    #expect(checked.status == 1 && checked.output.contains("sample.h5, which sample.json promises, is missing"))
    #expect(checked.output.contains("retry \((folder as NSString).lastPathComponent) --from sample"), "\(checked)")

    try Data("changed".utf8).write(to: URL(fileURLWithPath: folder + "/sample.h5"))
    verified = try spool.control("verify", "three")
    #expect(verified.status == 65 && verified.output.contains("sample.h5: CHANGED"), "\(verified)")

    // The record itself.
    let text = spool.read(folder + "/score.json")
    unlink(folder + "/score.json")
    try remove("score.json", from: folder, spool)
    verified = try spool.control("verify", "three")
    #expect(verified.output.contains("score.json: MISSING"), "\(verified)")
    #expect(try spool.control("check").output.contains("score.json, the record of the step score, is missing"))
    try Data(text.replacingOccurrences(of: "\"files\"", with: "\"fires\"").utf8).write(
      to: URL(fileURLWithPath: folder + "/score.json"))
    verified = try spool.control("verify", "three")
    #expect(verified.status == 65 && verified.output.contains("score.json: IS NO RECORD"), "\(verified)")
    #expect(verified.errors.contains("2 files are not what they were"), "\(verified.errors)")
  }

  @Test("check tells of what killed processes have left")
  func debris() throws {
    let (spool, folder) = try finished()
    let names = [
      ".sample.parts", "sample.zip.partial", ".sample.json", "sample.zip.export.json.next", "s.partial.rows",
    ]
    for name in names { mkdir(folder + "/" + name, 0o755) }
    try spool.write("{}", to: "spool/..usage.json.tmp")
    let checked = try spool.control("check")
    for name in names {
      #expect(checked.output.contains(": \(name) was left by a process that was killed"), "\(checked)")
    }
    #expect(checked.output.contains("/..usage.json.tmp: was left by a daemon that was killed"), "\(checked)")
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    #expect(!FileManager.default.fileExists(atPath: spool.spool + "/..usage.json.tmp"))
  }

  @Test("a step whose stage ends well without a record, or with one that names no files, fails the job")
  func noRecord() throws {
    for (behaviour, reason) in [
      ("echo data > $output; exit 0", "left no convert.json"),
      (
        "echo data > $output; echo '{\"stage\":\"x\",\"output\":\"a\"}' > $name.json; exit 0",
        "no JSON object with its files"
      ),
      ("mkdir $name.json; echo data > $output; exit 0", "no JSON object with its files"),
    ] {
      let spool = try SpoolFixture(behaviour: behaviour)
      try spool.drop("job: one\nsteps:\n  - convert: { source: teacher.pkl }\n")
      try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
      let folder = try #require(spool.jobs("failed").first, "\(spool.log)")
      #expect((try spool.status(folder)["reason"] as? String)?.contains(reason) == true, "\(spool.log)")
    }
  }

  @Test("a promised file that is gone before the job is over fails it by name")
  func lostBeforeTheEnd() throws {
    let spool = try SpoolFixture(
      secondsPerUnit: 0.001, behaviour: "[ $name = score ] && [ $i = 5 ] && rm -f sample.h5")
    try spool.drop(SpoolFixture.job)
    try spool.startDaemon(["--exit-when-idle"]).waitUntilExit()
    let folder = try #require(spool.jobs("failed").first, "\(spool.log)")
    let reason = try spool.status(folder)["reason"] as? String
    #expect(reason?.contains("sample.h5: is missing, and sample.json names it") == true, "\(reason ?? "")")
  }

  @Test("a log whose heading cannot be written is an error, not a silent loss")
  func logHeading() throws {
    // No file grows beyond 32 KiB: the first attempt fills its log.
    let spool = try SpoolFixture(
      secondsPerUnit: 0.001, behaviour: "head -c 60000 /dev/zero | tr '\\0' 'x' >&2; exit 75")
    try spool.drop("job: one\nsteps:\n  - convert: { source: teacher.pkl }\n")
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    let command = ([Programs.path("sid-spoold")] + spool.daemonArguments + ["--exit-when-idle", "--max-attempts", "2"])
      .joined(separator: " ")
    shell.arguments = ["-c", "trap '' XFSZ; ulimit -f 64; exec \(command) 2>\(spool.folder.file("daemon.err"))"]
    try shell.run()
    shell.waitUntilExit()
    let folder = try #require(spool.jobs("failed").first, "\(spool.log)")
    let reason = try #require(spool.status(folder)["reason"] as? String)
    #expect(reason.contains("log/convert.log: cannot write"), "\(reason)")
    #expect(spool.lines(folder + "/starts.txt").count == 1, "nothing is started without its heading")
  }
}
