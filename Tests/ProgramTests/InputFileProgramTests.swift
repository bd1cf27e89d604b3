import Foundation
import Spool
import TestSupport
import Testing

/// Every option and argument of every program that names a file to read, given what is no regular file.
@Suite("Inputs that are no files")
struct InputFileProgramTests {
  /// A command with its inputs, each in its place, by the name of its option or argument.
  struct Command: Sendable, CustomTestStringConvertible {
    let program: String
    var subcommand: String?
    /// An input without dashes is an argument.
    let inputs: [(name: String, path: String)]
    /// Further arguments, with OUT for a folder.
    var more: [String] = []

    var testDescription: String { ([program, subcommand ?? ""] + inputs.map(\.name)).joined(separator: " ") }

    /// The arguments with another file for one of the inputs.
    func arguments(_ fixture: SignalFixture, giving path: String, for name: String, output: String) -> [String] {
      (subcommand.map { [$0] } ?? [])
        + inputs.flatMap { input -> [String] in
          let known = input.path.hasPrefix("/") ? input.path : fixture.file(input.path)
          let value = input.name == name ? path : known
          return input.name.hasPrefix("--") ? [input.name, value] : [value]
        } + more.map { $0.replacing("OUT", with: output) }
    }
  }

  private static let digits = Fixtures.digits("digits-8x8.zip")
  private static let passes = [("--features", "features.h5")]

  static let commands: [Command] = [
    Command(
      program: "sid-convert",
      inputs: [
        ("source", Fixtures.digits("features.safetensors")), ("--config", Fixtures.digits("features.yaml")),
      ], more: ["--output", "OUT/n.h5"]),
    Command(
      program: "sid-convert", subcommand: "dataset", inputs: [("source", digits)], more: ["--output", "OUT/d.zip"]),
    Command(
      program: "sid-convert",
      inputs: [
        ("source", Fixtures.path("golden/checkpoints/edm_training-state.pt")),
        ("--ema", Fixtures.path("golden/checkpoints/edm_training_snapshot.pkl")),
      ], more: ["--output", "OUT/s.h5"]),
    Command(
      program: "sid-train",
      inputs: [
        ("--dataset", digits), ("--config", "network.yaml"), ("--features", "features.h5"),
        ("--reference", "reference.h5"),
      ],
      more: ["--output", "OUT/t.h5", "--state", "OUT/s.h5", "--evaluate", "--conditional"]),
    Command(
      program: "sid-train", inputs: [("--dataset", digits), ("--transfer", "teacher.h5")],
      more: ["--output", "OUT/t.h5", "--state", "OUT/s.h5", "--conditional"]),
    Command(
      program: "sid-train", subcommand: "verify",
      inputs: [
        ("--vectors", Fixtures.path("golden/training/trajectory_b_resumed.h5")), ("--start", "teacher.h5"),
        ("--settings-of", Fixtures.path("golden/training/trajectory_b.h5")),
      ]),
    Command(program: "sid-convert", subcommand: "list", inputs: [("file", Fixtures.digits("teacher.pkl"))]),
    Command(
      program: "sid-convert", subcommand: "verify",
      inputs: [("--network", "cond.h5"), ("--vectors", Fixtures.path("golden/nets/edm_ddpmpp_cond.h5"))]),
    Command(
      program: "sid-distill",
      inputs: [
        ("--teacher", "teacher.h5"), ("--features", "features.h5"), ("--reference", "reference.h5"),
        ("--labels", digits),
      ], more: ["--output", "OUT/g.h5", "--state", "OUT/s.h5", "--evaluate"]),
    Command(
      program: "sid-distill", inputs: [("--teacher", "teacher.h5"), ("--dataset", digits)],
      more: ["--output", "OUT/g.h5", "--state", "OUT/s.h5", "--adversarial"]),
    Command(
      program: "sid-distill", inputs: [("--teacher", "teacher.h5"), ("--initial-generator", "teacher.h5")],
      more: ["--output", "OUT/g.h5", "--state", "OUT/s.h5"]),
    Command(
      program: "sid-distill", subcommand: "verify",
      inputs: [
        ("--vectors", Fixtures.path("golden/sid/trajectory_a_resumed.h5")), ("--start", "teacher.h5"),
        ("--settings-of", Fixtures.path("golden/sid/trajectory_a.h5")),
      ]),
    Command(
      program: "sid-sample",
      inputs: [("--network", "teacher.h5"), ("--labels-file", Fixtures.path("fuzz/labels/carriage-return"))],
      more: ["--seeds", "0-1", "--output", "OUT/a.h5"]),
    Command(
      program: "sid-sample", subcommand: "verify", inputs: [("archive", "samples.h5"), ("--network", "teacher.h5")]),
    Command(
      program: "sid-sample", subcommand: "export", inputs: [("archive", "samples.h5")],
      more: ["--to", "npz", "--output", "OUT/e.npz"]),
    Command(
      program: "sid-score", inputs: [("--samples", "samples.h5"), ("--reference", "reference.h5")] + passes,
      more: ["--output", "OUT/s.h5"]),
    Command(
      program: "sid-score", subcommand: "reference", inputs: [("--dataset", digits)] + passes,
      more: ["--output", "OUT/r.h5"]),
    Command(
      program: "sid-score", subcommand: "merge", inputs: [("file", "reference.h5")],
      more: ["OUT/../other.h5", "--output", "OUT/m.h5"]),
    Command(
      program: "sid-report", inputs: [("--samples", "samples.h5"), ("--network", "teacher.h5"), ("--dataset", digits)],
      more: ["--job", "OUT/../job", "--output", "OUT/p.html"]),
    Command(program: "sid-bench", inputs: [("--network-file", "teacher.h5")], more: ["--work", "sample"]),
  ]

