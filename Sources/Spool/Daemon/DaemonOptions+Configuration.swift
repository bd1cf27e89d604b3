import Queue
import Diagnostics
import Files
import YAML

/// The configuration file of the daemon, `spoold.yaml`.
extension DaemonOptions {
  private static let largestBytes = 64 << 10

  /// Reads a configuration file.
  /// - Throws: a `Failure` with status `configuration` naming file, line and key of the first error, `noInput` where there
  ///   is no such file.
  public init(configuration path: String) throws {
    self.init(spool: "/var/spool/sid")
    do {
      let bytes = ByteOrderMark.removed(from: try DiskFileSystem().read(path, limitBytes: Self.largestBytes))
      let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
      // Everything may be a comment.
      if lines.map({ $0.drop(while: \.isWhitespace) }).allSatisfy({ $0.isEmpty || $0.hasPrefix("#") }) { return }
      let root = try YAMLReader.read(bytes)
      try Reader(root, "").read { key in
        switch key.name {
        case "spool": spool = try key.text()
        case "input-roots": inputRoots = try key.list()
        case "program-directory": programDirectory = try key.text()
        case "slots": try readSlots(key)
        case "threads": threads = try key.count()
        case "limits": try readLimits(key)
        case "retry": try readRetry(key)
        case "stage": try readStage(key)
        case "retention": try readRetention(key)
        case "executor": try readExecutor(key)
        case "slurm": try readSlurm(key)
        case "preemption": preempts = try key.flag()
        case "metrics-file":
          let file = try key.text(mayBeEmpty: true)
          metricsFile = file.isEmpty ? nil : file
        default: return false
        }
        return true
      }
    } catch let error as YAMLError {
      throw Failure(.configuration, "\(path):\(error.line)", error.message, remedy: "see spoold.yaml(5)")
    }
    if limits.freeSpaceResume < limits.freeSpace { limits.freeSpaceResume = limits.freeSpace }
  }

  private mutating func readSlots(_ key: Key) throws {
    try key.mapping().read { key in
      if key.name == "total" {
        slots.total = try key.count(least: 1)
      } else if StageVocabulary.named(key.name) != nil {
        slots.byStage[key.name] = try key.count()
      } else {
        return false
      }
      return true
    }
  }

  private mutating func readExecutor(_ key: Key) throws {
    let kinds = StageVocabulary.all.map(\.stage)
    func isSlurm(_ key: Key) throws -> Bool {
      switch try key.text() {
      case ExecutorRule.local.name: return false
      case SlurmExecutor.standardName: return true
      default: throw key.wrong("local or slurm")
      }
    }
    guard key.isMapping else {
      slurmStages = try isSlurm(key) ? Set(kinds) : []
      return
    }
    try key.mapping().read { key in
      guard kinds.contains(key.name) else { return false }
      if try isSlurm(key) { slurmStages.insert(key.name) }
      return true
    }
  }

  private mutating func readSlurm(_ key: Key) throws {
    try key.mapping().read { key in
      switch key.name {
      case "jobs": slurm.jobs = try key.count(least: 1)
      case "poll-seconds":
        slurm.pollSeconds = try key.seconds()
        if slurm.pollSeconds < 1 { throw key.wrong("1 or more") }
      case "save-seconds":
        slurm.saveSeconds = try key.seconds()
        if !(1...65_535).contains(slurm.saveSeconds) { throw key.wrong("a number from 1 to 65535") }
      case "step-keys":
        for name in try key.list() {
          guard SlurmKeys.ofSteps.contains(name) else {
            throw key.wrong("a list of \(SlurmKeys.ofSteps.joined(separator: ", "))")
          }
          slurm.stepKeys.insert(name)
        }
      default:
        guard StageVocabulary.named(key.name) != nil else {
          // Of kinds.
          if SlurmKeys.ofKinds[key.name] != nil { return false }
          return try Self.readResources(key, into: &slurm.resources)
        }
        var resources = SlurmResources()
        let stage = key.name
        try key.mapping().read { key in
          if let kinds = SlurmKeys.ofKinds[key.name]?.kinds, !kinds.contains(stage) { return false }
          // How many images there are to be shared out, only whoever writes a job knows; shards are in the job.
          if key.name == "shares", stage != "sample" { return false }
          return try Self.readResources(key, into: &resources)
        }
        slurm.byStage[stage] = resources
      }
      return true
    }
  }

  private static func readResources(_ key: Key, into resources: inout SlurmResources) throws -> Bool {
    if key.name == "arguments" {
      resources.arguments = try SlurmKeys.arguments(key.pair)
      return true
    }
    return try SlurmKeys.read(key.pair, into: &resources)
  }

