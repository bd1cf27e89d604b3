import Diagnostics
import Files
import Foundation

/// The one process that works on a spool: accepts jobs, runs their steps one after the other, and puts them where they
/// belong.
///
/// Everything happens in the thread that calls `run`: stages ask the kernel to die with the thread that started them.
public final class Daemon {
  /// How often the folders are read though nothing was heard.
  private static let scanSeconds = 30.0
  /// How long a job is left alone after the disk refused something for it.
  private static let troubleSeconds = 30.0

  private struct ActiveJob {
    let id: JobID
    let job: JobFile
    var stage: RunningStage?
  }

  private let options: DaemonOptions
  private let roots: InputRoots
  private let console: Console
  private let folders: JobFolders
  private let notify: (String) -> Void
  private var incoming = IncomingFiles()
  private var active: ActiveJob?
  /// Jobs the disk refused something for, and when they are looked at again.
  private var troubled: [JobID: ContinuousClock.Instant] = [:]
  /// Names in `incoming/` that were reported as unreadable.
  private var unreadable: Set<String> = []
  private var isStopping = false
  private let start = ContinuousClock.now

  /// - Parameters:
  ///   - options: how it works.
  ///   - console: where it logs and shows progress.
  ///   - notify: is handed what a service manager wants to know (`READY=1`, `STATUS=...`, `STOPPING=1`).
  /// - Throws: a `Failure` where the spool cannot be created or the folder of the stage programs does not exist.
  public init(_ options: DaemonOptions, console: Console, notify: @escaping (String) -> Void = { _ in }) throws {
    var options = options
    options.programDirectory = try DaemonOptions.realPath(options.programDirectory)
    self.options = options
    self.console = console
    self.notify = notify
    roots = InputRoots(options.inputRoots)
    folders = JobFolders(
      root: try DaemonOptions.realFolder(options.spool), files: DiskFileSystem(), roots: roots, policy: options.retry,
      bootID: DaemonOptions.bootID())
  }

  /// Works until it is told to stop by SIGTERM or SIGINT, or nothing is left where `exitsWhenIdle` is set.
  /// - Throws: a `Failure` with status `temporaryFailure` where another daemon works on the spool or, with
  ///   `exitsWhenIdle`, where it was stopped before; other statuses where the spool cannot be worked on.
  public func run() throws {
    try folders.prepare()
    let lock = try SpoolLock(root: folders.root)
    // Not before the lock: a second daemon must leave the signals alone while it reports.
    let signals = try SignalDescriptor([SIGTERM, SIGINT, SIGCHLD])
    signal(SIGPIPE, SIG_IGN)
    let watch = try? FolderWatch(folders.incoming)
    if watch == nil { console.line("cannot watch \(folders.incoming); it is read every \(Int(Self.scanSeconds)) s") }
    let isCancelled = {
      if signals.read().contains(where: { $0 != SIGCHLD }) { self.stop() }
      return self.isStopping
    }
    console.line("started on \(folders.root)")
    notify("READY=1")

    var completed: Set<String> = []
    var nextScan = ContinuousClock.now
    while true {
      _ = isCancelled()
      if let watch {
        let names = watch.completedNames()
        completed.formUnion(names)
        if !names.isEmpty { nextScan = .now }
      }
      if attendStage() { nextScan = .now }
      if isStopping && active?.stage == nil { break }
      if !isStopping && nextScan <= .now {
        var wait = acceptIncoming(completed)
        completed = []
        recoverStrays(isCancelled)
        if !isStopping { wait = min(wait, work(isCancelled)) }
        // The signal was read on the way and will not end the waiting below.
        if isStopping { continue }
        if options.exitsWhenIdle, try isIdle() { break }
        nextScan = .now + .seconds(min(wait, Self.scanSeconds))
      }
      wait(until: nextScan, signals: signals.descriptor, watch: watch?.descriptor)
    }
    notify("STOPPING=1")
    console.line(isStopping ? "stopped" : "nothing left to do")
    _ = consume lock
    if isStopping && options.exitsWhenIdle, try !isIdle() {
      throw Failure(.temporaryFailure, folders.root, "stopped with jobs left", remedy: "start again to go on")
    }
  }

  // MARK: Waiting

