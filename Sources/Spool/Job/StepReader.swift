import OptionValues
import YAML

/// Reads the steps of a job in order, each against what the steps before it make.
struct StepReader {
  /// What the job's own files are called.
  private static let reserved: Set<String> = ["status", "summary", "job", "log", "submitted", "checksums"]

  /// Keys of a step that are no options of its program.
  static let ownKeys = ["name", "timeout", "memory", "slurm"]

  private var earlier: [JobStep] = []

  /// Reads `STAGE: { option: value, ... }`.
  /// - Throws: `YAMLError` with the line and the key of the first error.
  mutating func read(_ item: YAMLNode) throws -> JobStep {
    guard case .mapping(let pairs) = item.content, let pair = pairs.first else {
      throw YAMLError(
        line: item.line, key: "steps", "the step is \(item.kind); expected \"STAGE: { option: value, ... }\"")
    }
    if pairs.count > 1 {
      throw YAMLError(
        line: pairs[1].line, key: pairs[1].key,
        "a second key in the step \"\(pair.key)\"; a step has one key, its stage",
        remedy: "start a new step with \"-\", or indent the key as an option of \"\(pair.key)\"")
    }
    let stage = try vocabulary(pair)
    let values: [YAMLNode.Pair]
    switch pair.value.content {
    case .mapping(let given): values = given
    case .scalar where pair.value.isNull: values = []
    default:
      throw YAMLError(line: pair.value.line, key: pair.key, "is \(pair.value.kind); expected options in { }")
    }
    let step = try step(stage, line: pair.line, values)
    earlier.append(step)
    return step
  }

  private func vocabulary(_ pair: YAMLNode.Pair) throws -> StageVocabulary {
    if let stage = StageVocabulary.named(pair.key) { return stage }
    let stages = StageVocabulary.all.map(\.stage)
    throw YAMLError(
      line: pair.line, key: pair.key, "unknown stage; stages are \(stages.joined(separator: ", "))",
      remedy: nearest(to: pair.key, among: stages).map { "did you mean \"\($0)\"?" })
  }

  private func step(_ stage: StageVocabulary, line: Int, _ pairs: [YAMLNode.Pair]) throws -> JobStep {
    var name = stage.stage
    var nameLine = line
    var given: [String: JobStep.Setting] = [:]
    var limits = StepLimits()
    var slurm: (resources: SlurmResources, lines: [String: Int])?
    for pair in pairs {
      switch pair.key {
      case "name":
        name = try JobFile.name(pair, of: "step")
        nameLine = pair.line
        continue
      case "timeout":
        limits.timeoutSeconds = try limit(pair, Quantity.seconds, Quantity.timeRule)
        continue
      case "memory":
        limits.memoryBytes = try limit(pair, Quantity.bytes, Quantity.sizeRule)
        continue
      case "slurm":
        slurm = try SlurmKeys.step(
          pair, of: stage.stage, hasShards: pairs.contains { $0.key == SampleValues.shardSize.name && !$0.value.isNull }
        )
        continue
      default: break
      }
      guard let option = stage.option(pair.key) else { throw unknown(pair, in: stage) }
      given[pair.key] = .init(option: option, value: try value(pair, option), line: pair.line)
    }
    if let other = earlier.first(where: { $0.name == name }) {
      throw YAMLError(
        line: nameLine, key: "name", "the step on line \(other.line) is named \"\(name)\" already",
        remedy: "give this step a \"name\" of its own")
    }
    try checkFiles(name, of: stage, line: nameLine)
    var settings: [JobStep.Setting] = []
    for option in stage.options {
      if let setting = given[option.name] {
        settings.append(setting)
      } else if let source = try leftOut(option, of: stage, line: line, given) {
        settings.append(.init(option: option, value: .input(source), line: line))
      }
    }
    try checkRelations(settings, of: stage, line: line)
    let outputs = stage.outputsByOption.first { given[$0.key] != nil }?.value ?? stage.output.map { [$0] } ?? []
    return JobStep(
      name: name, stage: stage, outputs: outputs, settings: settings, limits: limits, slurm: slurm?.resources,
      slurmLines: slurm?.lines ?? [:], line: line)
  }

  private func limit<T: Comparable & ExpressibleByIntegerLiteral>(
    _ pair: YAMLNode.Pair, _ parse: (String) -> T?, _ rule: String
  ) throws -> T {
    guard let text = pair.value.text, let value = parse(text), value > 0 else {
      throw pair.wrong(rule)
    }
    return value
  }

  /// Refuses a name under which a step's files would stand in for others in the job's folder.
  private func checkFiles(_ name: String, of stage: StageVocabulary, line: Int) throws {
    if Self.reserved.contains(name) {
      throw YAMLError(
        line: line, key: "name", "\"\(name)\" is what the job's own files are called",
        remedy: "give this step another \"name\"")
    }
    // A training publishes NAME-best, NAME-curve and NAME-000010 besides NAME.
    let trainings: Set = ["train", "distill"]
    for other in earlier {
      let takesOther = trainings.contains(stage.stage) && other.name.hasPrefix(name + "-")
      let isTaken = trainings.contains(other.stage.stage) && name.hasPrefix(other.name + "-")
      if takesOther || isTaken {
        throw YAMLError(
          line: line, key: "name",
          "\"\(name)\" and \"\(other.name)\" (line \(other.line)) clash: a training's files begin with its name and -",
          remedy: "give this step another \"name\"")
      }
    }
  }

