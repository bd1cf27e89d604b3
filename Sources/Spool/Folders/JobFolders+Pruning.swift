import Diagnostics
import Files
import JobFolder

/// The removal of finished jobs.
extension JobFolders {
  static let pruningPrefix = ".pruning-"

  /// Removes a finished job for good.
  package func prune(_ id: JobID, _ state: JobState) throws {
    if let failure = prune([id], state).failure { throw failure }
  }

  /// Removes finished jobs for good, with one flush for all of them.
  /// - Parameter betweenTwo: called now and then.
  /// - Returns: how many are gone, and the first of what went wrong.
  package func prune(_ ids: [JobID], _ state: JobState, betweenTwo: () -> Void = {}) -> (
    count: Int, failure: (any Error)?
  ) {
    func doomed(_ id: JobID) -> String { "\(folder(of: state))/\(Self.pruningPrefix)\(id)" }
    var hidden: [JobID] = []
    var failure: (any Error)?
    for id in ids {
      do {
        try files.rename(folder(of: id, state), to: doomed(id))
        hidden.append(id)
      } catch { failure = failure ?? error }
    }
    if hidden.isEmpty { return (0, failure) }
    do {
      try files.synchronize(folder(of: state))
    } catch {
      for id in hidden { try? files.rename(doomed(id), to: folder(of: id, state)) }
      return (0, error)
    }
    // Crash here: `prepare` removes the rest.
    var count = 0
    for id in hidden {
      betweenTwo()
      do {
        try files.removeTree(doomed(id))
        count += 1
      } catch { failure = failure ?? error }
    }
    return (count, failure)
  }
}
