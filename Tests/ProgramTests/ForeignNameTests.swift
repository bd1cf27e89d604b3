import Files
import Foundation
import TestSupport
import Testing

/// Names that are bytes and no text, as users meet them: on the command line, in the environment, in folders.
@Suite("Names that are not UTF-8")
struct ForeignNameTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Runs a script, to which `$1` is the path of a program; `$latin` is a name in Latin-1.
  private func run(_ script: String, _ program: String, _ environment: [String: String] = [:]) throws
    -> Programs.Outcome
  {
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = ["-c", "latin=$(printf 'caf\\351'); " + script, "sh", Programs.path(program)]
    shell.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    shell.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let (output, errors) = (Pipe(), Pipe())
    (shell.standardOutput, shell.standardError) = (output, errors)
    try shell.run()
    let texts = [output, errors].map {
      String(decoding: $0.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }
    shell.waitUntilExit()
    return Programs.Outcome(status: shell.terminationStatus, output: texts[0], errors: texts[1])
  }

  private func make(_ name: [UInt8], in path: String) throws {
    let made = ByteName(Array("\(path)/".utf8) + name).withCString { open($0, O_CREAT | O_WRONLY | O_EXCL, 0o600) }
    try #require(made >= 0)
    close(made)
  }

  @Test(
    "An argument is refused with the name as it is, and with what to do",
    arguments: [
      ("sid-convert", "\"$1\" list \"$latin.pkl\"", "caf\\xe9.pkl"),
      ("sid-convert", "\"$1\" in.pkl --output \"$latin\"", "caf\\xe9"),
      ("sid-score", "\"$1\" merge \"/tmp/$latin\" --output o.h5", "/tmp/caf\\xe9"),
      ("sidctl", "\"$1\" submit \"$latin.yaml\" --spool .", "caf\\xe9.yaml"),
      ("sid-spoold", "\"$1\" --spool \"$latin\" --exit-when-idle", "caf\\xe9"),
    ])
  func arguments(program: String, script: String, shown: String) throws {
    let outcome = try run(script, program)
    #expect(outcome.status == 64, "\(outcome.errors)")
    #expect(
      outcome.errors.hasPrefix("\(program): \(shown): the argument is not UTF-8; rename the file"), "\(outcome.errors)")
    #expect(try ByteName.names(inFolder: folder.path).isEmpty, "nothing is made under another name")
  }

  @Test("A spool by a variable or behind a link is refused; none of another name is made")
  func spools() throws {
    for program in ["sidctl", "sid-spoold"] {
      let action = program == "sidctl" ? "status" : "--exit-when-idle"
      let outcome = try run("SID_SPOOL=\"$latin\" \"$1\" \(action)", program)
      #expect(outcome.status == 64, "\(outcome.errors)")
      #expect(outcome.errors.contains("SID_SPOOL: its value caf\\xe9 is not UTF-8"), "\(outcome.errors)")
    }
    let linked = try run("mkdir \"$latin\"; ln -s \"$latin\" link; \"$1\" --spool link --exit-when-idle", "sid-spoold")
    #expect(linked.status == 78, "\(linked.errors)")
    #expect(linked.errors.contains("link: its real path is not UTF-8"), "\(linked.errors)")
    #expect(try ByteName.names(inFolder: folder.path).count == 2)
  }

  @Test("Shards are found beside foreign names, and what a killed export left under such names is in nobody's way")
  func archives() throws {
    try writeNetwork(try loadNetwork("golden/checkpoints/sid_b_teacher.pkl"), folder.file("n.h5"))
    try make([0xFF] + Array("-00000.h5".utf8), in: folder.path)
    for share in ["1/2", "2/2"] {
      let made = try Programs.run(
        "sid-sample",
        [
          "--network", folder.file("n.h5"), "--seeds", "0-7", "--shard-size", "4", "--output", folder.file("a.h5"),
          "--shards", share,
        ])
      #expect(made.status == 0, "\(made.errors)")
    }
    let merged = try Programs.run("sid-sample", ["merge", folder.file("a.h5")])
    #expect(merged.status == 0, "\(merged.errors)")
    let left = folder.file("a-png.partial")
    try FileManager.default.createDirectory(atPath: left + "/000", withIntermediateDirectories: true)
    try make([0xE9], in: left)
    try make([0xE9, 0xFF], in: left + "/000")
    let exported = try Programs.run("sid-sample", ["export", folder.file("a.h5"), "--to", "png"])
    #expect(exported.status == 0, "\(exported.errors)")
    #expect(try ByteName.names(inFolder: folder.file("a-png")).allSatisfy { $0.text != nil })
    #expect(access(left, F_OK) != 0)
  }

  @Test("A finished job whose folder holds such a name is pruned like any other")
  func pruning() throws {
    let spool = try SpoolFixture(secondsPerUnit: 0)
    try spool.drop(SpoolFixture.job)
    try spool.startDaemon()
    try spool.wait("the job") { !spool.jobs("done").isEmpty }
    let job = try #require(spool.jobs("done").first)
    try FileManager.default.createDirectory(atPath: job + "/mine", withIntermediateDirectories: true)
    for place in [job, job + "/mine"] { try make([0xE9, 0x2E, 0x68, 0x35], in: place) }
    let pruned = try spool.control("prune", "three")
    #expect(pruned.status == 0, "\(pruned.errors) \(spool.log)")
    #expect(spool.jobs("done").isEmpty)
  }
}