  /// What names a file to write, or one that is made where it is missing.
  private static let outputs: Set = ["--output", "--state", "--write-network", "--job", "sid-sample merge archive"]
  /// How the help calls the value of what names a file.
  private static let valueNames: Set = [
    "file", "path", "yaml", "archive", "source", "teacher", "features", "reference", "labels", "dataset", "output",
    "state",
    "folder",
  ]

  @Test("are given to every option and argument that names a file")
  func complete() throws {
    for stage in StageVocabulary.all where stage.folderOption == nil {
      let commands = Self.commands.filter { ($0.program, $0.subcommand) == (stage.program, stage.subcommand) }
      let known = Set(commands.flatMap(\.inputs).map { $0.name.replacing("--", with: "") })
      let names = stage.options.filter { if case .input = $0.value { true } else { false } }.map(\.name)
      #expect(Set(names) == known, "\(stage.stage)")
    }
    for page in try FileManager.default.contentsOfDirectory(atPath: Fixtures.path("help")).sorted() {
      let parts = page.dropLast(".txt".count).split(separator: "-", maxSplits: 2).map(String.init)
      guard parts.count > 1, parts[0] == "sid", parts[1] != "spoold" else { continue }
      let program = parts[0...1].joined(separator: "-")
      let isDefault =
        parts.count == 3 && ["convert", "train", "distill", "sample", "score"].contains(parts[2])
        && parts[1] == parts[2]
      let subcommand = parts.count == 3 && !isDefault ? parts[2] : nil
      let text = try String(contentsOfFile: Fixtures.path("help/" + page), encoding: .utf8)
      let commands = Self.commands.filter { $0.program == program && $0.subcommand == subcommand }
      let known = Set(commands.flatMap(\.inputs).map(\.name))
      for match in text.matches(of: /(?m)^  (?:(--[a-z-]+)(?: |\n +))?<([a-z-]+)>/)
      where Self.valueNames.contains(String(match.output.2)) {
        let name = match.output.1.map(String.init) ?? String(match.output.2)
        let whole = "\(program) \(subcommand ?? "") \(name)"
        #expect(known.contains(name) || !Self.outputs.isDisjoint(with: [name, whole]), "\(page): \(name)")
      }
    }
  }

  @Test("are refused at once by name, a pipe as well as a device", arguments: commands)
  func refused(command: Command) throws {
    let fixture = try SignalFixture.shared.get()
    let output = fixture.file("inputs-" + UUID().uuidString)
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: output) }
    let pipe = output + "/pipe"
    try #require(mkfifo(pipe, 0o600) == 0)
    for input in command.inputs {
      for path in [pipe, "/dev/zero"] {
        let arguments = command.arguments(fixture, giving: path, for: input.name, output: output)
        let outcome = try StartedProgram(command.program, arguments).end(seconds: 60)
        #expect(outcome.status == 65, "\(input.name) \(path): \(outcome.errors)")
        #expect(outcome.errors.contains("\(path): not a regular file but a"), "\(input.name): \(outcome.errors)")
      }
    }
  }
}