  private func wait(until scan: ContinuousClock.Instant, signals: Int32, watch: Int32?) {
    var seconds = isStopping ? Self.scanSeconds : max(0, (scan - .now) / .seconds(1))
    if let stage = active?.stage {
      if let write = stage.secondsToWrite { seconds = min(seconds, write) }
      if let kill = stage.killTime { seconds = min(seconds, max(0, (kill - .now) / .seconds(1))) }
    }
    var descriptors = [pollfd(fd: signals, events: Int16(POLLIN), revents: 0)]
    if let watch { descriptors.append(pollfd(fd: watch, events: Int16(POLLIN), revents: 0)) }
    if let stage = active?.stage, !stage.isSilent {
      descriptors.append(pollfd(fd: stage.process.progress, events: Int16(POLLIN), revents: 0))
    }
    poll(&descriptors, nfds_t(descriptors.count), Int32((seconds * 1000).rounded(.up)))
  }

  private func isIdle() throws -> Bool {
    let files = folders.files
    return try active == nil && folders.jobs(.queue).isEmpty && folders.jobs(.active).isEmpty
      && files.names(in: folders.incoming).allSatisfy(IncomingFiles.isIgnored)
  }

  private func stop() {
    guard !isStopping else { return }
    isStopping = true
    guard let active, let stage = active.stage else { return console.line("stopping") }
    console.line(
      "stopping; step \"\(stage.step.name)\" of \(active.id) has \(Int(options.stopTimeoutSeconds)) s for its checkpoint"
    )
    stage.killTime = .now + .seconds(options.stopTimeoutSeconds)
    stage.process.signal(SIGTERM)
  }

  // MARK: Accepting

  /// - Returns: how many seconds until the folder should be read again.
  private func acceptIncoming(_ completed: Set<String>) -> Double {
    do {
      try folders.recoverAcceptances().forEach(report)
      reportUnreadable()
      var entries: [String: FileEntry] = [:]
      for name in try folders.files.names(in: folders.incoming) {
        entries[name] = try folders.files.entry("\(folders.incoming)/\(name)")
      }
      let scan = incoming.scan(entries, completed: completed, nowSeconds: (ContinuousClock.now - start) / .seconds(1))
      for name in scan.ready { report(try folders.accept(name)) }
      return scan.waitSeconds ?? .infinity
    } catch {
      console.line("cannot accept jobs: \(error); trying again in \(Int(Self.scanSeconds)) s")
      return Self.scanSeconds
    }
  }

  /// Says once of each file that its name makes it no job.
  private func reportUnreadable() {
    let names = Set((try? DiskFileSystem().unreadableNames(in: folders.incoming)) ?? [])
    for name in names.subtracting(unreadable).sorted() {
      console.line("\(folders.incoming)/\(name): ignored: its name is not UTF-8")
    }
    unreadable = names
  }

  private func report(_ acceptance: JobFolders.Acceptance) {
    switch acceptance {
    case .queued(let id): console.line("\(id): accepted")
    case .refused(let id, let reason): console.line("\(id): refused: \(reason)")
    }
  }

  /// Puts jobs that stand in `active/` and are not being run back to the queue: what a daemon before this one left, and
  /// what the disk refused to move.
  private func recoverStrays(_ isCancelled: () -> Bool) {
    guard let strays = try? folders.jobs(.active).filter({ $0 != active?.id }) else { return }
    for id in strays where troubled[id].map({ $0 <= .now }) ?? true {
      troubled[id] = nil
      attempt(id) {
        let stopped = try JobLock.stopOrphans(
          folder: folders.folder(of: id, .active), graceSeconds: options.stopTimeoutSeconds, isCancelled: isCancelled)
        if !stopped.isEmpty { console.line("\(id): stopped processes \(stopped), left by a daemon that is gone") }
        try folders.recover(id)
        console.line("\(id): was being run when the daemon ended; put back")
      }
    }
  }

  // MARK: Working

  /// Starts the next step where none is at work.
  /// - Parameter isCancelled: asked while waiting for processes to end.
  /// - Returns: how many seconds until there may be something to start.
  private func work(_ isCancelled: () -> Bool) -> Double {
    while !isStopping, active?.stage == nil {
      if let active {
        attempt(active.id) { try startStep(active.id, active.job, isCancelled) }
        if self.active == nil || self.active?.stage != nil { continue }
        return .infinity
      }
      do {
        let next = try folders.next(passingOver: Set(troubled.filter { $0.value > .now }.keys))
        guard let id = next.job else { return next.waitSeconds }
        attempt(id) {
          try folders.activate(id)
          do {
            active = ActiveJob(id: id, job: try folders.jobFile(of: id, .active), stage: nil)
          } catch let failure as Failure where failure.status == .dataError {
            try folders.fail(id, reason: failure.description)
            console.line("\(id): failed: \(failure)")
          }
        }
      } catch {
        console.line("cannot read the queue: \(error)")
        return Self.scanSeconds
      }
    }
    return .infinity
  }

