import Files
import JobFolder

/// What a user asks of a job: a file `ID.VERB` in `incoming/`. Of a `retry` it may hold the name of the step to begin with.
package struct JobRequest: Sendable, Equatable {
  /// What is asked.
  package enum Verb: String, Sendable, CaseIterable {
    case hold, release, cancel, retry, prune
  }

  /// The largest such file that is read.
  package static let largestBytes = 256

  package let id: JobID
  package let verb: Verb

  package init(_ id: JobID, _ verb: Verb) { (self.id, self.verb) = (id, verb) }

  /// Reads the name of a file, or nothing where it is no request.
  package init?(_ name: String) {
    guard let dot = name.lastIndex(of: "."), let verb = Verb(rawValue: String(name[name.index(after: dot)...])),
      let id = JobID(name[..<dot])
    else { return nil }
    self.init(id, verb)
  }

  /// Tells this request from another one of its name: which file it is, and when it was written.
  package func mark(_ entry: FileEntry) -> String { "\(verb.rawValue) \(entry.inode) \(entry.modified)" }

  /// The name of its file.
  package var fileName: String { "\(id).\(verb.rawValue)" }
}
