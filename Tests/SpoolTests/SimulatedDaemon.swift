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
  }

  init(_ files: MemoryFileSystem, inputs: String, record: Record, clock: Clock = Clock(), boot: String = "boot") {
    self.files = files
    self.record = record
    self.clock = clock
    folders = JobFolders(
      root: "/spool", files: files, roots: InputRoots([inputs]), policy: RetryPolicy(), bootID: boot,
      now: { clock.date })
  }

  /// Accepts what was dropped, and runs nothing.
  func acceptOnly() throws {
    try folders.prepare()
    _ = try folders.recoverAcceptances()
    for id in try folders.jobs(.active) { try folders.recover(id) }
    for name in try files.names(in: "/spool/incoming") {
      if let request = JobRequest(name) { try answer(request, "/spool/incoming/" + name) }
    }
    _ = try folders.accept(try files.names(in: "/spool/incoming"))
  }

  /// Runs until nothing is left to do.
  func run(stage: Stage) throws {
    try acceptOnly()
    while true {
      let next = try folders.next()
      if let id = next.job {
        try run(id, stage)
      } else if next.waitSeconds.isFinite {
        clock.date += next.waitSeconds
      } else {
        return
      }
    }
  }

  /// As the daemon does: what is asked, then the request's file; a request that the job's state does not allow is dropped.
  private func answer(_ request: JobRequest, _ path: String) throws {
    if let state = try JobState.allCases.first(where: { try files.entry(folders.folder(of: request.id, $0)) != nil }) {
      let step = String(decoding: try files.read(path, limitBytes: 100), as: UTF8.self)
      do {
        try folders.answer(request, in: state, user: "anna", step: step.isEmpty ? nil : step)
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
      if outcome == .exited(0) { try publish(step, in: folders.folder(of: id, .active)) }
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
  }
}
