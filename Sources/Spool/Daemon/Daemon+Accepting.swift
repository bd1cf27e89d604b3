import Diagnostics
import Files
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

  /// Sees to it that `incoming/` is watched, and says once when it cannot be.
  func listen() {
    do {
      try incoming.listen()
      if isDeaf { log("\(folders.incoming) is watched again") }
      isDeaf = false
    } catch {
      if !isDeaf { log("\(error); it is read every \(Int(Self.scanSeconds)) s", .warning) }
      isDeaf = true
    }
  }

  /// - Returns: how many seconds until the folder should be read again.
  func acceptIncoming() -> Double {
    do {
      if mayHaveHalfAccepted {
        doubtQueue()
        var admission = admission()
        for acceptance in try folders.recoverAcceptances(refusal: { admission.refusal($0) }) { report(acceptance) }
        mayHaveHalfAccepted = false
      }
      listen()
      let now = (ContinuousClock.now - start) / .seconds(1)
      let reading = try incoming.read(nowSeconds: now, most: Self.batch)
      report(others: reading.others)
      let requests = reading.ready.compactMap { name in JobRequest(name).map { (name, $0) } }
      for (name, request) in requests { answer(request, name) }
      try accept(reading.ready.filter { JobRequest($0) == nil })
      if reading.ready.count >= Self.batch { return 0 }
      let again = reading.hasMore ? Self.floodSeconds : reading.ready.isEmpty ? .infinity : Self.againSeconds
      return min(again, reading.waitSeconds ?? .infinity)
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

  /// Says of files that their names make them no jobs.
  private func report(others: [ByteName]) {
    for name in others.prefix(OtherNames.mostAtOnce) {
      log("\(folders.incoming)/\(name): left alone: \(IncomingName.rule)", .warning)
    }
    let rest = others.count - OtherNames.mostAtOnce
    if rest > 0 {
      log(
        "\(folders.incoming): \(rest) more names are left alone: \(IncomingName.rule); sidctl check lists them",
        .warning)
    }
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
