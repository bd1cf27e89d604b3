import Queue
import Files
import JobFolder
import Diagnostics
import Foundation
import Spool

/// The daemon's decisions without its processes: stages are closures, time passes when there is nothing else to do.
final class SimulatedDaemon {
  /// What a stage does when it is started for the n-th time, counted from 1 over all crashes.
  typealias Stage = (_ start: Int) -> StageOutcome

  let files: MemoryFileSystem
  private let record: Record
  private let folders: JobFolders
  private let clock: Clock

  final class Clock {
    var date = Date(timeIntervalSince1970: 1_800_000_000)
  }

  /// What happened, kept over crashes.
  final class Record {
    var starts: [String: Int] = [:]
    var publications: [String: Int] = [:]
    var answers = 0
    /// The steps in the order in which they were published.
    var order: [String] = []
  }

  init(_ files: MemoryFileSystem, inputs: String, record: Record, clock: Clock = Clock(), boot: String = "boot") {
    self.files = files
    self.record = record
    self.clock = clock
    folders = JobFolders(
      root: "/spool", files: files, roots: InputRoots([inputs]), policy: RetryPolicy(), bootID: boot,
      now: { clock.date })
  }

  /// The disk has refused something for ever.
  struct NeverIdle: Error {}

  /// Whether the disk has refused something in this round.
  private var hasTrouble = false
  /// Whether a file could not be taken.
  private var hasPostponed = false
  /// Whether it has seen once what was dropped.
  private var hasReadIncoming = false
  /// Whether the requests are heard of later.
  var isDeaf = false

  /// What the daemon does where the disk refuses: it leaves things as they are and looks again.
  private func attempt(_ body: () throws -> Void) throws {
    do { try body() } catch is Failure { hasTrouble = true }
  }

  /// Accepts what was dropped, and runs nothing.
  func acceptOnly() throws {
    try attempt { try folders.prepare() }
    var isComplete = true
    try attempt {
      isComplete = false
      isComplete = try folders.recoverAcceptances(isComplete: hasReadIncoming && !hasPostponed).isComplete
    }
    try attempt { for id in try folders.jobs(.active) { try attempt { try recover(id) } } }
    try attempt {
      for name in try files.names(in: "/spool/incoming") where !isDeaf {
        if let request = JobRequest(name) { try attempt { try answer(request, "/spool/incoming/" + name) } }
      }
    }
    try attempt {
      let names = try files.names(in: "/spool/incoming").filter { JobRequest($0) == nil && !$0.hasPrefix(".") }
      let intake = try folders.accept(names, isComplete: isComplete)
      hasPostponed = !intake.postponed.isEmpty
      hasReadIncoming = true
      if !intake.isComplete { isComplete = false }
    }
    if !isComplete { hasTrouble = true }
  }

  private func recover(_ id: JobID) throws {
    do {
      try folders.recover(id)
    } catch let failure as Failure where failure.status == .dataError {
      _ = try folders.holdDamaged(id, from: .active, failure)
    }
  }

  /// Runs until nothing is left to do.
  func run(stage: Stage) throws {
    for _ in 0..<50 {
      hasTrouble = false
      try acceptOnly()
      try runAll(stage)
      if !hasTrouble { return }
      clock.date += 10
    }
    throw NeverIdle()
  }

  private func runAll(_ stage: Stage) throws {
    var troubled: Set<JobID> = []
    while true {
      var next: (job: JobID?, waitSeconds: Double)?
      try attempt {
        for id in try folders.jobs(.queue) {
          if case .impossible(let reason) = try folders.isReady(try folders.entry(id)) {
            try folders.hold(id, reason: reason)
          }
        }
        next = try folders.next(passingOver: troubled)
      }
      guard let next else { return }
      if let id = next.job {
        troubled.insert(id)
        try attempt {
          try run(id, stage)
          troubled.remove(id)
        }
      } else if next.waitSeconds.isFinite {
        clock.date += next.waitSeconds
      } else {
        return
      }
    }
  }

  /// As the daemon does: what is asked, then the request's file; a request that the job's state does not allow is dropped.
  private func answer(_ request: JobRequest, _ path: String) throws {
    let entry = try files.entry(path)
    let mark = request.mark(entry ?? FileEntry(kind: .file, size: 0, modified: 0))
    let state = try JobState.allCases.first { try files.entry(folders.folder(of: request.id, $0)) != nil }
    if let state, try !folders.isAnswered(mark, of: request.id, in: state) {
      let step = String(decoding: try files.read(path, limitBytes: 100), as: UTF8.self)
      do {
        try folders.answer(request, in: state, user: "anna", mark: mark, step: step.isEmpty ? nil : step)
        record.answers += 1
      } catch let failure as Failure where failure.status == .usage {}
    }
    try files.remove(path)
    try files.synchronize("/spool/incoming")
  }

  private func run(_ id: JobID, _ stage: Stage) throws {
    try folders.activate(id)
    let job = try folders.jobFile(of: id, .active)
    while let step = try folders.nextStep(of: job, id) {
      guard let status = try folders.beginAttempt(step, of: job, id) else { return }
      let start = (record.starts[step.name] ?? 0) + 1
      record.starts[step.name] = start
      let outcome = stage(start)
      if outcome == .exited(0) { try files.withoutFaults { try publish(step, in: folders.folder(of: id, .active)) } }
      let conclusion = try folders.conclude(
        step, of: id, status, outcome, lastLine: "sid-x: it is so")
      guard conclusion == .finishedStep else { return }
    }
    try folders.finish(job, id)
  }

  /// As stages publish: the output, then the record, each by a rename that is flushed.
  private func publish(_ step: JobStep, in folder: String) throws {
    let digest = String(repeating: "0", count: 64)
    let recordText =
      #"{"stage": "x", "output": "\#(step.outputFile)", "figures": {"\#(step.name)": 1}, "#
      + #""files": [{"name": "\#(step.outputFile)", "sha256": "\#(digest)"}]}"#
    for (name, content) in [(step.outputFile, "output")]
      + (step.recordFile == step.outputFile ? [] : [(step.recordFile, recordText)])
    {
      try files.write("\(folder)/\(name).partial", Array(content.utf8))
      try files.rename("\(folder)/\(name).partial", to: "\(folder)/\(name)")
      try files.synchronize(folder)
    }
    record.publications[step.name, default: 0] += 1
    record.order.append(step.name)
  }
}
