import Queue
import JobFolder
import CLinux
import Diagnostics
import Files
import Foundation

/// What the daemon has counted since it started.
struct Counters {
  var accepted = 0
  var refused = 0
  var done = 0
  var failed = 0
  /// Seconds of steps, by stage.
  private(set) var seconds: [String: Double] = [:]

  mutating func add(_ used: Double, stage: String) { seconds[stage, default: 0] += used }
}

/// When finished jobs are looked through.
struct RetentionClock {
  private static let interval = Duration.seconds(600)
  var isDue = true
  private var last = ContinuousClock.now - interval

  /// Whether it is time; a finished job is a reason, but not every second.
  mutating func take() -> Bool {
    let passed = ContinuousClock.now - last
    guard passed >= Self.interval || (isDue && passed >= .seconds(10)) else { return false }
    isDue = false
    last = .now
    return true
  }
}

/// What keeps a spool in order.
extension Daemon {
  private static let shareSeconds = 10.0

  /// Puts jobs that stand in `active/` and are not being run back to the queue: what a daemon before this one left, and
  /// what the disk refused to move.
  /// - Returns: how many seconds until one of them should be looked at again.
  func recoverStrays() -> Double {
    let ids: [JobID]
    do {
      ids = try folders.jobs(.active).filter { active[$0] == nil }
      troubles.isOver(folders.folder(of: .active))
    } catch {
      tell(error, of: folders.folder(of: .active))
      return Self.troubleSeconds
    }
    strays = strays.filter { ids.contains($0.key) }
    for id in ids where !isTroubled(id) {
      attempt(id) {
        var leftover =
          strays[id] ?? Leftover(folder: folders.folder(of: id, .active), graceSeconds: options.stopTimeoutSeconds)
        let lock = try leftover.lock()
        strays[id] = leftover
        guard lock != nil else { return }
        strays[id] = nil
        if !leftover.processes.isEmpty {
          log("stopped processes \(leftover.processes), left by a daemon that is gone", .warning, of: id)
        }
        do {
          try folders.recover(id)
        } catch let failure as Failure where failure.status == .dataError {
          let reason = try folders.holdDamaged(id, from: .active, failure)
          return log("held: \(reason)", .error, of: id)
        }
        if try folders.isThere(id, .queue) { try enqueue(id) }
        log("was being run when the daemon ended; put back", of: id)
      }
    }
    return strays.isEmpty ? troubleWait : Self.lockSeconds
  }

  /// Looks at the disk, prunes what is over, keeps what users have used, writes the metrics.
  /// - Returns: how many seconds until that is due again.
  func keepHouse() -> Double {
    checkSpace()
    if !options.retention.isEmpty, retention.take() {
      for state in [JobState.done, .failed] {
        do {
          try prune(state)
          troubles.isOver("retention of \(state.rawValue)/")
        } catch {
          tell(error, of: "retention of \(state.rawValue)/")
          retention.isDue = true
        }
      }
    }
    let refusalsDue = pruneRefused()
    let shareDue = Self.shareSeconds - (ContinuousClock.now - shareSaved.time) / .seconds(1)
    if shareDue <= 0 { saveShare() }
    writeMetrics()
    let metrics = options.metricsFile != nil && metricsClock.hasNews ? max(0, metricsClock.waitSeconds) : .infinity
    return min(
      metrics, isShortOfSpace ? 5 : .infinity,
      share == shareSaved.share && !isShareUnread ? .infinity : max(1, shareDue), refusalsDue)
  }

  // MARK: Space

  /// What is free on the spool's disk for users, in bytes.
  private var freeBytes: Int? {
    var disk = statvfs()
    guard statvfs(folders.root, &disk) == 0 else { return nil }
    return Int(clamping: UInt64(disk.f_bavail) &* UInt64(disk.f_frsize))
  }

  private func checkSpace() {
    guard options.limits.freeSpace > 0, let free = freeBytes else { return }
    let text = { (bytes: Int) in bytes.formatted(.byteCount(style: .binary)) }
    if !isShortOfSpace, free < options.limits.freeSpace {
      isShortOfSpace = true
      log(
        "only \(text(free)) are free on the spool's disk; no step starts before \(text(options.limits.freeSpaceResume)) are",
        .warning)
    } else if isShortOfSpace, free >= options.limits.freeSpaceResume {
      isShortOfSpace = false
      log("\(text(free)) are free on the spool's disk; steps start again", .notice)
    }
  }

  /// What the jobs of each user hold on the disk, as of a minute ago at most.
  /// - Throws: a `Failure` where something cannot be looked at now.
  func bytesByUser() throws -> [UInt32: Int] {
    if let known = bytesKnown, (ContinuousClock.now - known.time) / .seconds(1) < 60 { return known.bytes }
    var bytes: [UInt32: Int] = [:]
    for state in JobState.allCases {
      for id in try folders.jobs(state) {
        guard let user = try folders.knownStatus(of: id, state)?.uid else { continue }
        bytes[user, default: 0] += try FolderSize.bytes(folders.folder(of: id, state))
        feedWatchdog()
      }
    }
    bytesKnown = (bytes, .now)
    return bytes
  }

  // MARK: Retention

