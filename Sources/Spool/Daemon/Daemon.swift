import Queue
import JobFolder
import Diagnostics
import Files
import Foundation

/// The one process that works on a spool: accepts jobs, runs their steps as far as there are slots, and puts jobs where they
/// belong.
///
/// Everything happens in the thread that calls `run`: stages ask the kernel to die with the thread that started them.
public final class Daemon {
  /// How often the folders are read though nothing was heard.
  static let scanSeconds = 30.0
  /// How long a job is left alone after the disk refused something for it.
  static let troubleSeconds = 10.0
  /// The least time between two readings of `incoming/`.
  static let floodSeconds = 0.02
  /// How soon `incoming/` is read again after a reading found something: what could not be taken is still there.
  static let againSeconds = 2.0
  /// How often a lock is tried that others hold.
  static let lockSeconds = 0.05

  let options: DaemonOptions
  let console: Console
  let folders: JobFolders
  let programDirectory: String
  let roots: InputRoots
  let scheduler: Scheduler
  private let notify: (String) -> Void
  private let watchdogSeconds: Double?

  let incoming: IncomingFolder
  /// Whether it was said that `incoming/` cannot be watched.
  var isDeaf = false
  /// Whether a crash or a disk may have left something between `incoming/` and `queue/`.
  var mayHaveHalfAccepted = true
  /// When that is looked at.
  var halfAcceptedDue = ContinuousClock.now
  /// Whether `incoming/` was read to its end: until then a job that is waited for and not known may stand there.
  var hasReadIncoming = false
  /// What stands in `queue/`, as far as is known.
  var queue: [JobID: QueueEntry] = [:]
  /// When the folder was read; long ago where the disk has refused something since.
  var queueRead = ContinuousClock.now - .seconds(3600)
  /// When the folder had last changed as it was read, in nanoseconds; nil where that says nothing.
  var queueChanged: Int64?
  var active: [JobID: ActiveJob] = [:]
  /// Jobs in `active/` that a daemon before this one left.
  var strays: [JobID: Leftover] = [:]
  /// Jobs the disk refused something for, and when they are looked at again.
  var troubled: [JobID: ContinuousClock.Instant] = [:]
  /// Names of `incoming/` that could not be taken or answered, and when that is tried again.
  var postponed: [String: ContinuousClock.Instant] = [:]
  /// What was told of them.
  var troubles = Troubles()
  var refusals = Refusals()
  var share = FairShare()
  /// Whether what users have used before could not be read yet.
  var isShareUnread = true
  /// What of it the disk has, and since when.
  var shareSaved = (share: FairShare(), time: ContinuousClock.now)
  var counters = Counters()
  var retention = RetentionClock()
  var metricsClock = MetricsClock()
  /// Whether steps wait for space on the disk.
  var isShortOfSpace = false
  var isStopping = false
  private var lastStatus = ""
  private var lastWatchdog = ContinuousClock.now
  let start = ContinuousClock.now
  let startDate = Date()
  /// What users' jobs held when that was looked at last.
  var bytesKnown: (bytes: [UInt32: Int], time: ContinuousClock.Instant)?

  /// - Parameters:
  ///   - options: how it works.
  ///   - console: where it logs and shows progress.
  ///   - watchdogSeconds: how often `WATCHDOG=1` is due, where a service manager asked for it.
  ///   - notify: is handed what a service manager wants to know (`READY=1`, `STATUS=...`, `STOPPING=1`, `WATCHDOG=1`).
  /// - Throws: a `Failure` where the spool cannot be created or the folder of the stage programs does not exist.
  public init(
    _ options: DaemonOptions, console: Console, watchdogSeconds: Double? = nil,
    notify: @escaping (String) -> Void = { _ in }
  ) throws {
    self.options = options
    self.console = console
    self.notify = notify
    self.watchdogSeconds = watchdogSeconds
    programDirectory = try RealPath.of(options.programDirectory ?? DaemonOptions.ownDirectory)
    roots = InputRoots(options.roots)
    scheduler = Scheduler(slots: options.slots, longestPauseSeconds: options.retry.longestSeconds)
    folders = JobFolders(
      root: try DaemonOptions.realFolder(options.spool), files: DiskFileSystem(), roots: roots, policy: options.retry,
      bootID: try DaemonOptions.bootID())
    incoming = IncomingFolder(folders.incoming)
  }

