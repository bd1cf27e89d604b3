import Foundation
import Spool
import TestSupport
import Testing

/// What `--experimental-dump-help` of ArgumentParser says of a program.
private struct ProgramDescription: Decodable {
  struct Command: Decodable {
    let commandName: String
    let subcommands: [Command]?
    let arguments: [Argument]?
    let defaultSubcommand: String?
  }

  struct Argument: Decodable {
    struct Name: Decodable {
      let kind: String
      let name: String
    }
    let kind: String
    let isOptional: Bool
    let isRepeating: Bool
    let shouldDisplay: Bool
    let valueName: String?
    let names: [Name]?

    /// The name a job file would use.
    var key: String { names?.first { $0.kind == "long" }?.name ?? valueName ?? "" }
  }

  let command: Command
}

@Suite("The vocabulary of job files")
struct SpoolVocabularyTests {
  /// The options of a step's program.
  private func arguments(of stage: StageVocabulary) throws -> [ProgramDescription.Argument] {
    let output = try Programs.run(stage.program, ["--experimental-dump-help"]).output
    let command = try JSONDecoder().decode(ProgramDescription.self, from: Data(output.utf8)).command
    // A program with subcommands does its main work, named by the stage, where none is given.
    let name = stage.subcommand ?? command.defaultSubcommand ?? stage.stage
    if let subcommand = command.subcommands?.first(where: { $0.commandName == name }) {
      return try #require(subcommand.arguments)
    }
    try #require(stage.subcommand == nil, "\(stage.program) has no subcommand \(name)")
    return try #require(command.arguments)
  }

  @Test("is that of the programs", arguments: StageVocabulary.all.map(\.stage))
  func agreesWithThePrograms(_ name: String) throws {
    let stage = try #require(StageVocabulary.named(name))
    let arguments = try arguments(of: stage)
    let known = Dictionary(arguments.map { ($0.key, $0) }) { first, _ in first }
    for option in stage.options {
      guard let argument = known[option.name] else {
        Issue.record("\(name): a job file may say \"\(option.name)\", which \(stage.program) does not know")
        continue
      }
      let comment: Comment = "\(name): \(option.name)"
      #expect((argument.kind == "positional") == option.isPositional, comment)
      #expect((argument.kind == "flag") == (option.value == .flag), comment)
      let isList = if case .list = option.value { true } else { false }
      #expect(argument.isRepeating == isList, comment)
      // What the program insists on, the job has to say or the daemon to fill in.
      if !argument.isOptional { #expect(option.leftOut != .absent, comment) }
    }
    for option in stage.fileOptions { #expect(known[option.option] != nil, "\(name): \(option.option)") }
    let said = Set(stage.options.map(\.name)).union(StageVocabulary.daemonOptions)
    let missing = arguments.filter { $0.shouldDisplay && !said.contains($0.key) }.map(\.key)
    #expect(missing.isEmpty, "\(name): \(stage.program) has options that a job file cannot say")
  }

  @Test("has no option that is the daemon's, and none twice")
  func isConsistent() {
    for stage in StageVocabulary.all {
      let names = stage.options.map(\.name)
      #expect(Set(names).count == names.count)
      #expect(Set(names).isDisjoint(with: StageVocabulary.daemonOptions.union(["name"])))
    }
  }

  @Test("The digits example is a job, and its inputs are there")
  func digitsExample() throws {
    let pipeline = Fixtures.digits("..")
    let job = try JobFile(Array(Data(contentsOf: URL(fileURLWithPath: pipeline + "/digits.yaml"))))
    try job.checkInputs(InputRoots([pipeline]))
    #expect(job.steps.last?.stage.stage == "report" && job.steps.last?.outputFile == "report.html")
    var figures: Set<String> = []
    for setting in job.steps.flatMap(\.settings) where setting.option.name == "figure" {
      if case .text(let figure) = setting.value { figures.insert(figure) }
    }
    #expect(figures == ["fd_floor", "fd_untrained", "fd_teacher", "fd_sid", "fd_sida"])
    #expect(
      job.steps.last { $0.outputs == [.samples] }?.name == "samples", "the archive of the summary is the generator's")
  }

  @Test("The colour examples are jobs, and their inputs are there", arguments: ["tiles", "tiles-quick"])
  func tilesExamples(name: String) throws {
    let pipeline = Fixtures.digits("..")
    let job = try JobFile(Array(Data(contentsOf: URL(fileURLWithPath: "\(pipeline)/\(name).yaml"))))
    try job.checkInputs(InputRoots([pipeline]))
    #expect(
      job.steps.map(\.stage.stage) == [
        "dataset", "convert", "reference", "score", "train", "sample", "score", "distill", "sample", "score", "report",
      ])
    #expect(job.name == name && job.steps.last?.outputFile == "report.html")
  }
}
