import Foundation
import OptionValues
import Spool
import Synchronization
import TestSupport
import Testing
import YAML

/// A value that a program's parser refuses is refused in a job file, and no other: the programs and the reader of job files
/// are asked for every option of every stage, with values of every kind.
///
/// The programs get inputs that do not exist. One that takes its command line ends with 66, one that refuses it with 64.
@Suite("Values of options")
struct OptionAgreementTests {
  /// A stage with what it needs besides the options under test.
  struct Base {
    let arguments: [String]
    let job: [(key: String, value: String)]

    /// What goes with adversarial training alone.
    private static let ofAdversarial: Set = [
      "discriminator-loss-scale", "adversarial-loss-scale", "generator-start-kimg", "adversarial-start-kimg",
      "gradient-clip", "adversarial-group",
    ]

    static func of(_ stage: String, given keys: Set<String>) -> Base {
      let base = of(stage)
      guard stage == "distill", !keys.isDisjoint(with: ofAdversarial) else { return base }
      return Base(
        arguments: base.arguments + ["--adversarial", "--dataset=missing.zip"],
        job: base.job + [("adversarial", "true"), ("dataset", "missing.zip")])
    }

    private static func of(_ stage: String) -> Base {
      switch stage {
      case "convert": Base(arguments: ["missing.pkl", "--output=o.h5"], job: [("source", "missing.pkl")])
      case "dataset": Base(arguments: ["missing.zip", "--output=o.zip"], job: [("source", "missing.zip")])
      case "train":
        Base(
          arguments: ["--output=o.h5", "--state=s.h5", "--evaluate", "--dataset=missing.zip"]
            + ["features", "reference"].map { "--\($0)=missing.h5" },
          job: [("evaluate", "true"), ("dataset", "missing.zip")]
            + ["features", "reference"].map { ($0, "missing.h5") })
      case "distill":
        Base(
          arguments: ["--output=o.h5", "--state=s.h5", "--evaluate"]
            + ["teacher", "features", "reference"].map { "--\($0)=missing.h5" },
          job: [("evaluate", "true")] + ["teacher", "features", "reference"].map { ($0, "missing.h5") })
      case "sample":
        Base(
          arguments: ["--network=missing.h5", "--output=o.h5", "--seeds=0-9", "--sampler=heun"],
          job: [("network", "missing.h5"), ("seeds", "0-9"), ("sampler", "heun")])
      case "score":
        Base(
          arguments: ["--output=o.h5"] + ["samples", "features", "reference"].map { "--\($0)=missing.h5" },
          job: ["samples", "features", "reference"].map { ($0, "missing.h5") })
      case "reference":
        Base(
          arguments: ["--output=o.h5"] + ["dataset", "features"].map { "--\($0)=missing.h5" },
          job: ["dataset", "features"].map { ($0, "missing.h5") })
      default: Base(arguments: ["--job=missing", "--output=o.html"], job: [])
      }
    }
  }

  /// Values of every kind, right for some options and wrong for others.
  static let texts = [
    "", "1", "0", "-1", "1e2", "0x10", "+5", " 5", "08", "0.5", "1.0", "inf", "nan", "1e39", "1e-60",
    "18446744073709551615", "18446744073709551616", "1_000", "word", "9-0", "0-9", "2/1", "1/2", "source=", "fid,fid",
  ]

  /// Values near the limits of a kind.
  private func nearTexts(_ kind: ValueKind) -> [String] {
    var texts: [String] = []
    for name in kind.names { texts += [name, String(name.dropLast()), name.uppercased()] }
    if case .wholeNumber(let range, _) = kind {
      texts += [range.lowerBound - 1, range.lowerBound, range.upperBound].map { "\($0)" }
      if range.upperBound < .max { texts.append("\(range.upperBound + 1)") }
    }
    switch kind {
    case .pictureSize: texts += ["8192", "8193", "64x", "x64", "48x64", "64x48x1", "64X48", "1_0"]
    case .colour: texts += ["white", "20a0ff", "#20A0FF", "20a0f", "20a0f_", "+0a0ff", "White"]
    default: break
    }
    return texts
  }

