import Diagnostics
import Spool
import Testing

@Suite("Overrides of a job file")
struct JobOverrideTests {
  static let file = """
    # A job – with a dash that is no ASCII.
    job: digits
    steps:
      - convert: { source: digits/teacher.pkl, name: teacher }   # the teacher
      - distill:
          teacher: teacher
          batch: 256   # images
          lr: 4e-4
          name: generator
      - sample: {seeds: 0-9, name: samples}
      - sample: { seeds: 0-3, name: others }
      - score: { samples: samples, reference: r.h5, features: f.h5, name: score }
      - distill:
    """

  private func apply(_ overrides: [String], to text: String = file) throws -> String {
    let bytes = try JobOverride.apply(overrides.map { try JobOverride($0) }, to: Array(text.utf8), path: "j.yaml")
    return String(decoding: bytes, as: UTF8.self)
  }

  private func values(_ text: String, _ step: String) throws -> [String: JobStep.Value] {
    let job = try JobFile(Array(text.utf8))
    let step = try #require(job.steps.first { $0.name == step })
    return Dictionary(uniqueKeysWithValues: step.settings.map { ($0.option.name, $0.value) })
  }

  @Test("replace values and add them where they are missing, and leave everything else as it was")
  func applies() throws {
    let text = try apply([
      "generator.batch=2", "generator.duration-kimg=0.004", "samples.seeds=0-3", "samples.steps=5", "convert.key=ema",
      "distill.evaluate=false", "score.figure='fd_1'",
    ])
    #expect(
      text == """
        # A job – with a dash that is no ASCII.
        job: digits
        steps:
          - convert: { key: ema, source: digits/teacher.pkl, name: teacher }   # the teacher
          - distill:
              duration-kimg: 0.004
              teacher: teacher
              batch: 2   # images
              lr: 4e-4
              name: generator
          - sample: { steps: 5, seeds: 0-3, name: samples}
          - sample: { seeds: 0-3, name: others }
          - score: { figure: 'fd_1', samples: samples, reference: r.h5, features: f.h5, name: score }
          - distill: { evaluate: false }

        # Set when it was submitted:
        #   --set generator.batch=2
        #   --set generator.duration-kimg=0.004
        #   --set samples.seeds=0-3
        #   --set samples.steps=5
        #   --set convert.key=ema
        #   --set distill.evaluate=false
        #   --set score.figure='fd_1'

        """)
    #expect(try values(text, "generator")["batch"] == .text("2"))
    #expect(try values(text, "distill")["evaluate"] == .flag(false))
  }

  @Test(
    "read values as YAML and keep what they mean",
    arguments: [
      ("samples.seeds=1,5,10-20", "seeds", JobStep.Value.text("1,5,10-20")),
      ("samples.low-memory=true", "low-memory", .flag(true)),
      ("samples.seeds=\"0-3\"", "seeds", .text("0-3")),
      ("samples.labels-file=it's", "labels-file", .input(.file("it's"))),
      ("samples.expect-sha256=[a=, network=]", "expect-sha256", .list(["a=", "network="])),
      ("samples.expect-sha256=network=", "expect-sha256", .list(["network="])),
      ("samples.network=a b/ü.h5", "network", .input(.file("a b/ü.h5"))),
      ("samples.rho=7", "rho", .text("7")), ("generator.alpha=-7", "alpha", .text("-7")),
      ("samples.labels-file=a } # b", "labels-file", .input(.file("a }"))),
    ])
  func keepsMeaning(text: String, key: String, value: JobStep.Value) throws {
    #expect(try values(try apply([text]), text.hasPrefix("generator") ? "generator" : "samples")[key] == value)
  }

  @Test("replace lists in either notation")
  func replacesLists() throws {
    for list in ["[a=, b=]", "\n          - a=\n          - b=", "\n        - a=\n        - b="] {
      let file =
        "job: j\nsteps:\n  - convert:\n        source: t.pkl\n        expect-sha256: \(list)\n        key: ema\n"
      #expect(
        try values(apply(["convert.expect-sha256=source="], to: file), "convert")["expect-sha256"]
          == .list(["source="]))
      #expect(try values(apply(["convert.key=G"], to: file), "convert")["key"] == .text("G"))
    }
  }

  @Test("A byte order mark is not submitted, and moves no place")
  func byteOrderMark() throws {
    for text in [
      Self.file, "job: j\nsteps: [convert: {source: t.pkl, name: generator}]",
      "{job: j, steps: [convert: {source: t.pkl, name: generator}]}",
    ] {
      for override in ["generator.threads=2", "generator.threads='2'"] {
        #expect(try apply([override], to: "\u{FEFF}" + text) == apply([override], to: text))
      }
    }
  }

  @Test("Line breaks of other systems and empty options do no harm")
  func otherLayouts() throws {
    let crlf = Self.file.replacing("\n", with: "\r\n")
    #expect(try values(apply(["generator.lr=1", "generator.glr=2"], to: crlf), "generator")["glr"] == .text("2"))
    let empty = "job: j\nsteps:\n  - convert: { source: t.pkl }\n  - distill: {}\n"
    #expect(try values(apply(["distill.lr=1"], to: empty), "distill")["lr"] == .text("1"))
    let null = "job: j\nsteps:\n  - convert: { source: t.pkl }\n  - distill: ~  # nothing\n"
    #expect(try values(apply(["distill.lr=1"], to: null), "distill")["lr"] == .text("1"))
    let quoted = "{\"job\":\"j\",\"steps\":[{\"convert\":{\"source\":\"t.pkl\",\"key\":\"ema\"}}]}"
    #expect(try values(apply(["convert.key=G", "convert.name=t"], to: quoted), "t")["key"] == .text("G"))
  }

  @Test(
    "that are wrong are refused by name",
    arguments: [
      ("batch=2", "expected STEP.KEY=VALUE"), (".batch=2", "expected STEP.KEY=VALUE"),
      ("generator.=2", "expected STEP.KEY=VALUE"), ("generator.batch", "expected STEP.KEY=VALUE"),
      ("generator.batch=", "the value is missing"), ("generator.batch=~", "the value is nothing"),
      ("generator.batch={a: 1}", "the value is a mapping"), ("generator.batch=[[1]]", "the list holds a list"),
      ("generator.batch=*a", "put it in quotes"), ("generator.batch=1\n2", "line breaks"),
      ("generatr.batch=2", "did you mean \"generator\"?"), ("nothing.batch=2", "its steps are teacher, generator"),
      ("sample.seeds=1", "2 steps of the stage \"sample\"; name one: samples, others"),
      ("generator.bach=2", "did you mean \"batch\"?"), ("generator.batch=many", "expected a whole number"),
      ("generator.evaluate=yes", "expected true or false"), ("generator.output=x", "is set by the daemon"),
      ("generator.teacher=../t.h5", "climbs out"), ("generator.batch=[1, 2]", "expected a whole number"),
      ("generator.batch=1e2", "key \"batch\": is \"1e2\"; expected a whole number from 1 to 16777216"),
      ("samples.sampler=huen", "did you mean \"heun\"?"), ("samples.seeds=9-0", "\"9-0\" runs backwards"),
      ("samples.export=[npz, npy]", "is \"npy\"; expected one of edm-zip, npz"),
      ("samples.s-churn=40", "key \"s-churn\": needs the sampler heun"),
      ("samples.name=others", "named \"others\" already"),
    ])
  func refuses(text: String, says: String) throws {
    let failure = try #require(throws: Failure.self) { try apply([text]) }
    #expect(failure.status == .usage && failure.subject.hasPrefix("--set "), "\(failure)")
    #expect(failure.description.contains(says), "\(failure)")
  }

  @Test("of values that go together may come in any order; one that fits nothing is named")
  func valuesThatGoTogether() throws {
    for overrides in [["samples.s-churn=40", "samples.sampler=heun"], ["samples.sampler=heun", "samples.s-churn=40"]] {
      #expect(try values(try apply(overrides), "samples")["s-churn"] == .text("40"))
    }
    let failure = try #require(throws: Failure.self) { try apply(["samples.s-churn=40", "samples.steps=5"]) }
    #expect(failure.subject == "--set samples.s-churn=40" && failure.problem.contains("needs the sampler heun"))
    // Of a file in which they went together.
    let heun = try apply(["samples.sampler=heun", "samples.s-churn=40"])
    let broken = try #require(throws: Failure.self) { try apply(["samples.sampler=one-step"], to: heun) }
    #expect(broken.subject == "--set samples.sampler=one-step", "\(broken)")
  }

  @Test("of one option twice, and of a file that is wrong itself, are refused")
  func refusesMore() throws {
    let twice = try #require(throws: Failure.self) { try apply(["generator.lr=1", "generator.lr=2"]) }
    #expect(twice.problem.contains("set twice"))
    let wrong = try #require(throws: Failure.self) { try apply(["a.b=1"], to: "job: j\nsteps: []\n") }
    #expect(wrong.status == .dataError && wrong.subject == "j.yaml:2")
    #expect(try apply([]) == Self.file)
  }
}
