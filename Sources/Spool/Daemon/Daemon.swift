import CLinux
import Diagnostics
import Files
import Foundation
import JobFolder
import Queue

/// The one process that works on a spool: accepts jobs, runs their steps as far as there are slots, and puts jobs where they
/// belong.
///
/// It turns what happens on this machine (a signal, a notice of `incoming/`, a stage's report or end, time) into events of
/// the core, has its actions performed (`Performer`) and sleeps until there is something again.
///
/// Everything happens in the thread that calls `run`: stages ask the kernel to die with the thread that started them.
public final class Daemon {
  private let options: DaemonOptions
  private let console: Console
  private let performer: Performer
  private let incoming: IncomingFolder
  private let executors: [any Executor]
  private let clock: @Sendable () -> Moment
  private let manager: ServiceManager
  private let metrics: MetricsFile

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
    let programs = Performer.Programs(
      directory: try RealPath.of(options.programDirectory ?? DaemonOptions.ownDirectory),
      ownDirectory: DaemonOptions.ownDirectory, limits: options.stageLimits)
    let root = try DaemonOptions.realFolder(options.spool)
    let roots = InputRoots(options.roots)
    let start = ContinuousClock.now
    let clock: @Sendable () -> Moment = { Moment(seconds: (ContinuousClock.now - start) / .seconds(1), date: Date()) }
    let manager = ServiceManager(watchdogSeconds: watchdogSeconds, notify)
    let metrics = MetricsFile(options.metricsFile)
    let folders = JobFolders(
      root: root, files: DiskFileSystem(), roots: roots, stepKeys: options.slurm.stepKeys)
    let incoming = IncomingFolder(folders.incoming)
    // Slurm may have stages of a daemon before this one, whatever is configured now.
    let warn: (String) -> Void = { console.log(LogRecord($0, .warning)) }
    let slurm = SlurmExecutor(
      options.slurm, roots: roots, control: DaemonOptions.ownDirectory, machines: SlurmMachines(root, note: warn),
      commands: SlurmPrograms(),
      seconds: { clock().seconds }, note: warn)
    let executors: [any Executor] = [LocalExecutor(roots: roots, threads: options.threadsPerStage), slurm]
    (self.options, self.console, self.clock, self.manager, self.metrics) = (options, console, clock, manager, metrics)
    (self.incoming, self.executors) = (incoming, executors)
    performer = Performer(
      try options.rules(root: root), folders: folders, executors: executors, incoming: incoming,
      programs: programs, machine: .this(root),
      telling: Performer.Telling(
        log: { record in
          if record.job != nil { metrics.hasNews = true }
          console.log(record)
        },
        showBar: console.progress, finishBar: { console.finishBar($0, $1) }, betweenTwo: manager.feedWatchdog),
      clock: clock)
  }

  private var queue: JobQueue { performer.queue }
  private var root: String { performer.folders.root }

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
    // What cannot be watched the first reading says.
    try? incoming.listen()
    if !FileConfinement.isSupported {
      log(
        "no Landlock here, by the kernel or by a filter of system calls: stages can open what lies outside the input roots",
        .warning)
    }
    if !options.slurmStages.isEmpty, let problem = SharedLock.problem(root) { log("\(problem)", .error) }
    log("started on \(root)")
    manager.tell("READY=1")
    try performer.tell(.begun)
    try work(signals)
    try performer.tell(.leaving)
    metrics.write(performer, isLast: true, log: log)
    manager.tell("STOPPING=1")
    log(queue.isStopping ? "stopped" : "nothing left to do")
    _ = consume lock
    if queue.isStopping && options.exitsWhenIdle, !isIdle() {
      throw Failure(.temporaryFailure, root, "stopped with jobs left", remedy: "start again to go on")
    }
  }

  /// The main loop.
  private func work(_ signals: borrowing SignalDescriptor) throws {
    var rounds = queue.rounds
    while true {
      if signals.read().contains(where: { $0 != SIGCHLD }) { try performer.tell(.stopAsked) }
      manager.feedWatchdog()
      if incoming.hear() { try performer.tell(.heard) }
      try performer.hearStages()
      try performer.turn()
      if queue.isStopping && queue.isAtRest { return }
      let isRoundOver = queue.rounds != rounds
      rounds = queue.rounds
      if isRoundOver, options.exitsWhenIdle, isIdle() { return }
      metrics.write(performer, afterRound: isRoundOver, log: log)
      manager.tell(status: queue.summary)
      wait(signals.descriptor)
    }
  }

  private func lockedSpool() throws -> FileLock {
    // The lock first: what `prepare` clears away is the daemon's own.
    let lock = try SpoolLock.take(root: root)
    for problem in try performer.folders.prepare() { log("cannot be cleared away: \(problem)", .warning) }
    return lock
  }

  /// Sleeps until something happens or time alone gives something to do.
  private func wait(_ signals: Int32) {
    var seconds = queue.waitSeconds(clock())
    for other in [metrics.waitSeconds, manager.waitSeconds] + executors.map(\.pollSeconds) {
      seconds = min(seconds, max(0, other ?? .infinity))
    }
    var descriptors = [pollfd(fd: signals, events: Int16(POLLIN), revents: 0)]
    for other in [incoming.descriptor].compactMap({ $0 }) + executors.flatMap(\.descriptors) {
      descriptors.append(pollfd(fd: other, events: Int16(POLLIN), revents: 0))
    }
    poll(&descriptors, nfds_t(descriptors.count), Int32((seconds * 1000).rounded(.up)))
  }

  /// Whether nothing is left to do or to decide: everything could be read, and is empty.
  private func isIdle() -> Bool {
    guard queue.isIdle else { return false }
    let folders = performer.folders
    do {
      return try folders.jobs(.active).isEmpty && folders.jobs(.queue).isEmpty && folders.halfAccepted().isEmpty
        && !folders.files.names(in: folders.incoming).contains { IncomingName($0) == .taken }
    } catch {
      // The next round says what the disk refuses.
      return false
    }
  }

  private func log(_ message: String, _ priority: LogRecord.Priority = .info) {
    console.log(LogRecord(message, priority))
  }
}

