import JobFolder
import OptionValues
import Queue
import YAML

/// One step of a job.
public struct JobStep: Sendable, Equatable {
  /// Where an input comes from.
  public enum Source: Sendable, Equatable {
    /// The output of the step of this name, and what it is called behind the name.
    case step(String, suffix: String = ".h5")
    /// A file beneath an input root.
    case file(String)
  }

  /// What the job says for one option.
  public enum Value: Sendable, Equatable {
    case text(String)
    case flag(Bool)
    case list([String])
    case input(Source)
  }

  /// An option with its value, in the order of the stage's vocabulary.
  public struct Setting: Sendable, Equatable {
    /// The option.
    public let option: StageOption
    /// What the job says for it.
    public let value: Value
    /// The line of the job file it stands on; the step's own for an input that was left out.
    public let line: Int
  }

  /// The name of its output, without what follows the dot.
  public let name: String
  /// The kind of step.
  public let stage: StageVocabulary
  /// What it makes: one kind, or several where only the stage can tell.
  public let outputs: Set<ArtifactKind>
  /// What the job says, and the inputs it left out.
  public let settings: [Setting]
  /// How much it may use.
  public var limits = StepLimits()
  /// What it asks of Slurm, where it is run there; nil where the job says nothing.
  public var slurm: SlurmResources?
  /// The lines of the keys that it says so with.
  var slurmLines: [String: Int] = [:]
  /// The line of the job file it starts on.
  public let line: Int

  /// The file that stands under this name when the step is finished.
  public var outputFile: String { isOwn ? JobFolderNames.checksums : name + stage.outputSuffix }
  /// What appears last of the step: the record of all that it made.
  public var recordFile: String { isOwn ? JobFolderNames.checksums : JobFolderNames.record(of: name) }

  /// The last step of every job, which is not in its file: the checksums of all outputs (`SHA256SUMS`).
  package static let checksums = JobStep(
    name: "checksums",
    stage: StageVocabulary("checksums", program: "sidctl", subcommand: "seal", makes: nil, files: [], []),
    outputs: [], settings: [], line: 0)

  /// Whether it is the daemon's own and not the job's.
  var isOwn: Bool { stage == Self.checksums.stage }
}

/// How much a step may use.
public struct StepLimits: Sendable, Equatable {
  /// How long it may run in all its attempts, in seconds; nil for no limit.
  public var timeoutSeconds: Double?
  /// How much memory of its own each of its processes may have, in bytes; nil for no limit.
  public var memoryBytes: Int?

  /// - Parameters:
  ///   - timeoutSeconds: how long it may run in all its attempts.
  ///   - memoryBytes: how much memory of its own each of its processes may have.
  public init(timeoutSeconds: Double? = nil, memoryBytes: Int? = nil) {
    (self.timeoutSeconds, self.memoryBytes) = (timeoutSeconds, memoryBytes)
  }

  /// The tighter of both.
  func tightened(by other: StepLimits) -> StepLimits {
    func least<T: Comparable>(_ a: T?, _ b: T?) -> T? { [a, b].compactMap { $0 }.min() }
    return StepLimits(
      timeoutSeconds: least(timeoutSeconds, other.timeoutSeconds), memoryBytes: least(memoryBytes, other.memoryBytes))
  }
}

/// A job as its file describes it, with every name resolved.
public struct JobFile: Sendable, Equatable {
  /// The largest file that is read.
  public static let largestBytes = QueueLimits.largestJobFileBytes
  /// The most steps a job may have.
  public static let mostSteps = 200

  /// The job's name.
  public let name: String
  /// The steps in the order in which they run.
  public let steps: [JobStep]
  /// What goes first: higher before lower, 0 unless the file says otherwise.
  public private(set) var priority = 0
  /// The jobs that have to be done before it starts, by ID, reference (`NAME-7f3a`) or name, with the line of each.
  public private(set) var after: [(job: String, line: Int)] = []

  /// What `priority` may be.
  public static let priorities = QueueLimits.priorities
  /// The most jobs that one may wait for.
  public static let mostDependencies = 100

