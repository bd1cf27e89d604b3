import ArgumentParser
import Foundation
import Fuzzing

/// `sid-fuzz`: throws changed files at every reader of untrusted files.
@main
struct SidFuzz: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sid-fuzz",
    abstract: "Runs the readers of untrusted files on changed files, and reports what was reached and what was found.",
    discussion: """
      Each reader runs in a process of its own, in turns. A case that ends it by a signal, takes more than 10 s, grows it \
      by more than 1 GB, or is refused otherwise than as malformed is kept in OUT/found and ends the run with status 1. \
      OUT/corpus holds the cases that did something new; the next run goes on from them.
      """)

  @Option(help: "How long to run, in minutes.")
  var minutes = 2.0

  @Option(help: "The readers to run. (default: all)")
  var parser: [String] = []

  @Option(help: "The folder of cases, corpus and report; a folder in memory is faster.")
  var out = "fuzz"

  @Option(help: "Seed of the mutations.")
  var seed: UInt64 = 1

  @Option(help: "Seconds of one turn of one reader.")
  var turnSeconds = 30.0

  @Flag(help: .hidden)
  var worker = false

  func run() throws {
    try FileManager.default.createDirectory(atPath: out + "/found", withIntermediateDirectories: true)
    let all = try FuzzParser.all()
    let parsers = parser.isEmpty ? all : all.filter { parser.contains($0.name) }
    guard parser.isEmpty || parsers.count == Set(parser).count else {
      throw ValidationError("known readers: \(all.map(\.name).joined(separator: ", "))")
    }
    if worker {
      for parser in parsers { _ = try FuzzSession(parser, folder: out, seed: seed).run(seconds: turnSeconds) }
      return
    }
    try supervise(parsers)
  }

  /// Gives every reader its turns until the time is over.
  private func supervise(_ parsers: [FuzzParser]) throws {
    let end = Date().addingTimeInterval(minutes * 60)
    let turn = min(turnSeconds, minutes * 60 / Double(parsers.count))
    var reports: [String: FuzzReport] = [:]
    var found: [String] = []
    var number = seed
    while Date() < end.addingTimeInterval(-turn / 2) {
      for parser in parsers {
        number += 1
        try? FileManager.default.removeItem(atPath: "\(out)/\(parser.name).json")
        if let kind = try turnOf(parser, seconds: turn, seed: number) { found.append(try keep(parser, kind)) }
        if let data = FileManager.default.contents(atPath: "\(out)/\(parser.name).json") {
          reports[parser.name, default: FuzzReport()].add(try JSONDecoder().decode(FuzzReport.self, from: data))
        }
      }
      try write(reports, parsers, found)
    }
    print(try String(contentsOfFile: out + "/report.txt", encoding: .utf8))
    if !found.isEmpty { throw ExitCode(1) }
  }

  /// - Returns: the kind of finding that ended the turn, or nil.
  private func turnOf(_ parser: FuzzParser, seconds: Double, seed: UInt64) throws -> String? {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = [
      "--worker", "--parser", parser.name, "--out", out, "--seed", "\(seed)", "--turn-seconds", "\(seconds)",
    ]
    // A crash is expected here, and its case kept: no need to spell it out.
    process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    try process.run()
    process.waitUntilExit()
    if process.terminationReason == .uncaughtSignal { return "signal-\(process.terminationStatus)" }
    if process.terminationStatus == 0 { return nil }
    return FuzzSession.Finding(rawValue: process.terminationStatus).map { "\($0)" }
      ?? "status-\(process.terminationStatus)"
  }

  private func keep(_ parser: FuzzParser, _ kind: String) throws -> String {
    let bytes = FileManager.default.contents(atPath: "\(out)/\(parser.name).case") ?? Data()
    let name = "\(parser.name)-\(kind)-\(FuzzSession.digest(Array(bytes)))"
    try bytes.write(to: URL(fileURLWithPath: "\(out)/found/\(name)"))
    print("found: \(name), \(bytes.count) bytes")
    return name
  }

  private func write(_ reports: [String: FuzzReport], _ parsers: [FuzzParser], _ found: [String]) throws {
    var lines: [String] = []
    for parser in parsers {
      guard let report = reports[parser.name] else { continue }
      let missing = parser.knownRecords.filter { report.records[$0] == nil }
      lines.append(
        String(
          format:
            "%@: %d executions in %.0f s (%.0f/s), %d accepted, %d outcomes, slowest %.3f s (%d bytes), growth %.1f MB",
          parser.name, report.executions, report.seconds, Double(report.executions) / max(report.seconds, 0.001),
          report.accepted, report.outcomes.count, report.slowestSeconds, report.slowestBytes,
          Double(report.growthBytes) / 1e6))
      lines.append(
        "  records reached: \(parser.knownRecords.count - missing.count) of \(parser.knownRecords.count)"
          + (missing.isEmpty ? "" : "; missing: \(missing.joined(separator: ", "))"))
      lines.append(
        "  " + report.records.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
    }
    lines.append(found.isEmpty ? "nothing found" : "found: \(found.joined(separator: ", "))")
    try (lines.joined(separator: "\n") + "\n").write(toFile: out + "/report.txt", atomically: true, encoding: .utf8)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(reports).write(to: URL(fileURLWithPath: out + "/report.json"))
  }
}
