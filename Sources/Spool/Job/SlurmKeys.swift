import OptionValues
import YAML

/// Reads what `slurm:` says of a step's needs, in a job file and in `spoold.yaml`.
enum SlurmKeys {
  /// What a step of a job may say where the administrator allows it.
  static let ofSteps = ["partition", "account", "time", "nodes", "tasks", "cpus", "memory", "shares"]
  /// Options of sbatch that the daemon sets itself, or that would take a job out of its hands.
  private static let reserved: Set<String> = [
    "array", "chdir", "comment", "dependency", "error", "export", "export-file", "hold", "input", "job-name",
    "no-requeue",
    "open-mode", "output", "parsable", "propagate", "quiet", "requeue", "signal", "test-only", "uid", "gid", "usage",
    "version",
    "wait",
    "wrap", "help", "clusters", "nice", "kill-on-invalid-dep", "partition", "account", "time", "nodes", "ntasks",
    "cpus-per-task", "mem",
  ]
  static let mostShares = 1000

  /// Takes up a key.
  /// - Returns: whether it is one of `ofSteps`.
  /// - Throws: `YAMLError` where its value is none.
  static func read(_ pair: YAMLNode.Pair, into resources: inout SlurmResources) throws -> Bool {
    switch pair.key {
    case "partition": resources.partition = try word(pair, allowing: ",")
    case "account": resources.account = try word(pair)
    case "time":
      guard let seconds = pair.value.text.flatMap(seconds), seconds >= 60 else {
        throw pair.wrong("a time of a minute or more, such as 12 h, 24:00:00 or 2-00:00:00")
      }
      resources.timeSeconds = seconds
    case "nodes": resources.nodes = try count(pair, 1...10_000)
    case "tasks": resources.tasks = try count(pair, 1...10_000)
    case "cpus": resources.cpus = try count(pair, 1...10_000)
    case "memory":
      guard let bytes = pair.value.text.flatMap(bytes), bytes >= 1 << 20 else {
        throw pair.wrong("a size with its unit, such as 32G or 32 GiB")
      }
      resources.memoryBytes = bytes
    case "shares": resources.shares = try count(pair, 1...mostShares)
    default: return false
    }
    return true
  }

  /// Keys that mean something for steps of some kinds alone, and for which.
  static let ofKinds: [String: (kinds: [String], are: String)] = [
    "nodes": (["train", "distill"], "of the kinds that train"),
    "tasks": (["train", "distill"], "of the kinds that train"),
    "shares": (["sample", "reference", "score"], "\"sample\" with a shard-size, \"reference\" and \"score\""),
  ]

  /// `slurm:` of a step.
  static func step(_ pair: YAMLNode.Pair, of stage: String, hasShards: Bool) throws -> (
    resources: SlurmResources, lines: [String: Int]
  ) {
    guard case .mapping(let pairs) = pair.value.content else {
      throw pair.wrong("a mapping such as { time: 12 h }")
    }
    var resources = SlurmResources()
    var lines: [String: Int] = [:]
    for key in pairs {
      guard try read(key, into: &resources) else {
        throw YAMLError(
          line: key.line, key: key.key, "unknown; \"slurm\" has the keys \(ofSteps.joined(separator: ", "))",
          remedy: nearest(to: key.key, among: ofSteps).map { "did you mean \"\($0)\"?" })
      }
      if let kinds = ofKinds[key.key],
        !kinds.kinds.contains(stage) || (stage == "sample" && key.key == "shares" && !hasShards)
      {
        throw YAMLError(line: key.line, key: key.key, "is for steps \(kinds.are)", remedy: "remove it")
      }
      lines[key.key] = key.line
    }
    return (resources, lines)
  }

  /// Further options of sbatch.
  static func arguments(_ pair: YAMLNode.Pair) throws -> [String] {
    guard case .list(let items) = pair.value.content else { throw pair.wrong("a list of options such as [--qos=low]") }
    return try items.map { item in
      let text = item.text ?? ""
      let name = text.dropFirst(2).prefix { $0 != "=" }
      guard text.hasPrefix("--"), !name.isEmpty, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0 == "-") }) else {
        throw YAMLError(
          line: item.line, key: pair.key, "holds \"\(text.prefix(80))\"; expected options of sbatch such as --qos=low")
      }
      guard !reserved.contains(String(name)) else {
        throw YAMLError(
          line: item.line, key: pair.key, "holds \"--\(name)\", which the daemon sets itself", remedy: "remove it")
      }
      return text
    }
  }

  private static func word(_ pair: YAMLNode.Pair, allowing more: String = "") throws -> String {
    guard let text = pair.value.text, !text.isEmpty, text.utf8.count <= 200, !text.hasPrefix("-"),
      text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "_-.\(more)".contains($0)) })
    else { throw pair.wrong("a name") }
    return text
  }

  private static func count(_ pair: YAMLNode.Pair, _ range: ClosedRange<Int>) throws -> Int {
    guard let number = pair.value.text.flatMap({ Int($0) }), range.contains(number) else {
      throw pair.wrong("a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// Seconds, as Slurm writes times (`2-12:00:00`, `24:00:00`), or with a unit. A plain number is refused: minutes there,
  /// seconds elsewhere in these files.
  private static func seconds(_ text: String) -> Double? {
    if Int(text) != nil { return nil }
    guard text.contains(":") || text.contains("-") else { return Quantity.seconds(text) }
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count <= 2, let clock = parts.last else { return nil }
    let numbers = clock.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count <= 3, numbers.allSatisfy({ $0.map { (0...100_000).contains($0) } ?? false }) else { return nil }
    let values = numbers.map { Double($0 ?? 0) }
    if parts.count == 2 {
      // D-H, D-H:M, D-H:M:S
      guard let days = Int(parts[0]), (0...10_000).contains(days) else { return nil }
      return zip(values, [3600.0, 60, 1]).reduce(86_400 * Double(days)) { $0 + $1.0 * $1.1 }
    }
    // M:S, H:M:S
    return zip(values.reversed(), [1.0, 60, 3600]).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// Bytes: with Slurm's letters, of which each is 1024 of the one before, or with a unit.
  private static func bytes(_ text: String) -> Int? {
    if Double(text) != nil { return nil }
    let letters: [Character: Int] = ["K": 10, "M": 20, "G": 30, "T": 40]
    if let shift = text.last.flatMap({ letters[$0] }), let number = Int(text.dropLast()), (0..<1 << 20).contains(number)
    {
      return number << shift
    }
    return Quantity.bytes(text)
  }
}