  /// Reads a job file.
  ///
  /// Unknown and duplicate keys, anchors, aliases, tags, values of the wrong type, names against `JobName.rule`, inputs
  /// that no earlier step makes and paths that are absolute or climb with `..` are errors. Whether files exist is not
  /// looked at.
  /// - Parameter bytes: the content, UTF-8, at most `largestBytes`.
  /// - Throws: `YAMLError` with the line and the key of the first error.
  public init(_ bytes: [UInt8]) throws {
    guard bytes.count <= Self.largestBytes else {
      throw YAMLError(line: 1, "larger than \(Self.largestBytes >> 10) KiB, the limit for a job file")
    }
    let root = try YAMLReader.read(bytes)
    guard case .mapping(let pairs) = root.content else {
      throw YAMLError(line: root.line, "the file is \(root.kind); expected the keys \"job\" and \"steps\"")
    }
    var name: String?
    var steps: [JobStep]?
    for pair in pairs {
      switch pair.key {
      case "job":
        name = try Self.name(pair, of: "job")
      case "steps":
        guard case .list(let items) = pair.value.content, !items.isEmpty else {
          throw YAMLError(
            line: pair.value.line, key: "steps", "is \(Self.describe(pair.value)); expected a list of steps",
            remedy: "write one \"- STAGE: { ... }\" a line")
        }
        guard items.count <= Self.mostSteps else {
          throw YAMLError(line: pair.line, key: "steps", "more than \(Self.mostSteps) steps")
        }
        var reader = StepReader()
        steps = try items.map { try reader.read($0) }
      case "priority": priority = try Self.priority(pair)
      case "after": after = try Self.dependencies(pair)
      default:
        throw YAMLError(
          line: pair.line, key: pair.key, "unknown; a job has the keys \"job\", \"priority\", \"after\" and \"steps\"",
          remedy: nearest(to: pair.key, among: ["job", "steps", "priority", "after"]).map { "did you mean \"\($0)\"?" })
      }
    }
    guard let name else {
      throw YAMLError(line: root.line, key: "job", "missing", remedy: "add a line \"job: NAME\"")
    }
    guard let steps else { throw YAMLError(line: root.line, key: "steps", "missing") }
    self.name = name
    self.steps = steps
  }

  /// The value of a key that holds a name.
  static func name(_ pair: YAMLNode.Pair, of what: String) throws -> String {
    guard case .scalar(let name, _) = pair.value.content, !pair.value.isNull else {
      throw YAMLError(
        line: pair.value.line, key: pair.key, "is \(pair.value.kind); expected the name of the \(what)")
    }
    guard JobName.isValid(name) else {
      throw YAMLError(
        line: pair.value.line, key: pair.key, "\"\(name.prefix(80))\" is not a name", remedy: "use \(JobName.rule)")
    }
    return name
  }

  private static func priority(_ pair: YAMLNode.Pair) throws -> Int {
    guard case .scalar(let text, isPlain: true) = pair.value.content, let priority = Int(text),
      priorities.contains(priority)
    else {
      throw pair.wrong("a whole number from \(priorities.lowerBound) to \(priorities.upperBound)")
    }
    return priority
  }

  private static func dependencies(_ pair: YAMLNode.Pair) throws -> [(job: String, line: Int)] {
    var nodes = [pair.value]
    if case .list(let items) = pair.value.content { nodes = items }
    guard nodes.count <= mostDependencies else {
      throw YAMLError(line: pair.line, key: "after", "more than \(mostDependencies) jobs")
    }
    return try nodes.map { node in
      guard let text = node.text, !text.isEmpty, JobName.isValid(text) || JobID(text) != nil else {
        throw YAMLError(
          line: node.line, key: "after", "is \(node.shown); expected a job",
          remedy: "name a job by its ID, its reference (NAME-7f3a) or its name")
      }
      return (text, node.line)
    }
  }

  /// Two are the same if they say the same.
  public static func == (left: JobFile, right: JobFile) -> Bool {
    left.name == right.name && left.steps == right.steps && left.priority == right.priority
      && left.after.map(\.job) == right.after.map(\.job)
  }

  private static func describe(_ node: YAMLNode) -> String {
    if case .list(let items) = node.content, items.isEmpty { return "an empty list" }
    return node.kind
  }
}
