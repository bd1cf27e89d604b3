import Foundation
import Synchronization

/// What a run of one parser came to.
public struct FuzzReport: Codable, Sendable {
  /// Cases read.
  public var executions = 0
  /// Those that were read to the end.
  public var accepted = 0
  /// Time spent, in seconds.
  public var seconds = 0.0
  /// The longest that one case took, in seconds.
  public var slowestSeconds = 0.0
  /// The size of that case, in bytes.
  public var slowestBytes = 0
  /// Memory at its peak, beyond what the process had at its start, in bytes.
  public var growthBytes = 0
  /// How often each record was reached.
  public var records: [String: Int] = [:]
  /// Distinct outcomes: reasons of refusal, numbers and names left out.
  public var outcomes: [String: Int] = [:]

  /// An empty report.
  public init() {}

  /// Adds another run of the same parser.
  public mutating func add(_ other: FuzzReport) {
    executions += other.executions
    accepted += other.accepted
    seconds += other.seconds
    if other.slowestSeconds > slowestSeconds {
      (slowestSeconds, slowestBytes) = (other.slowestSeconds, other.slowestBytes)
    }
    growthBytes = max(growthBytes, other.growthBytes)
    records.merge(other.records, uniquingKeysWith: +)
    outcomes.merge(other.outcomes, uniquingKeysWith: +)
  }
}

/// The mutation loop over one parser: changes a case, writes it down, has it read, and keeps those that did something new.
///
/// The case stands in a file before it is read, so that a process that dies leaves it behind.
public final class FuzzSession {
  /// How a process ends that found a case of one kind; a crash ends it by its signal.
  public enum Finding: Int32, CaseIterable, Sendable {
    case hang = 91
    case growth = 92
    case defect = 93
  }

  /// The most that one case may take, in seconds.
  public static let limitSeconds = 10.0
  /// The most by which memory may grow, in bytes.
  public static let growthLimitBytes = 1 << 30

  private let parser: FuzzParser
  private let folder: String
  private var random: FuzzRandom
  /// Cases to go on from: the seeds, and what did something new.
  private var corpus: [[UInt8]]
  private var known: Set<String> = []
  private var families: [String: Int] = [:]
  private let knownRecords: Set<String>
  private var report = FuzzReport()
  /// When the case in hand was begun, in nanoseconds; 0 between two.
  private let begun = Atomic<UInt64>(0)

  /// - Parameters:
  ///   - folder: holds the case in hand (`PARSER.case`), the report (`PARSER.json`) and the kept cases (`corpus/PARSER`).
  public init(_ parser: FuzzParser, folder: String, seed: UInt64) throws {
    self.parser = parser
    self.folder = folder
    random = FuzzRandom(seed: seed)
    corpus = parser.seeds
    knownRecords = Set(parser.knownRecords)
    try FileManager.default.createDirectory(atPath: corpusFolder, withIntermediateDirectories: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: corpusFolder).sorted() {
      corpus.append(Array(try Data(contentsOf: URL(fileURLWithPath: corpusFolder + "/" + name))))
    }
  }

  private var corpusFolder: String { "\(folder)/corpus/\(parser.name)" }
  private var casePath: String { "\(folder)/\(parser.name).case" }

  /// Runs for a time, and ends the process where a case is a finding.
  /// - Returns: the report, which is also in the folder.
  public func run(seconds: Double) throws -> FuzzReport {
    watch()
    let start = now()
    let memory = Self.peakBytes()
    for seed in corpus { try execute(seed, memory: memory) }
    var saved = start
    while Double(now() - start) / 1e9 < seconds {
      try execute(parser.mutated(pick(), donor: pick(), &random), memory: memory)
      report.seconds = Double(now() - start) / 1e9
      if now() - saved > 2_000_000_000 {
        saved = now()
        try save()
      }
    }
    try save()
    return report
  }

  /// A seed or a case of the corpus, a small one more likely than a large one.
  private func pick() -> [UInt8] {
    let source = random.oneIn(2) ? parser.seeds : corpus
    var best = random.pick(source)
    for _ in 0..<2 where best.count > 4096 {
      let other = random.pick(source)
      if other.count < best.count { best = other }
    }
    return best
  }

  private func execute(_ bytes: [UInt8], memory: Int) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: casePath))
    let start = now()
    begun.store(start, ordering: .sequentiallyConsistent)
    let (outcome, reached) = parser.run(casePath, bytes)
    begun.store(0, ordering: .sequentiallyConsistent)
    let seconds = Double(now() - start) / 1e9
    report.executions += 1
    if case .accepted = outcome { report.accepted += 1 }
    if seconds > report.slowestSeconds {
      (report.slowestSeconds, report.slowestBytes) = (seconds, bytes.count)
      if seconds > 0.5 { try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(parser.name).slowest")) }
    }
    let growth = Self.peakBytes() - memory
    if growth > report.growthBytes + 50_000_000 {
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(parser.name).largest"))
    }
    report.growthBytes = max(report.growthBytes, growth)
    for record in Set(reached) where knownRecords.contains(record) { report.records[record, default: 0] += 1 }
    if report.outcomes.count < 3000 { report.outcomes[outcome.signature, default: 0] += 1 }
    if case .defect(let problem) = outcome { try end(.defect, problem) }
    if report.growthBytes > Self.growthLimitBytes { try end(.growth, "grew by \(report.growthBytes) bytes") }
    try keep(bytes, outcome, reached)
  }

  /// Keeps a case that came to a new outcome or reached a new record.
  private func keep(_ bytes: [UInt8], _ outcome: FuzzOutcome, _ reached: [String]) throws {
    var news = false
    for record in reached where knownRecords.contains(record) {
      news = known.insert("record " + record).inserted || news
    }
    // Reasons that begin alike differ by what a case calls itself.
    let family = String(outcome.signature.prefix(12))
    if families[family, default: 0] < 8, known.insert(outcome.signature).inserted {
      families[family, default: 0] += 1
      news = true
    }
    guard news, bytes.count <= 1 << 16, corpus.count < 2000 else { return }
    corpus.append(bytes)
    // Other sessions go on from the small ones, and fixtures are made of them.
    if bytes.count <= 1 << 14 {
      try Data(bytes).write(to: URL(fileURLWithPath: "\(corpusFolder)/\(Self.digest(bytes))"))
    }
  }

  private func save() throws {
    try JSONEncoder().encode(report).write(to: URL(fileURLWithPath: "\(folder)/\(parser.name).json"))
  }

  private func end(_ finding: Finding, _ problem: String) throws {
    try save()
    FileHandle.standardError.write(Data("\(parser.name): \(finding): \(problem)\n".utf8))
    _exit(finding.rawValue)
  }

  /// Ends the process when a case takes too long.
  private func watch() {
    let thread = Thread { [begun = Shared(self)] in
      while true {
        Thread.sleep(forTimeInterval: 0.5)
        let start = begun.session.begun.load(ordering: .sequentiallyConsistent)
        if start > 0, Double(now() - start) / 1e9 > Self.limitSeconds { _exit(Finding.hang.rawValue) }
      }
    }
    thread.start()
  }

  /// Hands the session to the watching thread, which touches its atomic alone.
  private struct Shared: @unchecked Sendable {
    let session: FuzzSession
    init(_ session: FuzzSession) { self.session = session }
  }

  /// The most memory that this process has had resident so far, in bytes.
  private static func peakBytes() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }

  /// A name for a case: FNV-1a of its bytes, hexadecimal.
  public static func digest(_ bytes: [UInt8]) -> String {
    String(bytes.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }, radix: 16)
  }
}

/// Nanoseconds of the monotonic clock.
private func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }
