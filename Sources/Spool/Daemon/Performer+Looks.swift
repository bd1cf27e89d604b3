import Diagnostics
import Files
import Foundation
import JobFolder
import Queue

/// What the core asks of the folders.
extension Performer {
  /// What stands in `queue/`; nil where nothing came or went since the last time.
  func listQueue(isForced: Bool) throws -> [JobID]? {
    // The folder's time tells, unless that was a moment before the last reading.
    let changed = try folders.files.entry(folders.folder(of: .queue))?.modified
    let now = Int64(clock().date.timeIntervalSince1970 * 1e9)
    if !isForced, changed != nil, changed == queueChanged { return nil }
    queueChanged = nil
    let ids = try folders.jobs(.queue)
    queueChanged = changed.flatMap { now - $0 > 2_000_000_000 ? $0 : nil }
    return ids
  }

  /// A request and all that its answer depends on; nil where its file is gone.
  func requestFacts(_ name: String) throws -> RequestFacts? {
    let path = "\(folders.incoming)/\(name)"
    guard let request = JobRequest(name), let entry = try folders.files.entry(path) else { return nil }
    var facts = RequestFacts(
      request, name: name, owner: entry.owner, ownerName: machine.userName(entry.owner),
      isPlain: entry.kind == .file && entry.links == 1, mark: request.mark(entry))
    guard let state = try located([request.id])[request.id] ?? nil else { return facts }
    facts.state = state
    let found = try folders.found(request.id, state)
    facts.status = found
    if let owner = found.known?.uid { facts.jobOwnerName = machine.userName(owner) }
    switch request.verb {
    case .retry:
      facts.step = try answer {
        let bytes = try folders.files.read(path, limitBytes: JobRequest.largestBytes)
        return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      }
      facts.steps = try answer { try folders.jobFile(of: request.id, state).steps.map(\.plan) }
    case .prune where state.isFinal: facts.isInUse = try machine.isInUse(folders.folder(of: request.id, state))
    case .hold, .release, .cancel, .prune: break
    }
    return facts
  }

  /// What is read, or why it never can be.
  private func answer<Value>(_ read: () throws -> Value) throws -> RequestFacts.Answer<Value> {
    do {
      return .some(try read())
    } catch let failure as Failure where failure.status == .dataError {
      return .none(failure)
    }
  }

  // MARK: Limits

  /// What users have of the spool, as far as the core does not know it.
  func counts(jobs: Bool, bytes: Bool) throws -> UserCounts {
    var counts = UserCounts()
    if jobs {
      for id in try folders.jobs(.held) {
        counts.heldTotal += 1
        counts.held[try folders.knownStatus(of: id, .held)?.uid ?? QueueEntry.nobody, default: 0] += 1
      }
    }
    if bytes { counts.bytes = try bytesByUser() }
    return counts
  }

  /// What the jobs of each user hold on the disk, as of a minute ago at most.
  private func bytesByUser() throws -> [UInt32: Int] {
    let now = clock().seconds
    if let known = bytesKnown, now - known.seconds < 60 { return known.bytes }
    var bytes: [UInt32: Int] = [:]
    for state in JobState.allCases {
      for id in try folders.jobs(state) {
        guard let user = try folders.knownStatus(of: id, state)?.uid else { continue }
        bytes[user, default: 0] += try machine.size(folders.folder(of: id, state))
        telling.betweenTwo()
      }
    }
    bytesKnown = (bytes, now)
    return bytes
  }

  // MARK: Finished jobs

  /// The finished jobs of a state. One whose status is damaged is left to people.
  func finished(_ state: JobState, sizes: Bool) throws -> [FinishedJob] {
    try folders.jobs(state).compactMap { id in
      telling.betweenTwo()
      guard let finished = try folders.knownStatus(of: id, state)?.finished else { return nil }
      return FinishedJob(
        id: id, finished: finished, bytes: sizes ? try machine.size(folders.folder(of: id, state)) : 0)
    }
  }

  /// Whether somebody has files of jobs open.
  func uses(_ ids: [JobID], _ state: JobState) throws -> [JobID: Bool] {
    var uses: [JobID: Bool] = [:]
    for id in ids {
      telling.betweenTwo()
      uses[id] = try machine.isInUse(folders.folder(of: id, state))
    }
    return uses
  }

  /// The jobs in `failed/`, and what was not known of them.
  func refusals(known: [JobID: RefusedFile]) throws -> Event {
    let ids = try folders.jobs(.failed)
    var new: [JobID: RefusedFile] = [:]
    for id in ids where known[id] == nil {
      telling.betweenTwo()
      guard let status = try folders.knownStatus(of: id, .failed) else { continue }
      new[id] = RefusedFile(status, names: try folders.files.names(in: folders.folder(of: id, .failed)))
    }
    return .refusals(ids, new: new)
  }

  func pruneUnused(_ ids: [JobID], _ state: JobState, most: Int) throws -> Event {
    var doomed: [JobID] = []
    for id in ids where doomed.count < most {
      telling.betweenTwo()
      if try !machine.isInUse(folders.folder(of: id, state)) { doomed.append(id) }
    }
    let (count, error) = folders.prune(doomed, state, betweenTwo: telling.betweenTwo)
    return .pruned(count: count, error.map { $0 as? Failure ?? Failure(.software, folders.root, "\($0)") })
  }

  // MARK: Usage

  private var usagePath: String { "\(folders.root)/\(JobQueue.usageName)" }

  /// What users have used; nothing where that was not written yet, nil where what stands there is none.
  func readUsage() throws -> FairShare? {
    guard try folders.files.entry(usagePath) != nil else { return FairShare() }
    let bytes = try folders.files.read(usagePath, limitBytes: 1 << 20)
    return try? StatusJSON.decoder().decode(FairShare.self, from: Data(bytes))
  }

  func writeUsage(_ share: FairShare) throws {
    let bytes: [UInt8]
    do {
      bytes = Array(try StatusJSON.encoder().encode(share))
    } catch {
      throw Failure(.software, usagePath, "has no JSON: \(error)")
    }
    try folders.files.publish(JobQueue.usageName, in: folders.root, bytes)
  }
}
