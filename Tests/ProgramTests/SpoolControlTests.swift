import Foundation
import TestSupport
import Testing

@Suite("sidctl", .serialized)
struct SpoolControlTests {
  @Test("submits a job, follows it to its end and shows it")
  func submitsAndWatches() throws {
    let spool = try SpoolFixture()
    try spool.write(SpoolFixture.job, to: "three.yaml")
    try spool.startDaemon()
    try spool.wait("the daemon") { spool.log.contains("started on") }
    let submitted = try spool.control("submit", spool.folder.file("three.yaml"))
    #expect(submitted.status == 0, "\(submitted.errors)")
    let reference = submitted.output.trimmingCharacters(in: .whitespacesAndNewlines)
    #expect(reference.wholeMatch(of: /three-[0-9a-f]{4}/) != nil)
    let watched = try spool.control("watch", reference)
    #expect(watched.status == 0)
    let folder = try #require(spool.jobs("done").first)
    #expect(folder.hasSuffix(reference))
    #expect(watched.output == folder + "\n")
    for step in ["teacher", "sample", "score"] {
      #expect(watched.errors.contains("step \"\(step)\" finished"), "\(watched.errors)")
    }

    let table = try spool.control("status")
    let id = (folder as NSString).lastPathComponent
    #expect(table.output.contains(id) && table.output.contains("done"))
    let json = try spool.control("status", "three", "--json")
    let list = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]])
    #expect(list.count == 1 && list[0]["id"] as? String == id && list[0]["state"] as? String == "done")
    #expect(list[0]["folder"] as? String == folder)
  }

  @Test("says that a job has failed, with status 1")
  func watchesAFailure() throws {
    let spool = try SpoolFixture(behaviour: "echo 'sid-convert: teacher.pkl: not a pickle' >&2; exit 65")
    try spool.write(SpoolFixture.job, to: "three.yaml")
    try spool.startDaemon()
    try spool.wait("the daemon") { spool.log.contains("started on") }
    let watched = try spool.control("submit", "--watch", spool.folder.file("three.yaml"))
    #expect(watched.status == 1)
    #expect(watched.errors.contains("failed: step \"teacher\": sid-convert: teacher.pkl: not a pickle"))
    #expect(try spool.control("status", "three").output.contains("not a pickle"))
  }

  @Test("submits a job with overrides: what is stored is what ran")
  func overrides() throws {
    let spool = try SpoolFixture()
    let file = spool.folder.file("three.yaml")
    try spool.write(SpoolFixture.job, to: "three.yaml")
    let overrides = ["--set", "sample.seeds=0-3", "--set", "teacher.expect-sha256=[source=, config=]"]
    let printed = try Programs.run("sidctl", ["submit", file, "--print"] + overrides)
    #expect(printed.status == 0, "nothing is submitted, so no spool is needed: \(printed.errors)")
    #expect(printed.output.contains("seeds: 0-3") && printed.output.contains("#   --set sample.seeds=0-3\n"))

    try spool.startDaemon()
    try spool.wait("the daemon") { spool.log.contains("started on") }
    let submitted = try Programs.run("sidctl", ["submit", "--watch", file, "--spool", spool.spool] + overrides)
    #expect(submitted.status == 0, "\(submitted.errors)")
    let folder = try #require(spool.jobs("done").first)
    #expect(spool.read(folder + "/job.yaml") == printed.output)
    let ran = spool.read(folder + "/ran.txt")
    #expect(ran.contains("--seeds=0-3") && ran.contains("--expect-sha256=source= --expect-sha256=config="), "\(ran)")
    #expect(spool.read(file) == SpoolFixture.job, "the file itself stays as it is")

    let wrong = try spool.control("submit", file, "--set", "sample.sedes=0-3")
    #expect(wrong.status == 64)
    #expect(
      wrong.errors
        == "sidctl: --set sample.sedes=0-3: key \"sedes\": unknown option of the stage \"sample\"; "
        + "did you mean \"seeds\"?\n")
    #expect(spool.jobs("done").count == 1 && spool.jobs("incoming").isEmpty)
  }

  @Test("submits nothing that is wrong, and says where it is")
  func checksBeforeSubmitting() throws {
    let spool = try SpoolFixture()
    let file = spool.folder.file("bad.yaml")
    try spool.write("job: bad\nsteps:\n  - convert: { source: t.pkl, kee: ema }\n", to: "bad.yaml")
    #expect(try spool.control("submit", file).status == 66, "there is no spool yet")
    try spool.drop(SpoolFixture.job)
    let submitted = try spool.control("submit", file)
    #expect(submitted.status == 65)
    #expect(
      submitted.errors
        == "sidctl: \(file):3: key \"kee\": unknown option of the stage \"convert\"; did you mean \"key\"?\n")
    #expect(spool.jobs("incoming").count == 1)
    #expect(try spool.control("submit", spool.folder.file("none.yaml")).status == 66)
    #expect(try spool.control("status", "nobody").status == 66)
    #expect(try Programs.run("sidctl", ["frobnicate"]).status == 64)
  }
}
