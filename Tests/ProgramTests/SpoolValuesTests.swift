import Foundation
import TestSupport
import Testing

@Suite("Values in submitted jobs")
struct SpoolValuesTests {
  /// Steps with one wrong value, on line 5 of their job, and what is said of it.
  static let wrong: [(step: String, message: String)] = [
    ("distill: { teacher: t, batch: 1e2 }", "key \"batch\": is \"1e2\"; expected a whole number from 1 to 16777216"),
    (
      "sample: { network: t, sampler: huen, seeds: 0-9 }",
      "key \"sampler\": is \"huen\"; expected one of one-step, heun; did you mean \"heun\"?"
    ),
    (
      "sample: { network: t, seeds: 9-0 }",
      "key \"seeds\": is \"9-0\"; expected seeds such as 0-49999 or 1,5,10-20; \"9-0\" runs backwards"
    ),
    (
      "sample: { network: t, seeds: 0-9, export: [npy] }",
      "key \"export\": is \"npy\"; expected one of edm-zip, npz, webdataset, png, hdf5; did you mean \"npz\"?"
    ),
    (
      "sample: { network: t, seeds: 0-9, kernels: quick }",
      "key \"kernels\": is \"quick\"; expected one of fast, accurate, exact"
    ),
    (
      "sample: { network: t, seeds: 0-9, threads: 0 }",
      "key \"threads\": is \"0\"; expected a whole number from 1 to 1024"
    ),
    ("sample: { network: t, seeds: 0-9, sampler: Heun }", "did you mean \"heun\"?"),
    ("sample: { network: t, seeds: 4294967296 }", "key \"seeds\": has seed 4294967296, above 4294967295"),
    ("sample: { network: t, seeds: 0-9, class: cat }", "key \"class\": is \"cat\"; expected random, balanced"),
    ("sample: { network: t, seeds: 0-9, s-churn: 40 }", "key \"s-churn\": needs the sampler heun"),
    ("score: { samples: t.h5, features: t, reference: r.h5, metrics: 'fid,kdi' }", "did you mean \"kid\"?"),
    ("score: { samples: t.h5, features: t, reference: r.h5, figure: FD }", "key \"figure\": is \"FD\""),
    ("score: { samples: t.h5, features: t, reference: r.h5, convention: torch }", "expected one of native"),
    ("reference: { dataset: d.zip, features: t, share: 1/4 }", "key \"share\": is set by the daemon; remove it"),
    ("score: { samples: t.h5, features: t, reference: r.h5, shares: 4 }", "key \"shares\": is set by the daemon"),
    ("distill: { teacher: t, dropout: 1 }", "expected a number from 0 to below 1"),
    ("distill: { teacher: t, stop-at-fd: 2 }", "key \"stop-at-fd\": needs evaluate"),
    ("sample: { network: t, seeds: 0-9, expect-sha256: network=12 }", "expected INPUT=DIGEST"),
    ("report: { frames: 1 }", "key \"frames\": is \"1\"; expected a whole number from 2 to 32"),
  ]

  private func job(_ step: String) -> String {
    "# late\njob: late\nsteps:\n  - convert: { source: teacher.pkl, name: t }\n  - \(step)\n"
  }

  @Test("A value that its stage would refuse is refused when it is submitted, with its line, and so by the daemon")
  func refuses() throws {
    let spool = try SpoolFixture()
    try FileManager.default.createDirectory(atPath: spool.spool + "/incoming", withIntermediateDirectories: true)
    let file = spool.folder.file("late.yaml")
    for (number, (step, message)) in Self.wrong.enumerated() {
      try spool.write(job(step), to: "late.yaml")
      let submitted = try spool.control("submit", file)
      #expect(submitted.status == 65, "\(step)")
      #expect(
        submitted.errors.hasPrefix("sidctl: \(file):5: key ") && submitted.errors.contains(message),
        "\(submitted.errors)")
      #expect(submitted.errors.split(separator: "\n").count == 1)
      try spool.drop(job(step), as: "late-\(number).yaml")
    }
    #expect(spool.jobs("incoming").count == Self.wrong.count, "nothing was submitted")
    let daemon = try spool.startDaemon(["--exit-when-idle"])
    try spool.wait("its end") { !daemon.isRunning }
    let failed = spool.jobs("failed")
    #expect(failed.count == Self.wrong.count && spool.jobs("done").isEmpty, "\(spool.log)")
    let reasons = try failed.map { try #require(try spool.status($0)["reason"] as? String) }
    for (step, message) in Self.wrong {
      #expect(reasons.contains { $0.contains("5: ") && $0.contains(message) }, "\(step): \(reasons)")
    }
    for folder in failed { #expect(spool.lines(folder + "/ran.txt").isEmpty, "a stage was started") }
  }

  @Test("So is one that --set brings in; what the stage takes is run")
  func overrides() throws {
    let spool = try SpoolFixture()
    let file = spool.folder.file("late.yaml")
    try spool.write(job("sample: { network: t, seeds: 0-9, name: s }").replacing("\n", with: "\r\n"), to: "late.yaml")
    try spool.drop(job("sample: { network: t, seeds: 08, batch: \"+4\", s-max: inf }"))
    for (override, message) in [
      ("s.batch=1e2", "key \"batch\": is \"1e2\"; expected a whole number from 1 to 1048576"),
      ("s.s-churn=40", "key \"s-churn\": needs the sampler heun"),
    ] {
      let outcome = try spool.control("submit", file, "--set", override)
      #expect(
        outcome.status == 64 && outcome.errors.hasPrefix("sidctl: --set \(override): \(message)"), "\(outcome.errors)")
    }
    let taken = try spool.control("submit", file, "--set", "s.s-churn=40", "--set", "s.sampler=heun")
    #expect(taken.status == 0, "\(taken.errors)")
    let daemon = try spool.startDaemon(["--exit-when-idle"])
    try spool.wait("its end") { !daemon.isRunning }
    #expect(spool.jobs("done").count == 2, "\(spool.log)")
    let ran = spool.jobs("done").map { spool.read($0 + "/ran.txt") }.joined()
    #expect(ran.contains("--s-churn=40") && ran.contains("--seeds=08") && ran.contains("--batch=+4"), "\(ran)")
  }
}
