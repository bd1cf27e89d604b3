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
  }

  init(_ files: MemoryFileSystem, inputs: String, record: Record, clock: Clock = Clock(), boot: String = "boot") {
    self.files = files
    self.record = record
    self.clock = clock
    folders = JobFolders(
      root: "/spool", files: files, roots: InputRoots([inputs]), policy: RetryPolicy(), bootID: boot,
      now: { clock.date })
  }

  /// Runs until nothing is left to do.
  func run(stage: Stage) throws {
    try folders.prepare()
    _ = try folders.recoverAcceptances()
    for id in try folders.jobs(.active) { try folders.recover(id) }
    for name in try files.names(in: "/spool/incoming") { _ = try folders.accept(name) }
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
        step, of: id, status, outcome, lastLine: "sid-x: it is so", isStopping: false)
      guard conclusion == .finishedStep else { return }
    }
    try folders.finish(job, id)
  }

  /// As stages publish: the figures, then the output, each by a rename that is flushed.
  private func publish(_ step: JobStep, in folder: String) throws {
    for (name, content) in [(step.name + ".json", #"{"figures": {"\#(step.name)": 1}}"#), (step.outputFile, "output")] {
      try files.write("\(folder)/\(name).partial", Array(content.utf8))
      try files.rename("\(folder)/\(name).partial", to: "\(folder)/\(name)")
      try files.synchronize(folder)
    }
    record.publications[step.name, default: 0] += 1
  }
}