  private func prune(_ state: JobState) throws {
    guard let rule = options.retention[state], rule.days > 0 || rule.bytes > 0 else { return }
    let ids = try folders.jobs(state)
    let needed = Set(queue.values.flatMap(\.after))
    let now = Date()
    // A clock that has jumped since the start says nothing about ages.
    let isClockSteady = abs(now.timeIntervalSince(startDate) - (ContinuousClock.now - start) / .seconds(1)) < 3600
    // The most recent first: what does not fit any more is the oldest.
    // One whose status is damaged is left to people.
    let jobs = try ids.compactMap { id in
      try folders.knownStatus(of: id, state)?.finished.map { (id: id, finished: $0) }
    }.sorted { ($0.finished, $0.id) > ($1.finished, $1.id) }
    var kept = 0
    for (id, finished) in jobs {
      feedWatchdog()
      let bytes = rule.bytes > 0 ? try FolderSize.bytes(folders.folder(of: id, state)) : 0
      let isOld = isClockSteady && rule.days > 0 && now.timeIntervalSince(finished) > rule.days * 86_400
      guard isOld || (rule.bytes > 0 && kept + bytes > rule.bytes) else {
        kept += bytes
        continue
      }
      guard !needed.contains(id), try !isInUse(id, state) else {
        kept += bytes
        continue
      }
      do {
        try folders.prune(id, state)
        log("pruned: \(isOld ? "it is older than \(rule.days) days" : "\(state.rawValue)/ has its size")", of: id)
      } catch {
        log("cannot be pruned: \(error)", .error, of: id)
      }
    }
  }

  /// Whether somebody has a file of a job's folder open.
  /// - Throws: a `Failure` where that cannot be seen now.
  func isInUse(_ id: JobID, _ state: JobState) throws -> Bool {
    try FolderSize.entries(folders.folder(of: id, state)).contains { path, _ in
      let descriptor = path.withCString { open($0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
      // One that this user may not open tells nothing, now or later.
      if descriptor < 0, [ENOENT, ELOOP, EACCES, EPERM].contains(errno) { return false }
      guard descriptor >= 0 else { throw Failure.system(path.description, "open") }
      defer { close(descriptor) }
      return sid_is_open_elsewhere(descriptor) != 0
    }
  }

  // MARK: Usage

  func loadShare() {
    let path = "\(folders.root)/\(JobFolders.usage)"
    do {
      var before = FairShare()
      if try folders.files.entry(path) != nil {
        let bytes = try folders.files.read(path, limitBytes: 1 << 20)
        do {
          before = try StatusJSON.decoder().decode(FairShare.self, from: Data(bytes))
        } catch {
          log("\(path): is damaged; what users have used counts from now on", .warning)
        }
      }
      // What was used until it could be read.
      before.add(share, now: Date())
      share = before
      isShareUnread = false
      shareSaved = (share, .now)
      troubles.isOver(path)
    } catch {
      shareSaved.time = .now
      tell(error, of: path)
    }
  }

  /// Keeps what users have used over a restart; losing it costs no more than a fair turn.
  func saveShare() {
    if isShareUnread { loadShare() }
    // What is there would be lost.
    guard !isShareUnread, share != shareSaved.share else { return }
    let path = "\(folders.root)/\(JobFolders.usage)"
    do {
      try folders.files.publish(JobFolders.usage, in: folders.root, Array(StatusJSON.encoder().encode(share)))
      shareSaved = (share, .now)
      troubles.isOver("writing \(path)")
    } catch {
      shareSaved.time = .now
      tell(error, of: "writing \(path)")
    }
  }

  // MARK: Metrics

  func writeMetrics(isLast: Bool = false) {
    guard let path = options.metricsFile, isLast || metricsClock.take() else { return }
    var metrics = Metrics()
    metrics.add(
      "sid_jobs", "gauge", "Jobs of the spool, by state.",
      // What cannot be counted now is no 0.
      JobState.allCases.compactMap { state in
        (try? folders.jobs(state).count).map { ([("state", state.rawValue)], Double($0)) }
      })
    let stages = Dictionary(grouping: active.values.compactMap { $0.stage?.step.stage.stage }) { $0 }
    metrics.add(
      "sid_steps_running", "gauge", "Steps at work, by stage.",
      StageVocabulary.all.map { ([("stage", $0.stage)], Double(stages[$0.stage]?.count ?? 0)) })
    for (name, help, value) in [
      ("accepted", "Jobs accepted", counters.accepted), ("refused", "Job files refused", counters.refused),
      ("done", "Jobs finished", counters.done), ("failed", "Jobs given up or cancelled", counters.failed),
    ] { metrics.add("sid_jobs_\(name)_total", "counter", "\(help) since the daemon started.", [([], Double(value))]) }
    metrics.add(
      "sid_step_seconds_total", "counter", "Time that steps have run since the daemon started, by stage.",
      StageVocabulary.all.map { ([("stage", $0.stage)], counters.seconds[$0.stage] ?? 0) })
    let oldest = queue.values.map(\.accepted).min().map { max(0, Date().timeIntervalSince($0)) } ?? 0
    metrics.add("sid_queue_oldest_seconds", "gauge", "How long the oldest job has waited.", [([], oldest)])
    metrics.add(
      "sid_spool_free_bytes", "gauge", "Free space on the spool's disk.", freeBytes.map { [([], Double($0))] } ?? [])
    metrics.add(
      "sid_spool_paused", "gauge", "Whether steps wait for disk space.", [([], isShortOfSpace ? 1 : 0)])
    metrics.add("sid_up", "gauge", "Whether the daemon runs.", [([], isLast ? 0 : 1)])
    do {
      try metrics.publish(path)
    } catch {
      if !metricsClock.hasFailed { log("cannot write the metrics: \(error)", .warning) }
      metricsClock.hasFailed = true
    }
  }
}
