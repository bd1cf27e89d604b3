import JobFolder
import Diagnostics
import Foundation
import Records

/// What `sidctl status` prints.
public enum StatusReport {
  /// A table, one job a line, and the files that wait to be accepted.
  public static func table(_ jobs: [SpoolClient.Job], waiting: [String]) -> String {
    var rows = [["JOB", "USER", "STATE", "STEP", "PROGRESS"]]
    rows += jobs.map { [$0.id.description, $0.status?.user ?? "", $0.state.rawValue, step($0), progress($0)] }
    rows += waiting.map { [$0.oneLine, "", "incoming", "", "waits to be accepted"] }
    let widths = (0..<4).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = row.enumerated().map { column, text in
        column < 4 ? text + String(repeating: " ", count: widths[column] - text.count) : text
      }
      return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
    }.joined(separator: "\n")
  }

  /// The same for programs: a list of objects, each the content of `status.json` with `state` and `folder` as they are now.
  public static func json(_ jobs: [SpoolClient.Job]) throws -> String {
    let objects = try jobs.map { job -> JSONValue in
      var fields: [String: JSONValue] = [:]
      if let status = job.status,
        case .object(let given)? = try JSONValue(json: status.json())
      {
        fields = given
      }
      fields["id"] = .string(job.id.description)
      fields["job"] = .string(job.id.name)
      fields["state"] = .string(job.state.rawValue)
      fields["folder"] = .string(job.folder)
      return .object(fields)
    }
    return String(decoding: try StatusJSON.encoder().encode(objects), as: UTF8.self)
  }

  /// The figures of a finished job, one a line: numbers to four digits, those over sets of images with their spread, files
  /// by their paths; nil where there are none.
  public static func figures(_ job: SpoolClient.Job) -> String? {
    guard job.state == .done, let data = FileManager.default.contents(atPath: job.folder + "/summary.json"),
      case .object(let summary)? = JSONValue(json: Array(data))
    else { return nil }
    var spreads: [String: FigureSpread] = [:]
    for key in summary.keys { spreads[key] = FigureSpread(of: key, inSummary: summary) }
    let parts = Set(spreads.keys.map { FigureSpread.name(of: $0) })
    let rows = summary.keys.sorted().compactMap { key -> (String, String)? in
      guard !parts.contains(key) else { return nil }
      if let spread = spreads[key], let value = summary[key]?.realValue {
        let shown = spread.shown(value, number: number)
        return (key, "\(shown.figure) ± \(shown.spread) (\(spread.sets))")
      }
      switch summary[key] {
      case .double(let value): return (key, number(value))
      case .int(let value): return (key, "\(value)")
      case .string(let name) where FileManager.default.fileExists(atPath: "\(job.folder)/\(name)"):
        return (key, "\(job.folder)/\(name)".oneLine)
      default: return nil
      }
    }
    guard let width = rows.map(\.0.count).max() else { return nil }
    return rows.map { $0.0.padding(toLength: width + 2, withPad: " ", startingAt: 0) + $0.1 }.joined(separator: "\n")
  }

  private static func number(_ value: Double) -> String {
    value.formatted(.number.precision(.significantDigits(1...4)).grouping(.never))
  }

  private static func step(_ job: SpoolClient.Job) -> String {
    guard let status = job.status, job.state != .done else { return "" }
    let place = "\(min(status.finishedSteps.count + 1, max(1, status.steps.count)))/\(status.steps.count)"
    return status.step.map { "\($0) \(place)" } ?? ""
  }

  private static func progress(_ job: SpoolClient.Job) -> String {
    guard let status = job.status else { return "status.json cannot be read" }
    switch job.state {
    case .active:
      let attempt = status.attempts > 1 ? ", attempt \(status.attempts)" : ""
      let left = status.etaSeconds.map { ", " + DurationText.left($0) } ?? ""
      return status.percent.map { "\(Int($0)) %\(left)\(attempt)" } ?? "started\(attempt)"
    case .queue:
      guard let time = status.nextAttempt, let reason = status.reason else {
        return status.after.map { "after \($0.joined(separator: ", "))" } ?? ""
      }
      return "deferred to \(time.formatted(.iso8601)): \(reason.oneLine)"
    case .failed: return (status.reason ?? "").oneLine
    case .done:
      guard let started = status.started, let finished = status.finished else { return "" }
      return "in \(DurationText.words(finished.timeIntervalSince(started)))"
    case .held: return (status.reason ?? "").oneLine
    }
  }
}
