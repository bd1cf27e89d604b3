import OptionValues

/// What a step makes or reads.
public enum ArtifactKind: String, Sendable, CaseIterable {
  /// A network that `convert` or `train` made: something to distill from.
  case teacher
  /// A network that `distill` made.
  case generator
  /// A feature network.
  case features
  /// Reference statistics.
  case statistics
  /// Images that a network made.
  case samples
  /// Images that were given, in EDM's layout.
  case dataset
  /// Scores.
  case score
  /// A page to look at.
  case report
}

/// One option of a stage program, as a key of a job file.
public struct StageOption: Sendable, Equatable {
  /// What the key's value may be.
  public enum Value: Sendable, Equatable {
    /// A single value of a kind, passed on as it stands.
    case value(ValueKind)
    /// `true` or `false`: the option is given or not.
    case flag
    /// A value or a list of values of a kind: the option is repeated.
    case list(ValueKind)
    /// The name of an earlier step that made one of these kinds, or a file beneath an input root.
    case input(Set<ArtifactKind>)
  }

  /// What an input that is left out is taken from.
  public enum LeftOut: Sendable, Equatable {
    /// The program's own default, or nothing.
    case absent
    /// It must be given.
    case refused
    /// The latest step that made one of these kinds.
    case latest(Set<ArtifactKind>)
    /// The same, where the named flag is set; otherwise nothing.
    case latestWhenFlag(String, Set<ArtifactKind>)
  }

  /// The option without its dashes; a positional argument's name.
  public let name: String
  /// What its value may be.
  public let value: Value
  /// What it is taken from when the job leaves it out.
  public let leftOut: LeftOut
  /// Whether the program takes it without the option's name.
  public let isPositional: Bool

  init(_ name: String, _ value: Value, leftOut: LeftOut = .absent, isPositional: Bool = false) {
    self.name = name
    self.value = value
    self.leftOut = leftOut
    self.isPositional = isPositional
  }

  /// An option as the programs declare it.
  init<V>(_ option: ValueOption<V>, leftOut: LeftOut = .absent) {
    self.init(option.name, .value(option.kind), leftOut: leftOut)
  }

  /// An option that may be repeated, as the programs declare it.
  init<V>(repeating option: ValueOption<V>) { self.init(option.name, .list(option.kind)) }
}

/// A kind of step: which program runs it, with which options.
public struct StageVocabulary: Sendable, Equatable {
  /// The key of the step in a job file.
  public let stage: String
  /// The program's file name.
  public let program: String
  /// The program's subcommand, where it has one.
  public let subcommand: String?
  /// What a job file may say.
  public let options: [StageOption]
  /// What the step makes, unless `outputsByOption` says otherwise; nil for what no step reads.
  public let output: ArtifactKind?
  /// Options whose presence leaves open which of several kinds the step makes: what decides is in files that the daemon
  /// does not open.
  public let outputsByOption: [String: Set<ArtifactKind>]
  /// What a step may turn out to make, where only its source tells: what it may be named for. An input that is left out
  /// is taken from steps whose `outputs` say that they make it.
  public let mayMake: Set<ArtifactKind>
  /// Options that name files of the job's folder: `STEP` + suffix.
  public let fileOptions: [(option: String, suffix: String)]
  /// The option that names the job's folder, for a program that reads all of it.
  public let folderOption: String?
  /// How its values have to fit each other; nil where none depends on another.
  let relations: (any ValueRelations.Type)?

  init(
    _ stage: String, program: String, subcommand: String? = nil, makes output: ArtifactKind?,
    byOption: [String: Set<ArtifactKind>] = [:], mayMake: Set<ArtifactKind> = [],
    files: [(option: String, suffix: String)] = [("output", ".h5")], folderOption: String? = nil,
    relations: (any ValueRelations.Type)? = nil, _ options: [StageOption]
  ) {
    self.stage = stage
    self.program = program
    self.subcommand = subcommand
    self.options = options + [StageOption(CommonValues.threads)]
    self.output = output
    self.outputsByOption = byOption
    self.mayMake = mayMake.union(output.map { [$0] } ?? [])
    self.fileOptions = files
    self.folderOption = folderOption
    self.relations = relations
  }

  /// What a step's output is called behind the step's name.
  var outputSuffix: String { fileOptions.first { $0.option == "output" }?.suffix ?? ".h5" }

  /// The option of this name.
  public func option(_ name: String) -> StageOption? { options.first { $0.name == name } }

  /// Two kinds of step are the same if they have the same key.
  public static func == (left: Self, right: Self) -> Bool { left.stage == right.stage }

  /// Options that no job file may set: where outputs go, that they are files of this package, and that a step makes its
  /// output as a whole, is the daemon's.
  public static let daemonOptions: Set<String> = [
    "output", "to", "state", "job", "progress-fd", "overwrite", "dry-run", "help", "version", "shards",
    "share", "shares",
  ]

  /// The kind of step of this name.
  public static func named(_ stage: String) -> StageVocabulary? { all.first { $0.stage == stage } }
}
