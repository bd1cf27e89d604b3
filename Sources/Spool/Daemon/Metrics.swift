import Files
import Foundation

/// Metrics in Prometheus' text format, for node_exporter's textfile collector.
struct Metrics {
  private(set) var text = ""

  /// Adds a metric with its values, each with its labels.
  mutating func add(_ name: String, _ type: String, _ help: String, _ values: [([(String, String)], Double)]) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    for (labels, value) in values {
      let list = labels.map { "\($0)=\"\($1)\"" }.joined(separator: ",")
      let number = value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
      text += "\(name)\(list.isEmpty ? "" : "{\(list)}") \(number)\n"
    }
  }

  /// Replaces the file so that a reader sees the old text or the new; not flushed, since it is worth nothing after a crash.
  func publish(_ path: String) throws {
    let files = DiskFileSystem()
    // One name for all daemons that write there in turn: what one leaves that is killed, the next one overwrites.
    let name = AtomicFile.temporary(of: (path as NSString).lastPathComponent)
    let temporary = "\(AtomicFile.folder(of: path))/\(name)"
    do {
      try files.write(temporary, Array(text.utf8), isFlushed: false)
      chmod(temporary, 0o644)
      try files.rename(temporary, to: path)
    } catch {
      try? files.remove(temporary)
      throw error
    }
  }
}