  /// Does something for a job; where the disk refuses, the job is left alone for a while and then recovered.
  private func attempt(_ id: JobID, _ body: () throws -> Void) {
    do {
      try body()
    } catch {
      if isStopping { return }
      console.line("\(id): \(error); looking at it again in \(Int(Self.troubleSeconds)) s")
      troubled[id] = .now + .seconds(Self.troubleSeconds)
      if active?.id == id { active = nil }
    }
  }

  private func startStep(_ id: JobID, _ job: JobFile, _ isCancelled: () -> Bool) throws {
    guard let step = try folders.nextStep(of: job, id) else { return try finish(id, job) }
    guard let status = try folders.beginAttempt(step, of: job, id) else {
      active = nil
      return console.line("\(id): failed: \(folders.status(of: id, .failed)?.reason ?? "given up")")
    }
    let folder = folders.folder(of: id, .active)
    let log = try StageLog(
      folder: folder, step: step.name,
      heading: "\(Date().formatted(.iso8601)) \(step.stage.program), attempt \(status.attempts)")
    do {
      _ = try JobLock.stopOrphans(
        folder: folder, graceSeconds: options.stopTimeoutSeconds, isCancelled: isCancelled)
      guard let lock = try JobLock(folder: folder) else {
        throw Failure(.temporaryFailure, folder, "another process took its lock")
      }
      let process = try StageProcess(
        program: "\(options.programDirectory)/\(step.stage.program)",
        arguments: try step.arguments(roots, progressDescriptor: StageProcess.progressDescriptor), folder: folder,
        log: log.descriptor, lock: lock)
      active?.stage = RunningStage(step: step, process: process, log: log, status: status)
    } catch let failure as Failure {
      // What a stage would say of its inputs, its program or the machine counts as if it had.
      let isTemporary = failure.status == .temporaryFailure || failure.status == .ioError
      let outcome = isTemporary ? StageOutcome.notStarted(failure.description) : .exited(failure.status.rawValue)
      return try conclude(id, step, status, outcome, lastLine: failure.description)
    }
    notify("STATUS=\(id): \(step.name)")
    let again = status.attempts > 1 ? ", attempt \(status.attempts) of \(options.retry.mostAttempts)" : ""
    console.line("\(id): step \"\(step.name)\" (\(step.stage.program)) started\(again)")
  }

  private func finish(_ id: JobID, _ job: JobFile) throws {
    do {
      try folders.finish(job, id)
      notify("STATUS=\(id) done")
      console.line("\(id): done: \(folders.folder(of: id, .done))")
    } catch let failure as Failure where failure.status == .software || failure.status == .dataError {
      // What a stage published stays as it is: another look would find the same.
      try folders.fail(id, reason: failure.description)
      console.line("\(id): failed: \(failure)")
    }
    active = nil
  }

  /// Takes up the progress of the stage at work and its end.
  /// - Returns: whether it ended.
  private func attendStage() -> Bool {
    guard let active, let stage = active.stage else { return false }
    if stage.readProgress() { console.progress(stage.step.name, stage.status) }
    if let outcome = stage.process.outcome() {
      _ = stage.readProgress()
      self.active?.stage = nil
      console.finishBar(stage.step.name, stage.status)
      attempt(active.id) {
        try conclude(
          active.id, stage.step, stage.status, outcome, lastLine: stage.log.lastLine(of: stage.step.stage.program),
          seconds: (ContinuousClock.now - stage.started) / .seconds(1))
      }
      return true
    }
    if let kill = stage.killTime, kill <= .now {
      console.line("\(active.id): step \"\(stage.step.name)\" did not stop in time; killed")
      stage.process.signal(SIGKILL)
      stage.killTime = .now + .seconds(5)
    }
    if stage.secondsToWrite == 0 {
      stage.noteWritten()
      // The progress that people read may wait; a full disk is the stage's own to report.
      try? folders.write(stage.status, of: active.id, .active)
    }
    return false
  }

  private func conclude(
    _ id: JobID, _ step: JobStep, _ status: JobStatus, _ outcome: StageOutcome, lastLine: String?, seconds: Double = 0
  ) throws {
    let conclusion = try folders.conclude(step, of: id, status, outcome, lastLine: lastLine, isStopping: isStopping)
    switch conclusion {
    case .finishedStep:
      console.line("\(id): step \"\(step.name)\" finished in \(ProgressText.duration(seconds))")
      guard isStopping else { return }
      try folders.putBack(id, status)
      console.line("\(id): put back")
    case .deferred(let pause, let reason):
      console.line("\(id): deferred for \(ProgressText.number(pause)) s: \(reason)")
    case .failed(let reason):
      console.line("\(id): failed: \(reason)")
    case .putBack:
      console.line("\(id): put back")
    }
    active = nil
  }
}
