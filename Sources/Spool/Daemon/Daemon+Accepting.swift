import Diagnostics
import Foundation

/// What stands in `incoming/`: jobs and requests.
extension Daemon {
  /// How many files are taken between two looks at everything else.
  private static let batch = 200

  /// What stands in the queue when the daemon starts.
  func loadQueue() {
    do {
      queue = Dictionary(try folders.entries().map { ($0.id, $0) }) { first, _ in first }
      loadShare()
    } catch {
      log("cannot read the queue: \(error)", .error)
    }
  }

  /// - Parameter completed: names that are known to be complete; those that were taken are removed from it.
  /// - Returns: how many seconds until the folder should be read again.
  func acceptIncoming(_ completed: inout Set<String>) -> Double {
    do {
      if mayHaveHalfAccepted {
        for acceptance in try folders.recoverAcceptances() {
          report(acceptance)
          if case .queued(let id) = acceptance { queue[id] = folders.entry(id) }
        }
        mayHaveHalfAccepted = false
      }
      reportUnreadable()
      var entries: [String: FileEntry] = [:]
      for name in try folders.files.names(in: folders.incoming) {
        entries[name] = try folders.files.entry("\(folders.incoming)/\(name)")
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
    var counts: [UInt32: Int] = [:]
    for entry in queue.values { counts[entry.user, default: 0] += 1 }
    for active in active.values { counts[active.entry.user, default: 0] += 1 }
    var total = queue.count + active.count
    let bytes = options.limits.bytesPerUser > 0 ? bytesByUser() : [:]
    let limits = options.limits
    let accepted = try folders.accept(names) { submission in
      if submission.bytes > limits.jobFileBytes {
        return "the job file is \(submission.bytes) bytes; the limit is \(limits.jobFileBytes)"
      }
      if limits.queuedJobs > 0, total >= limits.queuedJobs {
        return "the spool has \(total) jobs waiting, as many as it takes; submit it again later"
      }
      let own = counts[submission.user, default: 0]
      if limits.jobsPerUser > 0, own >= limits.jobsPerUser {
        return "\(Users.name(submission.user)) has \(own) jobs waiting, as many as a user may; submit it again later"
      }
      if limits.bytesPerUser > 0, bytes[submission.user, default: 0] >= limits.bytesPerUser {
        return
          "the jobs of \(Users.name(submission.user)) hold \(bytes[submission.user, default: 0]) bytes; the limit is "
          + "\(limits.bytesPerUser); sidctl prune removes finished ones"
      }
      counts[submission.user] = own + 1
      total += 1
      return nil
    }
    for (acceptance, entry) in accepted {
      if let entry { queue[entry.id] = entry }
      report(acceptance)
    }
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
      log("refused: \(reason)", .notice, of: id)
    }
  }
}