  /// Works until it is told to stop by one of `PoliteSignals`, or nothing is left where `exitsWhenIdle` is set.
  /// - Throws: a `Failure` with status `temporaryFailure` where another daemon works on the spool or, with
  ///   `exitsWhenIdle`, where it was stopped before; other statuses where the spool cannot be worked on.
  public func run() throws {
    let lock = try lockedSpool()
    // Not before the lock: a second daemon must leave the signals alone while it reports.
    let signals = try SignalDescriptor(PoliteSignals.heeded + [SIGCHLD])
    signal(SIGPIPE, SIG_IGN)
    // Handed down as ignored, it would keep from this process how its stages ended.
    signal(SIGCHLD, SIG_DFL)
    // For whoever opens a file while `isInUse` looks at it.
    signal(SIGIO, SIG_IGN)
    listen()
    if !FileConfinement.isSupported {
      log(
        "no Landlock here, by the kernel or by a filter of system calls: stages can open what lies outside the input roots",
        .warning)
    }
    log("started on \(folders.root)")
    notify("READY=1")
    loadShare()
    readQueue()

    var nextScan = ContinuousClock.now
    var lastScan = ContinuousClock.now - .seconds(1)
    while true {
      if signals.read().contains(where: { $0 != SIGCHLD }) { stop() }
      feedWatchdog()
      // Not for every name of a flood.
      if incoming.hear() { nextScan = min(nextScan, max(.now, lastScan + .seconds(Self.floodSeconds))) }
      if attendStages() { nextScan = .now }
      if isStopping && active.values.allSatisfy({ $0.stage == nil }) { break }
      if !isStopping && nextScan <= .now {
        lastScan = .now
        // What stands in active/ comes first: what is asked of it is answered when it is back in the queue.
        var wait = recoverStrays()
        wait = min(wait, acceptIncoming())
        wait = min(wait, keepHouse())
        readQueue()
        wait = min(wait, work())
        if options.exitsWhenIdle, isIdle() { break }
        nextScan = .now + .seconds(min(wait, Self.scanSeconds))
      }
      reportStatus()
      wait(until: nextScan, signals: signals.descriptor, watch: incoming.descriptor)
    }
    leave()
    notify("STOPPING=1")
    log(isStopping ? "stopped" : "nothing left to do")
    _ = consume lock
    if isStopping && options.exitsWhenIdle, !isIdle() {
      throw Failure(.temporaryFailure, folders.root, "stopped with jobs left", remedy: "start again to go on")
    }
  }

  private func lockedSpool() throws -> SpoolLock {
    // The lock first: what `prepare` clears away is the daemon's own.
    let lock = try SpoolLock(root: folders.root)
    for problem in try folders.prepare() { log("cannot be cleared away: \(problem)", .warning) }
    return lock
  }

  /// Puts back what waits for a lock and never started.
  private func leave() {
    for active in active.values {
      guard var status = active.status else { continue }
      status.attempts -= 1
      // Where the disk refuses, the next daemon finds it in active/ and does so.
      do { try folders.putBack(active.id, status) } catch { log("\(error)", .error, of: active) }
    }
    saveShare()
    writeMetrics(isLast: true)
  }

  // MARK: Waiting

