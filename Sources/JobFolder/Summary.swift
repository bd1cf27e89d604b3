import Files
import Diagnostics
import Foundation
import Records

/// `summary.json`: what a finished job comes to.
package enum Summary {
  /// The parts that no figure may replace.
  private static let reserved: Set<String> = ["job", "id", "started", "finished", "steps"]

  /// The content of `summary.json`: what each step's record tells under `steps`, and all their `figures` at the top, later
  /// steps' over earlier ones', and the spread of a figure with it. `archive` and `contact_sheet` are paths within the job's
  /// folder.
  ///
  /// The names and digests of the files are in `SHA256SUMS`, the provenance is in the files themselves.
  package static func json(of status: JobStatus, steps: [String], in folder: String, _ files: any FileSystem) throws
    -> [UInt8]
  {
    var summary: [String: JSONValue] = [:]
    var contents: [String: JSONValue] = [:]
    // The names of figures that stand there as the spread of another.
    var spreads: Set<String> = []
    for step in steps {
      guard try files.entry("\(folder)/\(JobFolderNames.record(of: step))") != nil else { continue }
      let bytes = try files.read("\(folder)/\(JobFolderNames.record(of: step))", limitBytes: StepRecord.largestBytes)
      guard let record = StepRecord(json: bytes, keepsFiles: false) else {
        throw Failure(
          .software, JobFolderNames.record(of: step), "the stage published something that is no record of a step")
      }
      contents[step] = .object(content(of: record))
      var figures: [String: JSONValue] = [:]
      for name in ["archive", "contact_sheet"] { figures[name] = record.details[name] }
      figures.merge(record.figures) { $1 }
      for name in figures.keys.map({ FigureSpread.name(of: $0) }) where spreads.remove(name) != nil {
        summary[name] = nil
      }
      spreads.subtract(figures.keys)
      for name in figures.keys {
        guard FigureSpread(of: name, in: figures, metrics: record.details["metrics"]) != nil else { continue }
        spreads.insert(FigureSpread.name(of: name))
      }
      for (name, figure) in figures where !reserved.contains(name) {
        summary[name] = name == "archive" || name == "contact_sheet" ? relative(figure, to: folder) : figure
      }
    }
    summary["job"] = .string(status.job)
    summary["id"] = .string(status.id)
    summary["started"] = status.started.map { .string(StatusJSON.text($0)) } ?? .null
    summary["finished"] = status.finished.map { .string(StatusJSON.text($0)) } ?? .null
    summary["steps"] = .object(contents)
    return Array(try StatusJSON.encoder().encode(summary)) + [UInt8(ascii: "\n")]
  }

  private static func content(of record: StepRecord) -> [String: JSONValue] {
    var content = record.details
    content["stage"] = record.stage.isEmpty ? nil : .string(record.stage)
    content["output"] = record.output.isEmpty ? nil : .string(record.output)
    content["figures"] = .object(record.figures)
    return content
  }

  /// The job's folder will be renamed, so a path into it is cut to what stays true.
  private static func relative(_ figure: JSONValue, to folder: String) -> JSONValue {
    guard case .string(let path) = figure, path.hasPrefix("/") else { return figure }
    return .string(
      path.hasPrefix(folder + "/") ? String(path.dropFirst(folder.count + 1)) : (path as NSString).lastPathComponent)
  }
}
