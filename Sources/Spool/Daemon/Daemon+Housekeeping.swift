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
    guard let ids = try? folders.jobs(.active).filter({ active[$0] == nil }) else { return Self.scanSeconds }
    strays = strays.filter { ids.contains($0.key) }
    for id in ids where troubled[id].map({ $0 <= .now }) ?? true {
      troubled[id] = nil
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
        try folders.recover(id)
        if folders.isThere(id, .queue) { queue[id] = folders.entry(id) }
        log("was being run when the daemon ended; put back", of: id)
      }
    }
    return strays.isEmpty ? .infinity : Self.lockSeconds
  }

  /// Looks at the disk, prunes what is over, keeps what users have used, writes the metrics.
  /// - Returns: how many seconds until that is due again.
  func keepHouse() -> Double {
    checkSpace()
    if !options.retention.isEmpty, retention.take() {
      for state in [JobState.done, .failed] { prune(state) }
    }
    let refusalsDue = pruneRefused()
    let shareDue = Self.shareSeconds - (ContinuousClock.now - shareSaved.time) / .seconds(1)
    if shareDue <= 0 { saveShare() }
    writeMetrics()
    let metrics = options.metricsFile != nil && metricsClock.hasNews ? max(0, metricsClock.waitSeconds) : .infinity
    return min(
      metrics, isShortOfSpace ? 5 : .infinity, share == shareSaved.share ? .infinity : max(1, shareDue), refusalsDue)
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
  func bytesByUser() -> [UInt32: Int] {
    if let known = bytesKnown, (ContinuousClock.now - known.time) / .seconds(1) < 60 { return known.bytes }
    var bytes: [UInt32: Int] = [:]
    defer { bytesKnown = (bytes, .now) }
    for state in JobState.allCases {
      for id in (try? folders.jobs(state)) ?? [] {
        guard let user = folders.status(of: id, state)?.uid else { continue }
        bytes[user, default: 0] += FolderSize.bytes(folders.folder(of: id, state))
        feedWatchdog()
      }
    }
    return bytes
  }

  // MARK: Retention

  private func prune(_ state: JobState) {
    guard let rule = options.retention[state], rule.days > 0 || rule.bytes > 0,
      let ids = try? folders.jobs(state)
    else { return }
    let needed = Set(queue.values.flatMap(\.after))
    let now = Date()
    // A clock that has jumped since the start says nothing about ages.
    let isClockSteady = abs(now.timeIntervalSince(startDate) - (ContinuousClock.now - start) / .seconds(1)) < 3600
    // The most recent first: what does not fit any more is the oldest.
    // One whose status cannot be read is left to people.
    let jobs = ids.compactMap { id in folders.status(of: id, state)?.finished.map { (id: id, finished: $0) } }
      .sorted { ($0.finished, $0.id) > ($1.finished, $1.id) }
    var kept = 0
    for (id, finished) in jobs {
      feedWatchdog()
      let bytes = rule.bytes > 0 ? FolderSize.bytes(folders.folder(of: id, state)) : 0
      let isOld = isClockSteady && rule.days > 0 && now.timeIntervalSince(finished) > rule.days * 86_400
      guard isOld || (rule.bytes > 0 && kept + bytes > rule.bytes) else {
        kept += bytes
        continue
      }
      guard !needed.contains(id), !isInUse(id, state) else {
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
  func isInUse(_ id: JobID, _ state: JobState) -> Bool {
    FolderSize.files(folders.folder(of: id, state)).contains { path in
      let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
      guard descriptor >= 0 else { return false }
      defer { close(descriptor) }
      return sid_is_open_elsewhere(descriptor) != 0
    }
  }

  // MARK: Usage

  func loadShare() {
    defer { shareSaved = (share, .now) }
    let bytes = try? folders.files.read("\(folders.root)/\(JobFolders.Name.usage)", limitBytes: 1 << 20)
    share = bytes.flatMap { try? JSON.decoder().decode(FairShare.self, from: Data($0)) } ?? FairShare()
  }

  /// Keeps what users have used over a restart; losing it costs no more than a fair turn.
  func saveShare() {
    guard share != shareSaved.share, let data = try? JSON.encoder().encode(share) else { return }
    try? folders.files.publish(JobFolders.Name.usage, in: folders.root, Array(data))
    shareSaved = (share, .now)
  }

  // MARK: Metrics

  func writeMetrics(isLast: Bool = false) {
    guard let path = options.metricsFile, isLast || metricsClock.take() else { return }
    var metrics = Metrics()
    metrics.add(
      "sid_jobs", "gauge", "Jobs of the spool, by state.",
      JobState.allCases.map { ([("state", $0.rawValue)], Double((try? folders.jobs($0).count) ?? 0)) })
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
      "sid_spool_free_bytes", "gauge", "Free space on the spool's disk.", [([], Double(freeBytes ?? 0))])
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
