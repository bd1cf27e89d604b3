import Archives
import Models
import OptionValues
import Sampling
import Scoring
import Testing

@Suite("What values options take")
struct ValueKindTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let kind: ValueKind
    let good: [String]
    let bad: [String]

    var testDescription: String { kind.rule }
  }

  static let digest = String(repeating: "aB01", count: 16)

  static let cases = [
    Case(kind: .text, good: ["a", " "], bad: [""]),
    Case(
      kind: TrainingValues.batch.kind, good: ["1", "+5", "08", "16777216"],
      bad: ["0", "-1", "16777217", "1e2", "0x10", " 5", "5 ", "1_000", "1.0", "", "99999999999999999999"]),
    Case(kind: ScoreValues.sets.kind, good: ["1", "1000000"], bad: ["0", "-1", "1000001"]),
    Case(kind: ScoreValues.bootstrap.kind, good: ["0", "2", "100000"], bad: ["1", "-1", "100001"]),
    Case(
      kind: TrainingValues.seed.kind, good: ["0", "08", "18446744073709551615"],
      bad: ["-1", "1.5", "18446744073709551616", "1e2"]),
    Case(
      kind: TrainingValues.lr.kind, good: ["2e-5", "0x10", "1", "1e300"],
      bad: ["0", "-1", "nan", "inf", "1e400", "1e-400", " 1", ""]),
    Case(kind: DistillValues.tmax.kind, good: ["1000", "0.1"], bad: ["0", "1000.1", "inf"]),
    // What is kept in single precision counts as it is kept.
    Case(kind: TrainingValues.dropout.kind, good: ["0", "0.9999"], bad: ["1", "0.99999999999", "-0.1", "nan"]),
    Case(kind: DistillValues.initSigma.kind, good: ["2.5", "1e-30"], bad: ["1e-60", "1e39", "0"]),
    Case(kind: DistillValues.alpha.kind, good: ["-3", "1e38"], bad: ["1e39", "inf", "nan"]),
    Case(kind: SampleValues.sMax.kind, good: ["0", "inf", "1e400"], bad: ["-1", "-inf", "nan"]),
    Case(kind: TrainingValues.snapshotKimg.kind, good: ["1", "inf"], bad: ["0.9"]),
    Case(kind: SampleValues.sampler.kind, good: ["heun", "one-step"], bad: ["huen", "Heun", "oneStep", "heun ", ""]),
    Case(
      kind: ScoreValues.metrics.kind, good: ["fid", "fid,kid", "fid, kid"],
      bad: ["", "fid,", "fid,fid", "fdi", "fid;kid"]),
    Case(
      kind: TrainValues.channelMult.kind, good: ["1", "1,2,64", "1, 2"],
      bad: ["", "0", "65", "1,", ",1", "1;2", "1.5", "a"]),
    Case(
      kind: SampleValues.seeds.kind, good: ["0-9", "7", "9,3-5", "18446744073709551615"],
      bad: ["9-0", "", "a", "1,", "1-2-3", " 1", "-5", "18446744073709551616", "0-2199023255552"]),
    Case(kind: TrainingValues.evaluateSeeds.kind, good: ["0-4294967295"], bad: ["4294967296", "9-0"]),
    Case(
      kind: SampleValues.classes.kind,
      good: ["random", "balanced", "3", "0,3,5-7", "0*20,1*3", "7,2147483647*1", "0*1048576"],
      bad: [
        "blanced", "-1", "3,", "0-2097152", "0,2147483648", "", "0*", "*3", "0*0", "1*2*3", "0-3*2", "0*-1",
        "2147483648*2",
        "0*1048577", "0*1048576,1",
      ]),
    Case(
      kind: ScoreValues.share.kind, good: ["1/1", "2/5"], bad: ["0/4", "5/4", "1", "1/", "1/2/3", "a/b", "1/1048577"]),
    Case(
      kind: ScoreValues.figure.kind, good: ["fd_one", String(repeating: "x", count: 64)],
      bad: ["", "FD", "fd-one", "provenance", String(repeating: "x", count: 65)]),
    Case(
      kind: CommonValues.digests.kind, good: ["source=", "source=" + digest],
      bad: ["source", digest, "source=1", "source=" + digest + "0", "source=" + digest.dropLast() + "g"]),
  ]

  @Test("A kind takes what is one and refuses what is not, by its rule", arguments: cases)
  func checks(_ example: Case) {
    for text in example.good { #expect(throws: Never.self, "\(text)") { try example.kind.check(text) } }
    for text in example.bad {
      let problem = #expect(throws: ValueProblem.self, "\(text)") { try example.kind.check(text) }
      #expect(problem?.expected == example.kind.rule)
    }
  }

  @Test("A value is what its text says")
  func parses() throws {
    #expect(try TrainingValues.batch.parse("08") == 8)
    #expect(try TrainingValues.lr.parse("2e-5") == 2e-5)
    #expect(try SampleValues.rng.parse("torch-cuda") == .torchCUDA)
    #expect(try ScoreValues.metrics.parse("fid, kid") == ["fid", "kid"])
    #expect(try SampleValues.classes.parse("0,3,5-7") == .list([0, 3, 5, 6, 7]))
    #expect(try SampleValues.classes.parse("4*2,0,5-6") == .list([4, 4, 0, 5, 6]))
    let digest = try CommonValues.digests.parse("network=" + Self.digest)
    #expect(digest.input == "network" && digest.digest == Self.digest.lowercased())
  }

  @Test("What was probably meant is said")
  func suggests() {
    for (kind, text, hint) in [
      (SampleValues.sampler.kind, "huen", "did you mean \"heun\"?"),
      (SampleValues.export.kind, "npy", "did you mean \"npz\"?"),
      (ScoreValues.metrics.kind, "fid,kdi", "did you mean \"kid\"?"),
      (ScoreValues.metrics.kind, "kid,kid", "kid is named twice"),
      (SampleValues.classes.kind, "blanced", "did you mean \"balanced\"?"),
      (SampleValues.seeds.kind, "0-4,9-0", "\"9-0\" runs backwards"),
      (ScoreValues.figure.kind, "steps", "steps is a name of the score file's own fields"),
    ] {
      let problem = #expect(throws: ValueProblem.self) { try kind.check(text) }
      #expect(problem?.hint == hint)
    }
  }

  @Test("Names are those of the modules that know them")
  func namesAgree() {
    #expect(CommonValues.conventions == InputConvention.allCases.map(\.rawValue))
    #expect(CommonValues.archiveFormats == ArchiveExport.Format.allCases.map(\.rawValue))
  }

  @Test("A seed is a convention's if it is no larger than its largest")
  func seedsOfConventions() throws {
    for convention in RandomConvention.allCases {
      let seeds = try SeedList("\(convention.largestSeed)")
      #expect(throws: Never.self) { try convention.validate(seeds) }
      let relations = SampleRelations(
        seeds: seeds, sampler: .oneStep, sigmas: (1, 2), churn: (0, 0, 1), rng: convention, hasClass: false,
        hasLabelsFile: false, digests: [])
      #expect(throws: Never.self) { try relations.check() }
    }
  }
}