  private func unknown(_ pair: YAMLNode.Pair, in stage: StageVocabulary) -> YAMLError {
    if StageVocabulary.daemonOptions.contains(pair.key) {
      return YAMLError(line: pair.line, key: pair.key, "is set by the daemon", remedy: "remove it")
    }
    let guess = nearest(to: pair.key, among: stage.options.map(\.name) + Self.ownKeys)
    return YAMLError(
      line: pair.line, key: pair.key, "unknown option of the stage \"\(stage.stage)\"",
      remedy: guess.map { "did you mean \"\($0)\"?" } ?? "\(stage.program) --help lists its options")
  }

  private func value(_ pair: YAMLNode.Pair, _ option: StageOption) throws -> JobStep.Value {
    func wrong(_ expected: String) -> YAMLError {
      YAMLError(line: pair.value.line, key: pair.key, "is \(pair.value.kind); expected \(expected)")
    }
    if case .list(let items) = pair.value.content, case .list(let kind) = option.value {
      return .list(
        try items.map { item in
          guard case .scalar(let text, _) = item.content, !item.isNull else {
            throw YAMLError(line: item.line, key: pair.key, "holds \(item.kind); expected single values")
          }
          return try checked(text, kind, line: item.line, key: pair.key)
        })
    }
    guard case .scalar(let text, let isPlain) = pair.value.content, !pair.value.isNull else {
      switch option.value {
      case .value(let kind): throw wrong(kind.rule)
      case .flag: throw wrong("true or false")
      case .list(let kind): throw wrong("a value or a list of values, each \(kind.rule)")
      case .input: throw wrong("the name of an earlier step or a file")
      }
    }
    switch option.value {
    case .value(let kind): return .text(try checked(text, kind, line: pair.value.line, key: pair.key))
    case .list(let kind): return .list([try checked(text, kind, line: pair.value.line, key: pair.key)])
    case .flag:
      guard isPlain, text == "true" || text == "false" else {
        throw YAMLError(line: pair.value.line, key: pair.key, "is \"\(text.prefix(80))\"; expected true or false")
      }
      return .flag(text == "true")
    case .input(let kinds):
      guard !text.isEmpty else { throw wrong("the name of an earlier step or a file") }
      return .input(try source(text, pair, kinds))
    }
  }

  private func source(_ text: String, _ pair: YAMLNode.Pair, _ kinds: Set<ArtifactKind>) throws -> JobStep.Source {
    if let step = earlier.first(where: { $0.name == text }) {
      guard !kinds.isDisjoint(with: step.outputs.union(step.stage.mayMake)) else {
        throw YAMLError(
          line: pair.value.line, key: pair.key,
          "the step \"\(text)\" (line \(step.line)) makes \(Self.describe(step.outputs)); expected \(Self.describe(kinds))"
        )
      }
      return .step(text, suffix: step.stage.outputSuffix)
    }
    if let problem = InputRoots.problem(with: text) {
      throw YAMLError(
        line: pair.value.line, key: pair.key, "\"\(text)\" \(problem)",
        remedy: "name a file by its path beneath an input root")
    }
    return .file(text)
  }

  private func leftOut(
    _ option: StageOption, of stage: StageVocabulary, line: Int, _ given: [String: JobStep.Setting]
  ) throws -> JobStep.Source? {
    let kinds: Set<ArtifactKind>
    switch option.leftOut {
    case .absent: return nil
    case .refused:
      throw YAMLError(line: line, key: stage.stage, "its option \"\(option.name)\" is missing")
    case .latest(let latest): kinds = latest
    case .latestWhenFlag(let flag, let latest):
      guard given[flag]?.value == .flag(true) else { return nil }
      kinds = latest
    }
    // A step that may make something else is second choice.
    let certain = earlier.last { $0.outputs.isSubset(of: kinds) }
    guard let step = certain ?? earlier.last(where: { !kinds.isDisjoint(with: $0.outputs) }) else {
      throw YAMLError(
        line: line, key: stage.stage,
        "its input \"\(option.name)\" is left out and no earlier step makes \(Self.describe(kinds))",
        remedy: "name a file, or add the step that makes it")
    }
    return .step(step.name, suffix: step.stage.outputSuffix)
  }

  private static func describe(_ kinds: Set<ArtifactKind>) -> String {
    kinds.isEmpty ? "a file" : kinds.sorted { $0.rawValue < $1.rawValue }.map(\.phrase).joined(separator: " or ")
  }
}

extension ArtifactKind {
  /// The kind with its article, for messages.
  fileprivate var phrase: String {
    switch self {
    case .teacher: "a teacher"
    case .generator: "a generator"
    case .features: "a feature network"
    case .statistics: "reference statistics"
    case .samples: "samples"
    case .score: "a score"
    case .report: "a report"
    case .dataset: "a data set"
    }
  }
}