  private func wait(until scan: ContinuousClock.Instant, signals: Int32, watch: Int32?) {
    var seconds = isStopping ? Self.scanSeconds : max(0, (scan - .now) / .seconds(1))
    for active in active.values {
      if active.leftover != nil { seconds = min(seconds, Self.lockSeconds) }
      guard let stage = active.stage else { continue }
      for time in [stage.secondsToWrite, stage.secondsToKill, stage.secondsToTimeout].compactMap({ $0 }) {
        seconds = min(seconds, max(0, time))
      }
    }
    if let watchdogSeconds {
      seconds = min(seconds, max(0, watchdogSeconds - (ContinuousClock.now - lastWatchdog) / .seconds(1)))
    }
    var descriptors = [pollfd(fd: signals, events: Int16(POLLIN), revents: 0)]
    if let watch { descriptors.append(pollfd(fd: watch, events: Int16(POLLIN), revents: 0)) }
    for stage in active.values.compactMap(\.stage) where !stage.isSilent {
      descriptors.append(pollfd(fd: stage.process.progress, events: Int16(POLLIN), revents: 0))
    }
    poll(&descriptors, nfds_t(descriptors.count), Int32((seconds * 1000).rounded(.up)))
  }

  /// Tells the service manager that this loop still turns.
  func feedWatchdog() {
    guard let watchdogSeconds, (ContinuousClock.now - lastWatchdog) / .seconds(1) >= watchdogSeconds * 0.9 else {
      return
    }
    lastWatchdog = .now
    notify("WATCHDOG=1")
  }

  /// Whether nothing is left to do or to decide: everything could be read, and is empty.
  private func isIdle() -> Bool {
    guard active.isEmpty, queue.isEmpty, strays.isEmpty, !mayHaveHalfAccepted, !isShareUnread else { return false }
    do {
      return try folders.jobs(.active).isEmpty && folders.jobs(.queue).isEmpty && folders.halfAccepted().isEmpty
        && !folders.files.names(in: folders.incoming).contains { IncomingName($0) == .taken }
    } catch {
      tell(error, of: "whether anything is left to do")
      return false
    }
  }

  private func stop() {
    guard !isStopping else { return }
    isStopping = true
    let stages = active.values.filter { $0.stage != nil }
    if stages.isEmpty { return log("stopping") }
    for active in stages.sorted(by: { $0.id < $1.id }) {
      log(
        "stopping; step \"\(active.step?.name ?? "")\" has \(Int(options.stopTimeoutSeconds)) s for its checkpoint",
        of: active)
      stop(active, .shutdown)
    }
  }

  // MARK: Telling

  func log(_ message: String, _ priority: LogRecord.Priority = .info) { console.log(LogRecord(message, priority)) }

  /// Says what the disk or the machine has refused, unless it was said.
  func tell(_ error: any Error, of subject: String) {
    guard troubles.isNew(error, for: subject) else { return }
    log("\(subject): \(error); trying again in \(Int(Self.troubleSeconds)) s", .error)
  }

  func log(_ message: String, _ priority: LogRecord.Priority = .info, of id: JobID) {
    metricsClock.hasNews = true
    console.log(LogRecord(message, priority, job: id))
  }

  func log(_ message: String, _ priority: LogRecord.Priority = .info, of active: ActiveJob) {
    metricsClock.hasNews = true
    console.log(
      LogRecord(message, priority, job: active.id, step: active.step?.name, stage: active.step?.stage.stage))
  }

  /// One line for `systemctl status`.
  private func reportStatus() {
    let steps = active.values.filter { $0.stage != nil }.sorted { $0.id < $1.id }.map { active in
      let percent = active.stage?.status.percent.map { " \(Int($0)) %" } ?? ""
      return "\(active.id.reference) \(active.step?.name ?? "")\(percent)"
    }
    let space = isShortOfSpace ? "; waiting for disk space" : ""
    let running = steps.isEmpty ? "nothing at work" : steps.joined(separator: ", ")
    let status = "\(running); \(queue.count) queued\(space)"
    guard status != lastStatus else { return }
    lastStatus = status
    notify("STATUS=\(status)")
  }
}
