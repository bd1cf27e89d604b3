import JobFolder
import Diagnostics
import Files

/// What jobs promise and what lies in their folders.
extension SpoolAudit {
  /// So many findings of a kind are told one by one.
  private static let mostTold = 20

  /// Looks for files that records name and that are gone, and for what killed processes have left.
  mutating func checkFiles() {
    var problems = 0
    // In queue/, held/ and failed/ a step may have been cut short, and goes on from what it left; active/ is at work.
    for state in JobState.allCases where state != .active {
      for name in list("\(root)/\(state.rawValue)") {
        guard let id = JobID(name) else { continue }
        let folder = "\(root)/\(state.rawValue)/\(name)"
        do {
          problems += try checkPromises(id, state, folder)
        } catch {
          note(.problem, "\(id): cannot be looked at: \(error)")
          problems += 1
        }
        if state == .done { problems += checkDebris(id, folder) }
      }
    }
    for name in list(root) where name.hasPrefix(".") && name.hasSuffix(".tmp") {
      note(.warning, "\(root)/\(name): was left by a daemon that was killed; the daemon removes it when it starts")
      problems += 1
    }
    if problems == 0 { note(.ok, "files of jobs") }
  }

  private mutating func checkPromises(_ id: JobID, _ state: JobState, _ folder: String) throws -> Int {
    // One that cannot be read was told of.
    guard let status = try? self.status(of: folder) else { return 0 }
    // Elsewhere a step without a record is one that is not done.
    let records = try StepRecords(of: status, in: folder)
    let incomplete = state == .done ? records.incomplete : []
    for record in incomplete {
      let step = record.dropLast(".json".count)
      note(
        .problem,
        "\(id): \(record), the record of the step \(step), is missing or damaged; sidctl retry \(id) --from \(step) makes "
          + "the step again")
    }
    let missing = try records.missing
    for (file, record) in missing.prefix(Self.mostTold) {
      note(
        .problem,
        "\(id): \(file.oneLine), which \(record) promises, is missing; sidctl retry \(id) --from "
          + "\(record.dropLast(".json".count)) makes it again")
    }
    if missing.count > Self.mostTold {
      note(
        .problem, "\(id): \(missing.count - Self.mostTold) more promised files are missing; sidctl verify lists them")
    }
    return incomplete.count + missing.count
  }

  private mutating func checkDebris(_ id: JobID, _ folder: String) -> Int {
    let debris = list(folder).filter {
      Checksums.isUnfinished($0) && $0 != JobFolderNames.lock
    }
    for name in debris.prefix(Self.mostTold) {
      note(
        .warning, "\(id): \(name.oneLine) was left by a process that was killed; the job is done without it: remove it")
    }
    return debris.count
  }
}