extension DaemonOptions {
  /// What the core has to know.
  func rules(root: String) throws -> QueueRules {
    var rules = QueueRules(root: root, bootID: try Self.bootID())
    (rules.slots, rules.retry, rules.limits, rules.retention) = (slots, retry, limits, retention)
    rules.stepTimeoutSeconds = stageLimits.timeoutSeconds
    rules.stopTimeoutSeconds = stopTimeoutSeconds
    rules.preempts = preempts
    if !slurmStages.isEmpty { rules.executors.slotless = [JobStep.checksums.stage.stage] }
    rules.executors.run(
      slurmStages, on: ExecutorRule(SlurmExecutor.standardName, jobs: slurm.jobs, outlivesDaemon: true))
    rules.user = geteuid()
    return rules
  }
}

extension Performer.Machine {
  /// This machine.
  /// - Parameter root: the spool's root.
  static func this(_ root: String) -> Self {
    Self(freeBytes: { freeBytes(root) }, isInUse: isInUse, size: FolderSize.bytes)
  }

  /// What is free on the disk of a folder for users, in bytes.
  private static func freeBytes(_ folder: String) -> Int? {
    var disk = statvfs()
    guard statvfs(folder, &disk) == 0 else { return nil }
    return Int(clamping: UInt64(disk.f_bavail) &* UInt64(disk.f_frsize))
  }

  /// Whether somebody has a file of a folder open.
  /// - Throws: a `Failure` where that cannot be seen now.
  private static func isInUse(_ folder: String) throws -> Bool {
    try FolderSize.entries(folder).contains { path, _ in
      let descriptor = path.withCString { open($0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
      // One that this user may not open tells nothing, now or later.
      if descriptor < 0, [ENOENT, ELOOP, EACCES, EPERM].contains(errno) { return false }
      guard descriptor >= 0 else { throw Failure.system(path.description, "open") }
      defer { close(descriptor) }
      return sid_is_open_elsewhere(descriptor) != 0
    }
  }
}
