import Foundation
import Spool
import TestSupport
import Testing
import YAML

@Suite("Job files")
struct JobFileTests {
  /// A job file with one thing wrong, and where.
  struct Malformed: Sendable, CustomTestStringConvertible {
    let what: String
    let text: String
    let line: Int
    let key: String?
    let says: String

    init(_ what: String, _ text: String, line: Int, key: String?, says: String) {
      (self.what, self.text, self.line, self.key, self.says) = (what, text, line, key, says)
    }

    var testDescription: String { what }

    /// One step with these options, on line 3.
    static func step(_ what: String, _ step: String, key: String?, says: String) -> Malformed {
      Malformed(what, "job: j\nsteps:\n  - \(step)\n", line: 3, key: key, says: says)
    }
  }

  static let malformed: [Malformed] = [
    .init("empty", "", line: 1, key: nil, says: "the file is empty"),
    .init("comments alone", "# nothing\n", line: 1, key: nil, says: "the file is empty"),
    .init("no YAML", "job: j\nsteps: [\n", line: 3, key: nil, says: "not YAML"),
    .init("a tab", "job: j\nsteps:\n\t- report: {}\n", line: 3, key: nil, says: "not YAML"),
    .init("not UTF-8", "job: j\nsteps: \u{0}\n", line: 2, key: nil, says: "not YAML"),
    .init("a list", "- job\n", line: 1, key: nil, says: "the file is a list"),
    .init("two documents", "job: j\n---\njob: k\n", line: 2, key: nil, says: "second document"),
    .init("an unknown key", "job: j\nstep:\n  - sample: {}\n", line: 2, key: "step", says: "did you mean \"steps\"?"),
    .init("no step", "job: j\nsteps: []\n", line: 2, key: "steps", says: "an empty list"),
    .init("the same key twice", "job: j\njob: k\n", line: 2, key: "job", says: "given twice, first on line 1"),
    .init("no job", "steps:\n  - convert: { source: t.pkl }\n", line: 1, key: "job", says: "missing"),
    .step(
      "an unknown key of slurm", "sample: { network: t.h5, seeds: 0-9, slurm: { tme: 1 h } }", key: "tme",
      says: "did you mean \"time\"?"),
    .step(
      "a time of slurm without a unit", "sample: { network: t.h5, seeds: 0-9, slurm: { time: 60 } }", key: "time",
      says: "12 h, 24:00:00 or 2-00:00:00"),
    .step(
      "ranks of a step that does not train", "sample: { network: t.h5, seeds: 0-9, slurm: { tasks: 2 } }", key: "tasks",
      says: "is for steps of the kinds that train"),
    .step(
      "shares of an archive without shards", "sample: { network: t.h5, seeds: 0-9, slurm: { shares: 2 } }",
      key: "shares",
      says: "\"sample\" with a shard-size"),
    .step(
      "shares of a step that has none", "convert: { source: t.pkl, slurm: { shares: 2 } }", key: "shares",
      says: "\"reference\" and \"score\""),
    .step(
      "slurm without keys", "sample: { network: t.h5, seeds: 0-9, slurm: 3 }", key: "slurm", says: "expected a mapping"),
    .init("no steps", "job: j\n", line: 1, key: "steps", says: "missing"),
    .init("a bad name", "job: My Job\n", line: 1, key: "job", says: "\"My Job\" is not a name"),
    .init("a name that climbs", "job: ../j\n", line: 1, key: "job", says: "is not a name"),
    .init("a name that is a list", "job: [j]\n", line: 1, key: "job", says: "is a list"),
    .init("a long name", "job: \(String(repeating: "x", count: 64))\n", line: 1, key: "job", says: "is not a name"),
    .init("an anchor", "job: &j j\n", line: 1, key: "job", says: "anchors (&) are not allowed"),
    .init(
      "an alias", "job: j\nsteps:\n  - convert: { source: a.pkl, name: x }\n  - sample: { seeds: *a }\n", line: 4,
      key: "seeds",
      says: "aliases (*a) are not allowed"),
    .init("a tag", "job: !!str j\n", line: 1, key: "job", says: "tags (!) are not allowed"),
    .init("a key that is a list", "? [a]\n: b\n", line: 1, key: nil, says: "where a key was expected"),
    .init("nesting", "job: \(String(repeating: "[", count: 500))\n", line: 1, key: "job", says: "levels deep"),
    .init("block nesting", String(repeating: "- ", count: 20_000) + "x\n", line: 1, key: nil, says: "levels deep"),
    .init("a null value", "job:\n", line: 1, key: "job", says: "is nothing"),
    .init("a line break in a value", "job: \"a\\nb\"\n", line: 1, key: "job", says: "control characters"),
    .step("a step that is a word", "sample", key: "steps", says: "the step is a single value"),
    .step("an unknown stage", "smaple: { seeds: 0-1 }", key: "smaple", says: "did you mean \"sample\"?"),
    .step("the folder of a report", "report: { job: elsewhere }", key: "job", says: "is set by the daemon"),
    .step("an unknown option", "distill: { teacher: t.h5, alhpa: 1 }", key: "alhpa", says: "did you mean \"alpha\"?"),
    .step(
      "an option of the daemon's", "sample: { network: n.h5, seeds: 1, output: x.h5 }", key: "output",
      says: "set by the daemon"),
    .step(
      "a number that is none", "distill: { teacher: t.h5, lr: many }", key: "lr",
      says: "is \"many\"; expected a number above 0"),
    .step(
      "a whole number that is none", "distill: { teacher: t.h5, batch: 1e2 }", key: "batch",
      says: "is \"1e2\"; expected a whole number from 1 to 16777216"),
    .step(
      "a number that is infinite", "distill: { teacher: t.h5, lr: inf }", key: "lr",
      says: "expected a number above 0"),
    .step(
      "a list for a number", "distill: { teacher: t.h5, batch: [1, 2] }", key: "batch",
      says: "is a list; expected a whole number"),
    .step(
      "a quoted number with a space", "distill: { teacher: t.h5, batch: ' 8' }", key: "batch",
      says: "expected a whole number"),
    .step(
      "a sampler misspelled", "sample: { network: n.h5, sampler: huen, seeds: 0-9 }", key: "sampler",
      says: "is \"huen\"; expected one of one-step, heun; did you mean \"heun\"?"),
    .step(
      "kernels that there are not", "sample: { network: n.h5, seeds: 0-9, kernels: quick }", key: "kernels",
      says: "expected one of fast, accurate, exact"),
    .step(
      "seeds that run backwards", "sample: { network: n.h5, seeds: 9-0 }", key: "seeds",
      says: "is \"9-0\"; expected seeds such as 0-49999 or 1,5,10-20; \"9-0\" runs backwards"),
    .init(
      "one format of a list",
      "job: j\nsteps:\n  - sample:\n      network: n.h5\n      seeds: 0-9\n      export:\n        - npz\n        - npy\n",
      line: 8, key: "export", says: "is \"npy\"; expected one of edm-zip, npz"),
    .step(
      "an empty value", "convert: { source: t.pkl, key: '' }", key: "key", says: "expected a text that is not empty"),
    .init(
      "values that do not fit each other",
      "job: j\nsteps:\n  - sample:\n      network: n.h5\n      seeds: 0-9\n      s-churn: 40\n", line: 6,
      key: "s-churn",
      says: "needs the sampler heun"),
    .step(
      "an evaluation's option without one", "distill: { teacher: t.h5, stop-at-fd: 2 }", key: "stop-at-fd",
      says: "needs evaluate"),
    .step(
      "a digest of no input", "convert: { source: t.pkl, expect-sha256: 'sorce=\(String(repeating: "0", count: 64))' }",
      key: "expect-sha256", says: "names no input \"sorce\"; the inputs are source; did you mean \"source\"?"),
    .step(
      "a word for a flag", "distill: { teacher: t.h5, evaluate: yes }", key: "evaluate", says: "expected true or false"),
    .step("a mapping for text", "sample: { network: n.h5, seeds: { a: 1 } }", key: "seeds", says: "is a mapping"),
    .step("an option left out", "sample: { network: n.h5 }", key: "sample", says: "\"seeds\" is missing"),
    .step(
      "an input nobody makes", "sample: { seeds: 0-9 }", key: "sample",
      says: "no earlier step makes a generator or a teacher"),
    .step("an absolute path", "convert: { source: /etc/passwd }", key: "source", says: "is an absolute path"),
    .step("a path that climbs", "convert: { source: a/../../b.pkl }", key: "source", says: "climbs out"),
    .step("an empty part", "convert: { source: a//b.pkl }", key: "source", says: "has an empty part"),
    .step("a bad step name", "convert: { source: t.pkl, name: \"Te ach\" }", key: "name", says: "is not a name"),
    .step("options in a list", "convert: [source]", key: "convert", says: "is a list; expected options"),
    .init(
      "a second key in a step", "job: j\nsteps:\n  - convert: { source: t.pkl }\n    name: teacher\n", line: 4,
      key: "name",
      says: "a second key in the step"),
    .init(
      "one name twice", "job: j\nsteps:\n  - convert: { source: t.pkl }\n  - convert: { source: u.pkl }\n", line: 4,
      key: "name", says: "is named \"convert\" already"),
    .step(
      "a step called as the job's files", "convert: { source: t.pkl, name: status }", key: "name",
      says: "\"status\" is what the job's own files are called"),
    .init(
      "a step called as a distillation's files",
      "job: j\nsteps:\n  - distill: { teacher: t.h5, name: generator }\n  - sample:\n      seeds: 0-9\n"
        + "      name: generator-best\n", line: 6, key: "name",
      says: "\"generator-best\" and \"generator\" (line 3) clash"),
    .init(
      "a distillation whose files are called as a step",
      "job: j\nsteps:\n  - convert: { source: t.pkl, name: distill-000010 }\n  - distill: {}\n", line: 4, key: "name",
      says: "\"distill\" and \"distill-000010\" (line 3) clash"),
    .init(
      "a step of the wrong kind",
      "job: j\nsteps:\n  - convert: { source: t.pkl, name: t }\n  - score: { samples: t }\n", line: 4,
      key: "samples", says: "the step \"t\" (line 3) makes a teacher; expected a data set or samples"),
    .init(
      "an option twice", "job: j\nsteps:\n  - sample:\n      seeds: 0-9\n      seeds: 0-8\n", line: 5, key: "seeds",
      says: "given twice, first on line 4"),
    .init(
      "much too large", "job: j\n#" + String(repeating: "x", count: JobFile.largestBytes), line: 1, key: nil,
      says: "64 KiB"),
  ]

  @Test("A malformed job file is refused at its line and key", arguments: malformed)
  func refuses(_ malformed: Malformed) throws {
    let error = try #require(throws: YAMLError.self) { try JobFile(Array(malformed.text.utf8)) }
    #expect(error.line == malformed.line, "\(error)")
    #expect(error.key == malformed.key, "\(error)")
    #expect(error.description.contains(malformed.says), "\(error)")
    #expect(!error.description.contains("\n"))
  }

  @Test("Values stand as the stage takes them, in any layout")
  func keepsValues() throws {
    let text = """
      job: j
      steps:
        - distill: { teacher: t.h5, seed: 08, lr: 2e-5, batch: "64", ema-halflife-kimg: inf, alpha: +1.2 }
        - sample: { seeds: 0-9, s-max: inf, sampler: 'heun', export: npz, class: 0, expect-sha256: [network=] }
      """
    for text in [text, text.replacing("\n", with: "\r\n")] {
      let steps = try JobFile(Array(text.utf8)).steps
      func value(_ step: Int, _ key: String) -> JobStep.Value? {
        steps[step].settings.first { $0.option.name == key }?.value
      }
      #expect(value(0, "seed") == .text("08") && value(0, "lr") == .text("2e-5") && value(0, "batch") == .text("64"))
      #expect(value(0, "ema-halflife-kimg") == .text("inf") && value(0, "alpha") == .text("+1.2"))
      #expect(value(1, "s-max") == .text("inf") && value(1, "sampler") == .text("heun"))
      #expect(value(1, "export") == .list(["npz"]) && value(1, "class") == .text("0"))
    }
  }

  @Test("Every name of the job's own files is refused", arguments: ["status", "summary", "job", "log", "submitted"])
  func refusesReservedNames(_ name: String) throws {
    func job(_ name: String) -> [UInt8] {
      Array("job: j\nsteps:\n  - convert: { source: t.pkl, name: \(name) }\n".utf8)
    }
    let error = try #require(throws: YAMLError.self) { try JobFile(job(name)) }
    #expect(error.line == 3 && error.key == "name", "\(error)")
    #expect(try JobFile(job(name + "-2")).steps.map(\.name) == [name + "-2"])
  }

  @Test("Names that only begin alike do not clash")
  func allowsNamesBesideADistillation() throws {
    let text = """
      job: j
      steps:
        - convert: { source: t.pkl, name: gen }
        - distill: { name: gen-one }
        - sample: { seeds: 0-9, name: gen-ones }
      """
    #expect(try JobFile(Array(text.utf8)).steps.map(\.name) == ["gen", "gen-one", "gen-ones"])
  }

  @Test("A byte order mark at the start counts nowhere: lines and indentation are those of the text behind it")
  func byteOrderMark() throws {
    let text = "job: bom\nsteps:\n  - convert: { source: t.pkl }\n"
    for ending in ["\n", "\r\n"] {
      let marked = "\u{FEFF}" + text.replacing("\n", with: ending)
      #expect(try JobFile(Array(marked.utf8)) == JobFile(Array(text.utf8)))
    }
    let cases: [(String, Int, String)] = [
      ("\u{FEFF}", 1, "the file is empty"), ("\u{FEFF}\n# nothing\n", 1, "the file is empty"),
      ("\u{FEFF}job: j\nstep:\n", 2, "did you mean \"steps\"?"), ("\u{FEFF}jop: j\n", 1, "did you mean \"job\"?"),
      ("\u{FEFF}job: j\nsteps: \u{0}\n", 2, "not YAML"),
      ("\u{FEFF}\u{FEFF}job: j\n", 1, ""), ("job: j\n\u{FEFF}steps: []\n", 2, ""),
    ]
    for (text, line, says) in cases {
      let error = try #require(throws: YAMLError.self) { try JobFile(Array(text.utf8)) }
      #expect(error.line == line && (says.isEmpty || "\(error)".contains(says)), "\(error)")
    }
  }

  @Test("UTF-16 is refused by its name", arguments: [String.Encoding.utf16, .utf16LittleEndian, .utf16BigEndian])
  func utf16(_ encoding: String.Encoding) throws {
    let text = (encoding == .utf16 ? "" : "\u{FEFF}") + "job: j\n"
    let error = try #require(throws: YAMLError.self) { try JobFile(Array(try #require(text.data(using: encoding)))) }
    #expect("\(error)" == "line 1: the file is UTF-16, not UTF-8; save it as UTF-8")
  }

  @Test("Bytes that are no UTF-8 are refused at their line")
  func refusesOtherEncodings() throws {
    let error = try #require(throws: YAMLError.self) { try JobFile(Array("job: j\n# ".utf8) + [0xFF, 0x0A]) }
    #expect(error.line == 2)
    #expect(error.description.contains("not YAML"))
  }

  private let digits = """
    job: digits   # a comment with *stars* & more
    steps:
      - convert: { source: digits/teacher.pkl, name: teacher }
      - convert: { source: digits/features.safetensors, config: digits/features.yaml, name: features }
      - reference: { dataset: digits/digits.zip }
      - sample: { seeds: 0-9, name: untrained }
      - distill: { alpha: 1.2, lr: 4e-4, evaluate: true, name: generator }
      - sample:
          seeds: 0-9999
      - sample: { network: teacher, sampler: heun, steps: 18, seeds: 0-4999, name: teacher-samples }
      - score: { samples: samples.h5, figure: fd_other }
      - score: { figure: "fd_teacher", name: last }
    """

  private func inputs(_ step: JobStep) -> [String: JobStep.Source] {
    var inputs: [String: JobStep.Source] = [:]
    for setting in step.settings { if case .input(let source) = setting.value { inputs[setting.option.name] = source } }
    return inputs
  }

  @Test("An input that is left out is the latest output of the right kind")
  func fillsInputs() throws {
    let job = try JobFile(Array(digits.utf8))
    #expect(job.name == "digits")
    #expect(
      job.steps.map(\.name) == [
        "teacher", "features", "reference", "untrained", "generator", "sample", "teacher-samples", "score", "last",
      ])
    #expect(inputs(job.steps[2]) == ["dataset": .file("digits/digits.zip"), "features": .step("features")])
    #expect(inputs(job.steps[3]) == ["network": .step("teacher")])
    #expect(
      inputs(job.steps[4]) == [
        "teacher": .step("teacher"), "features": .step("features"), "reference": .step("reference"),
      ])
    #expect(inputs(job.steps[5]) == ["network": .step("generator")])
    #expect(inputs(job.steps[6]) == ["network": .step("teacher")])
    #expect(inputs(job.steps[7])["samples"] == .file("samples.h5"))
    #expect(inputs(job.steps[8])["samples"] == .step("teacher-samples"))
  }

  @Test("A step that may have made something else is second choice")
  func prefersCertainKinds() throws {
    let text = """
      job: j
      steps:
        - convert: { source: a.pkl, name: first }
        - convert: { source: b.safetensors, config: b.yaml, name: second }
        - sample: { seeds: 0-9 }
        - sample: { seeds: 0-9, network: second, name: other }
        - score: { reference: r.h5 }
      """
    let job = try JobFile(Array(text.utf8))
    #expect(inputs(job.steps[2]) == ["network": .step("first")])
    #expect(inputs(job.steps[3]) == ["network": .step("second")])
    #expect(inputs(job.steps[4])["features"] == .step("second"))
  }

  @Test("What a conversion makes is known to its source alone: it may be named as either, and is a teacher by default")
  func namesEither() throws {
    let text = """
      job: j
      steps:
        - convert: { source: a.pkl, name: first }
        - convert: { source: weights.pth, name: second }
        - score: { samples: s.h5, reference: r.h5, features: second }
        - sample: { seeds: 0-9, network: first }
      """
    let job = try JobFile(Array(text.utf8))
    #expect(inputs(job.steps[2])["features"] == .step("second"))
    #expect(inputs(job.steps[3]) == ["network": .step("first")])
    let leftOut = text.replacing(", features: second", with: "")
    let error = try #require(throws: YAMLError.self) { try JobFile(Array(leftOut.utf8)) }
    #expect(error.problem.contains("no earlier step makes a feature network"), "\(error)")
  }

  @Test("A distillation without evaluation takes no features")
  func leavesOutWhatIsNotUsed() throws {
    let text = digits.replacingOccurrences(of: "evaluate: true", with: "evaluate: false")
    #expect(inputs(try JobFile(Array(text.utf8)).steps[4]) == ["teacher": .step("teacher")])
  }
}
