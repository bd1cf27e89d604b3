import Diagnostics
import Foundation

/// What stands in `incoming/`: jobs and requests.
extension Daemon {
  /// How many files are taken between two looks at everything else.
  private static let batch = 200

  /// Makes sure that what is known of the queue is what stands there: read anew now and then, and after trouble.
  func readQueue() {
    guard (ContinuousClock.now - queueRead) / .seconds(1) >= Self.scanSeconds * 0.9 else { return }
    do {
      // The folder's time tells whether anything came or went, unless that was a moment before the last reading.
      let changed = try folders.files.entry(folders.folder(of: .queue))?.modified
      let now = Int64(Date().timeIntervalSince1970 * 1e9)
      defer { queueChanged = changed.flatMap { now - $0 > 2_000_000_000 ? $0 : nil } }
      if changed != nil, changed == queueChanged { return queueRead = .now }
      let ids = try Set(folders.jobs(.queue))
      queue = queue.filter { ids.contains($0.key) }
      for id in ids where queue[id] == nil { queue[id] = folders.entry(id) }
      queueRead = .now
    } catch {
      log("cannot read the queue: \(error)", .error)
    }
  }

  /// Has the queue be read anew: the disk has refused something.
  func doubtQueue() {
    queueRead = .now - .seconds(3600)
    queueChanged = nil
  }

  /// - Parameter completed: names that are known to be complete; those that were taken are removed from it.
  /// - Returns: how many seconds until the folder should be read again.
  func acceptIncoming(_ completed: inout Set<String>) -> Double {
    do {
      if mayHaveHalfAccepted {
        doubtQueue()
        var admission = admission()
        for acceptance in try folders.recoverAcceptances(refusal: { admission.refusal($0) }) { report(acceptance) }
        mayHaveHalfAccepted = false
      }
      reportUnreadable()
      var entries: [String: FileEntry] = [:]
      for name in try folders.files.names(in: folders.incoming) where !IncomingFiles.isIgnored(name) {
        entries[name] = try? folders.files.entry("\(folders.incoming)/\(name)")
      }
      let now = (ContinuousClock.now - start) / .seconds(1)
      let scan = incoming.scan(entries, completed: completed, nowSeconds: now, most: Self.batch)
      completed.subtract(scan.ready)
      completed.formIntersection(entries.keys)
      let requests = scan.ready.compactMap { name in JobRequest(name).map { (name, $0) } }
      for (name, request) in requests { answer(request, name) }
      try accept(scan.ready.filter { JobRequest($0) == nil })
      return scan.ready.count >= Self.batch ? 0 : scan.waitSeconds ?? .infinity
    } catch {
      mayHaveHalfAccepted = true
      log("cannot accept jobs: \(error); trying again in \(Int(Self.troubleSeconds)) s", .error)
      return Self.troubleSeconds
    }
  }

  private func accept(_ names: [String]) throws {
    if names.isEmpty { return }
    var admission = admission()
    let accepted = try folders.accept(names, mayFlushAll: active.values.allSatisfy { $0.stage == nil }) {
      admission.refusal($0)
    }
    for (acceptance, entry) in accepted {
      if let entry { queue[entry.id] = entry }
      report(acceptance)
    }
  }

  /// Counts what users have, for the limits.
  func admission() -> Admission {
    var admission = Admission(limits: options.limits, total: queue.count + active.count)
    for entry in queue.values { admission.jobs[entry.user, default: 0] += 1 }
    for active in active.values { admission.jobs[active.entry.user, default: 0] += 1 }
    if options.limits.jobsPerUser > 0 || options.limits.queuedJobs > 0 {
      for id in (try? folders.jobs(.held)) ?? [] {
        admission.total += 1
        admission.jobs[folders.status(of: id, .held)?.uid ?? 0, default: 0] += 1
      }
    }
    if options.limits.bytesPerUser > 0 { admission.bytes = bytesByUser() }
    return admission
  }

  /// Says once of each file that its name makes it no job.
  private func reportUnreadable() {
    let names = Set((try? DiskFileSystem().unreadableNames(in: folders.incoming)) ?? [])
    for name in names.subtracting(unreadable).sorted() {
      log("\(folders.incoming)/\(name): ignored: its name is not UTF-8", .warning)
    }
    unreadable = names
  }

  private func report(_ acceptance: JobFolders.Acceptance) {
    switch acceptance {
    case .queued(let id):
      counters.accepted += 1
      log("accepted", of: id)
    case .refused(let id, let reason):
      counters.refused += 1
      refusals.hasNews = true
      log("refused: \(reason)", .notice, of: id)
    }
  }
}
