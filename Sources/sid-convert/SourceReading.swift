import Records
import Stage

/// What was done to a source's names, and what of it was not taken: said on stderr and in the summary.
struct SourceReading {
  /// The wrapper's prefix that was taken off every name; nil where none was.
  var removedPrefix: String?
  /// What stood beside the tensors: names, and in words what each is.
  var leftOut: [(name: String, what: String)] = []

  /// Says it on stderr.
  func note(_ source: String, _ context: StageContext) {
    if let removedPrefix {
      context.note("\(source): \"\(removedPrefix)\" is taken off the names of all tensors: a wrapper's prefix")
    }
    guard !leftOut.isEmpty else { return }
    let names = leftOut.prefix(4).map { "\($0.name.oneLine) (\($0.what.oneLine))" }.joined(separator: ", ")
    context.note("\(source): \(leftOut.count) left out: \(names)\(leftOut.count > 4 ? ", ..." : "")")
  }

  /// The fields of the summary.
  var details: [String: JSONValue] {
    var details: [String: JSONValue] = [:]
    details["removed_prefix"] = removedPrefix.map { .string($0) }
    if !leftOut.isEmpty {
      details["left_out"] = .object(
        Dictionary(leftOut.prefix(1000).map { ($0.name, .string($0.what)) }) { first, _ in first })
    }
    return details
  }
}