  private func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }

  /// What the reader of job files says of a step.
  private func jobError(_ stage: StageVocabulary, _ given: [(key: String, value: String)]) -> YAMLError? {
    let keys = Set(given.map(\.key))
    let base = Base.of(stage.stage, given: keys).job.filter { !keys.contains($0.key) }
    let options = base + given.map { ($0.key, quoted($0.value)) }
    let lines = options.map { "      \($0.key): \($0.value)" }.joined(separator: "\n")
    let text = "job: j\nsteps:\n  - \(stage.stage):\(options.isEmpty ? " {}" : "\n" + lines)\n"
    do {
      _ = try JobFile(Array(text.utf8))
      return nil
    } catch {
      return error as? YAMLError
    }
  }

  /// How the stage's program ends.
  private func run(_ stage: StageVocabulary, _ given: [(key: String, value: String)], folder: String) throws
    -> Programs.Outcome
  {
    let names = given.map { "--\($0.key)" }
    let base = Base.of(stage.stage, given: Set(given.map(\.key))).arguments.filter { argument in
      !names.contains { argument == $0 || argument.hasPrefix($0 + "=") }
    }
    let arguments = (stage.subcommand.map { [$0] } ?? []) + base + given.map { "--\($0.key)=\($0.value)" }
    return try Programs.run(stage.program, arguments, folder: folder)
  }

  @Test("are refused by the program and in a job file alike", arguments: StageVocabulary.all.map(\.stage))
  func valuesAgree(_ name: String) throws {
    let stage = try #require(StageVocabulary.named(name))
    let folder = try TemporaryFolder()
    var taken: [[(key: String, value: String)]] = []
    var refused: [(key: String, value: String, problem: String)] = []
    for (number, option) in stage.options.enumerated() {
      let kind: ValueKind
      switch option.value {
      case .value(let single): kind = single
      case .list(let each): kind = each
      case .flag, .input: continue
      }
      var count = 0
      let near = nearTexts(kind)
      var others = 0
      for text in near + Self.texts.filter({ !near.contains($0) }) {
        if let error = jobError(stage, [(option.name, text)]) {
          #expect(error.key == option.name && error.line > 3, "\(name): \(option.name): '\(text)': \(error)")
          // Each option meets a part of what is wrong everywhere: another than its neighbours.
          if !near.contains(text) {
            others += 1
            guard (others + number).isMultiple(of: 4) else { continue }
          }
          refused.append((option.name, text, error.problem))
        } else {
          // The first values of all options go into one command line, the second into the next.
          if count == taken.count { taken.append([]) }
          taken[count].append((option.name, text))
          count += 1
        }
      }
      #expect(count > 0, "\(name): \(option.name): nothing was taken")
    }
    for given in taken where try run(stage, given, folder: folder.path).status != 66 {
      // One by one, for values that do not go together; `relationsAgree` is about those.
      for single in given {
        let outcome = try run(stage, [single], folder: folder.path)
        #expect(outcome.status == 66, "\(name): \(single): a job may say what the program refuses: \(outcome.errors)")
      }
    }
    let all = refused
    let outcomes = Mutex<[(Int, Programs.Outcome)]>([])
    DispatchQueue.concurrentPerform(iterations: all.count) { number in
      let (key, value, _) = all[number]
      guard let outcome = try? run(stage, [(key, value)], folder: folder.path) else { return }
      outcomes.withLock { $0.append((number, outcome)) }
    }
    let ended = outcomes.withLock { $0 }
    #expect(ended.count == refused.count)
    for (number, outcome) in ended {
      let (key, value, problem) = refused[number]
      #expect(outcome.status == 64, "\(name): \(key): '\(value)': a job may not say what the program takes: \(problem)")
      // The same rule in the same words.
      let rule = problem.split(separator: "; ", maxSplits: 1).last.map(String.init) ?? problem
      if !value.isEmpty, rule.hasPrefix("expected ") {
        #expect(outcome.errors.contains(rule), "\(name): \(key): '\(value)': \(problem): \(outcome.errors)")
      }
    }
  }

  struct Relation: Sendable, CustomTestStringConvertible {
    let stage: String
    let given: [String]
    /// The key that is to blame; nil where the values go together.
    let key: String?

    init(_ stage: String, _ given: String, key: String? = nil) {
      (self.stage, self.given, self.key) = (stage, given.split(separator: " ").map(String.init), key)
    }

    var testDescription: String { "\(stage) \(given.joined(separator: " "))" }
  }

  static let digest = String(repeating: "0", count: 64)

  static let relations: [Relation] = [
    .init("sample", "sigma-min=2 sigma-max=1", key: "sigma-min"), .init("sample", "sigma-max=0.001", key: "sigma-max"),
    .init("sample", "sigma-min=80", key: "sigma-min"), .init("sample", "sigma-min=79"),
    .init("sample", "s-min=2 s-max=1", key: "s-min"), .init("sample", "s-min=1 s-max=1"),
    .init("sample", "sampler=one-step s-churn=1", key: "s-churn"), .init("sample", "sampler=one-step s-churn=0"),
    .init("sample", "s-churn=40"), .init("sample", "s-churn=40 rng=torch-cuda", key: "s-churn"),
    .init("sample", "s-churn=40 rng=philox"), .init("sample", "sampler=one-step steps=5"),
    .init("sample", "seeds=4294967296", key: "seeds"), .init("sample", "seeds=4294967295"),
    .init("sample", "seeds=0,4294967296 rng=torch-cuda", key: "seeds"),
    .init("sample", "seeds=4294967296 rng=philox"),
    .init("sample", "class=1 labels-file=missing.txt", key: "class"), .init("sample", "labels-file=missing.txt"),
    .init("sample", "expect-sha256=netwrok=\(digest)", key: "expect-sha256"),
    .init("sample", "expect-sha256=labels-file=\(digest)", key: "expect-sha256"),
    .init("sample", "expect-sha256=labels-file=\(digest) labels-file=missing.txt"),
    .init("sample", "expect-sha256=netwrok="), .init("sample", "expect-sha256=network=\(digest)"),
    .init("sample", "export=npz shard-size=10"),
    .init("convert", "expect-sha256=config=\(digest)", key: "expect-sha256"),
    .init("convert", "expect-sha256=config=\(digest) config=missing.yaml"),
    .init("convert", "expect-sha256=source=\(digest)"),
    .init("dataset", "resolution=64"), .init("dataset", "resolution=64x48", key: "resolution"),
    .init("dataset", "resolution=64x48 transform=center-crop-wide"),
    .init("dataset", "resolution=64 transform=center-crop-wide", key: "transform"),
    .init("dataset", "expect-sha256=sourec=\(digest)", key: "expect-sha256"),
    .init("score", "count=5 resample=5", key: "count"), .init("score", "resample=5 resample-seed=1"),
    .init("score", "sets=4 count=1001", key: "count"), .init("score", "sets=4 count=1000"),
    .init("score", "sets=4 count=4", key: "count"), .init("score", "sets=4 resample=1001", key: "resample"),
    .init("score", "sets=1 count=1001"), .init("score", "sets=2 bootstrap=2", key: "sets"),
    .init("score", "sets=2 bootstrap=0"), .init("score", "sets=1 bootstrap=2"),
    .init("score", "expect-sha256=dataset=\(digest)", key: "expect-sha256"),
    .init("score", "expect-sha256=reference=\(digest)"),
    .init("reference", "expect-sha256=samples=\(digest)", key: "expect-sha256"),
    .init("reference", "expect-sha256=dataset=\(digest)"),
    .init("convert", "expect-sha256=ema=\(digest)", key: "expect-sha256"),
    .init("convert", "expect-sha256=ema=\(digest) ema=missing.pkl"),
    .init("train", "config=missing.yaml"), .init("train", "transfer=missing.h5"),
    .init("train", "config=missing.yaml transfer=missing.h5", key: "config"),
    .init("train", "config=missing.yaml arch=adm", key: "arch"),
    .init("train", "transfer=missing.h5 channel-mult=1,2", key: "channel-mult"),
    .init("train", "transfer=missing.h5 expect-sha256=config=\(digest)", key: "expect-sha256"),
    .init("train", "expect-sha256=dataset=\(digest)"), .init("train", "evaluate-steps=5"),
    .init("distill", "expect-sha256=labels=\(digest)", key: "expect-sha256"),
    .init("distill", "expect-sha256=labels=\(digest) labels=missing.zip"),
    .init("distill", "dataset=missing.zip", key: "dataset"),
    .init("distill", "adversarial-group=image"),
    .init("distill", "adversarial-group=image labels=missing.zip", key: "labels"),
    .init("distill", "adversarial-group=image expect-sha256=dataset=\(digest)"),
    .init("distill", "expect-sha256=dataset=\(digest)", key: "expect-sha256"),
    .init("distill", "expect-sha256=initial-generator=\(digest)", key: "expect-sha256"),
    .init("distill", "expect-sha256=initial-generator=\(digest) initial-generator=missing.h5"),
    .init("distill", "expect-sha256=features=\(digest)"), .init("distill", "batch=4 microbatch=64"),
  ]

  @Test("that do not fit each other are refused by the program and in a job file alike", arguments: relations)
  func relationsAgree(_ relation: Relation) throws {
    let stage = try #require(StageVocabulary.named(relation.stage))
    let folder = try TemporaryFolder()
    let given = relation.given.map { text in
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      return (key: parts[0], value: parts[1])
    }
    let error = jobError(stage, given)
    #expect(error?.key == relation.key, "\(String(describing: error))")
    let outcome = try run(stage, given, folder: folder.path)
    #expect(outcome.status == (relation.key == nil ? 66 : 64), "\(outcome.errors)")
    if let error {
      let said = ["--\(error.key ?? "") \(error.problem)", "--\(error.problem)"]
      #expect(said.contains { outcome.errors.contains($0) }, "\(error): \(outcome.errors)")
    }
  }

  @Test("of a repeated option, and options of an evaluation without one, are refused alike")
  func otherRelations() throws {
    let folder = try TemporaryFolder()
    for (arguments, step, key) in [
      (
        [
          "sid-score", "--output=o.h5", "--samples=m", "--reference=m", "--features=m", "--metrics=fid",
          "--metrics=kid,fid",
        ],
        "score: { samples: m, reference: m, features: m, metrics: [fid, 'kid,fid'] }", "metrics"
      ),
      (
        ["sid-distill", "--teacher=m", "--output=o.h5", "--state=s.h5", "--stop-at-fd=1"],
        "distill: { teacher: m, stop-at-fd: 1 }", "stop-at-fd"
      ),
      (
        ["sid-distill", "--teacher=m", "--output=o.h5", "--state=s.h5", "--evaluate-metrics=kid"],
        "distill: { teacher: m, evaluate: false, evaluate-metrics: kid }", "evaluate-metrics"
      ),
      (
        [
          "sid-distill", "--teacher=m", "--output=o.h5", "--state=s.h5", "--features=m",
          "--expect-sha256=features=\(Self.digest)",
        ],
        "distill: { teacher: m, features: m, expect-sha256: 'features=\(Self.digest)' }", "expect-sha256"
      ),
    ] {
      let error = #expect(throws: YAMLError.self) { try JobFile(Array("job: j\nsteps:\n  - \(step)\n".utf8)) }
      #expect(error?.line == 3 && error?.key == key)
      let outcome = try Programs.run(arguments[0], Array(arguments.dropFirst()), folder: folder.path)
      #expect(outcome.status == 64 && outcome.errors.contains("--\(key) \(error?.problem ?? "?")"), "\(outcome.errors)")
    }
    // What the program insists on the job fills in or refuses.
    let lacking = try Programs.run(
      "sid-distill", ["--teacher=m", "--output=o.h5", "--state=s.h5", "--evaluate"], folder: folder.path)
    #expect(lacking.status == 64 && lacking.errors.contains("--evaluate needs features and reference"))
  }
}