  private mutating func readLimits(_ key: Key) throws {
    try key.mapping().read { key in
      switch key.name {
      case "jobs-per-user": limits.jobsPerUser = try key.count()
      case "queued-jobs": limits.queuedJobs = try key.count()
      case "refused-per-user": limits.refusedPerUser = try key.count()
      case "bytes-per-user": limits.bytesPerUser = try key.bytes()
      case "job-file-bytes":
        let bytes = try key.bytes()
        limits.jobFileBytes = bytes == 0 ? JobFile.largestBytes : min(JobFile.largestBytes, bytes)
      case "highest-priority": limits.highestPriority = try key.priority()
      case "free-space": limits.freeSpace = try key.bytes()
      case "free-space-resume": limits.freeSpaceResume = try key.bytes()
      default: return false
      }
      return true
    }
  }

  private mutating func readRetry(_ key: Key) throws {
    try key.mapping().read { key in
      switch key.name {
      case "attempts": retry.mostAttempts = try key.count(least: 1)
      case "first-pause-seconds": retry.baseSeconds = try key.seconds()
      default: return false
      }
      return true
    }
  }

  private mutating func readStage(_ key: Key) throws {
    try key.mapping().read { key in
      switch key.name {
      case "memory":
        let bytes = try key.bytes()
        stageLimits.memoryBytes = bytes == 0 ? nil : bytes
      case "timeout-seconds":
        let seconds = try key.seconds()
        stageLimits.timeoutSeconds = seconds == 0 ? nil : seconds
      case "stop-timeout-seconds": stopTimeoutSeconds = try key.seconds()
      default: return false
      }
      return true
    }
  }

  private mutating func readRetention(_ key: Key) throws {
    try key.mapping().read { key in
      switch key.name {
      case "done-days": retention[.done, default: Retention()].days = try key.seconds()
      case "done-size": retention[.done, default: Retention()].bytes = try key.bytes()
      case "failed-days": retention[.failed, default: Retention()].days = try key.seconds()
      case "failed-size": retention[.failed, default: Retention()].bytes = try key.bytes()
      default: return false
      }
      return true
    }
  }

  /// A mapping of the file.
  private struct Reader {
    private let node: YAMLNode
    private let name: String

    init(_ node: YAMLNode, _ name: String) { (self.node, self.name) = (node, name) }

    /// Hands every key to `take`, which says whether it is one.
    func read(_ take: (Key) throws -> Bool) throws {
      guard case .mapping(let pairs) = node.content else {
        throw YAMLError(line: node.line, key: name.isEmpty ? nil : name, "is \(node.kind); expected a mapping")
      }
      for pair in pairs where try !take(Key(pair: pair)) {
        throw YAMLError(line: pair.line, key: pair.key, "unknown")
      }
    }
  }

  /// A key of the file with its value.
  private struct Key {
    let pair: YAMLNode.Pair
    var name: String { pair.key }

    var isMapping: Bool { if case .mapping = pair.value.content { true } else { false } }

    func wrong(_ expected: String) -> YAMLError { pair.wrong(expected) }

    func mapping() -> Reader { Reader(pair.value, pair.key) }

    func text(mayBeEmpty: Bool = false) throws -> String {
      guard case .scalar(let text, _) = pair.value.content, mayBeEmpty || !(text.isEmpty || pair.value.isNull) else {
        throw wrong("a single value")
      }
      return pair.value.isNull ? "" : text
    }

    func list() throws -> [String] {
      guard case .list(let items) = pair.value.content else { return [try text()] }
      return try items.map { item in
        guard let text = item.text else { throw wrong("a list of single values") }
        return text
      }
    }

    func count(least: Int = 0) throws -> Int {
      guard let number = Int(try text()), (least...1_000_000_000).contains(number) else {
        throw wrong("a whole number, \(least) or more")
      }
      return number
    }

    func priority() throws -> Int {
      guard let number = Int(try text()), JobFile.priorities.contains(number) else {
        throw wrong("a whole number from \(JobFile.priorities.lowerBound) to \(JobFile.priorities.upperBound)")
      }
      return number
    }

    func bytes() throws -> Int {
      guard let bytes = Quantity.bytes(try text()) else { throw wrong(Quantity.sizeRule) }
      return bytes
    }

    func seconds() throws -> Double {
      guard let number = Double(try text()), (0...1e9).contains(number) else { throw wrong("a number from 0 to 1e9") }
      return number
    }

    func flag() throws -> Bool {
      switch try text() {
      case "true": return true
      case "false": return false
      default: throw wrong("true or false")
      }
    }
  }
}
