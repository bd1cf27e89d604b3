import JobFolder

/// Jobs by ID, by reference and by name: of several, the last.
struct JobIndex {
  private var jobs: [String: JobID] = [:]

  init(_ ids: some Sequence<JobID>) { for id in ids { insert(id) } }

  mutating func insert(_ id: JobID) {
    for key in [id.description, id.reference, id.name] where jobs[key].map({ $0 < id }) ?? true { jobs[key] = id }
  }

  func contains(_ id: JobID) -> Bool { jobs[id.description] != nil }

  subscript(_ text: String) -> JobID? { jobs[text] }
}
