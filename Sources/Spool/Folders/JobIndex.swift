import JobFolder

/// Jobs by ID, by reference and by name: of several, the last. What is a reference is none of another job's name.
struct JobIndex {
  private var ids: Set<JobID> = []
  private var byReference: [String: JobID] = [:]
  private var byName: [String: JobID] = [:]

  init(_ ids: some Sequence<JobID>) { for id in ids { insert(id) } }

  mutating func insert(_ id: JobID) {
    ids.insert(id)
    if byReference[id.reference].map({ $0 < id }) ?? true { byReference[id.reference] = id }
    if byName[id.name].map({ $0 < id }) ?? true { byName[id.name] = id }
  }

  func contains(_ id: JobID) -> Bool { ids.contains(id) }

  subscript(_ text: String) -> JobID? {
    if let id = JobID(text), ids.contains(id) { return id }
    return byReference[text] ?? byName[text]
  }
}
