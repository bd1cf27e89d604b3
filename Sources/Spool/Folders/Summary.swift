import Diagnostics
import Foundation

/// `summary.json`: what a finished job comes to.
enum Summary {
  /// The largest `NAME.json` that is read.
  static let largestFiguresBytes = 4 << 20

  /// The parts that no figure may replace.
  private static let reserved: Set<String> = ["job", "id", "started", "finished", "steps"]

  /// The content of `summary.json`: each step's `NAME.json` under `steps`, and all their `figures` at the top, later
  /// steps' over earlier ones'. `archive` and `contact_sheet` are paths within the job's folder.
  static func json(of status: JobStatus, steps: [JobStep], in folder: String, _ files: any FileSystem) throws -> [UInt8]
  {
    var summary: [String: JSONValue] = [:]
    var contents: [String: JSONValue] = [:]
    for step in steps {
      let path = "\(folder)/\(step.figuresFile)"
      guard try files.entry(path) != nil else { continue }
      let bytes = try files.read(path, limitBytes: largestFiguresBytes)
      guard let value = try? JSON.decoder().decode(JSONValue.self, from: Data(bytes)), case .object(let object) = value
      else {
        throw Failure(.software, step.figuresFile, "the stage published something that is no JSON object")
      }
      contents[step.name] = value
      var figures: [String: JSONValue] = [:]
      for name in ["archive", "contact_sheet"] { figures[name] = object[name] }
      if case .object(let given)? = object["figures"] { figures.merge(given) { $1 } }
      for (name, figure) in figures where !reserved.contains(name) {
        summary[name] = name == "archive" || name == "contact_sheet" ? relative(figure, to: folder) : figure
      }
    }
    summary["job"] = .text(status.job)
    summary["id"] = .text(status.id)
    summary["started"] = status.started.map { .text(JSON.text($0)) } ?? .null
    summary["finished"] = status.finished.map { .text(JSON.text($0)) } ?? .null
    summary["steps"] = .object(contents)
    return Array(try JSON.encoder().encode(summary)) + [UInt8(ascii: "\n")]
  }

  /// The job's folder will be renamed, so a path into it is cut to what stays true.
  private static func relative(_ figure: JSONValue, to folder: String) -> JSONValue {
    guard case .text(let path) = figure, path.hasPrefix("/") else { return figure }
    return .text(
      path.hasPrefix(folder + "/") ? String(path.dropFirst(folder.count + 1)) : (path as NSString).lastPathComponent)
  }
}
