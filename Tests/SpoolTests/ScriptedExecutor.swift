import Diagnostics
import Foundation
import JobFolder
import Queue
import Spool

/// Stages that do what a test wants: they publish into folders in memory, and end when they are told of.
final class ScriptedExecutor: Executor {
  /// What a stage does when it is started for the n-th time, counted from 1 over all crashes; nil for being at work until
  /// the test ends it.
  typealias Stage = (_ step: String, _ start: Int) throws -> StageOutcome?

  /// What happened, kept over crashes.
  final class Record {
    var starts: [String: Int] = [:]
    var publications: [String: Int] = [:]
    /// Those that were begun, whether or not they came to their end.
    var begun: [String: Int] = [:]
    /// How many requests were carried out.
    var answers = 0
    /// The steps in the order in which they were published.
    var order: [String] = []
    /// Stages that outlive the daemon, by their handles: found again by `attach`.
    var alive: Set<StageHandle> = []
    /// How many stages were started beside one of the same job that was at work without its daemon.
    var doubles = 0
    /// How often a test's stage was asked whether it has ended.
    var looks: [String: Int] = [:]
    /// What was logged.
    var log: [String] = []
    /// How many operations there were in all.
    var operations = 0
  }

  /// A stage at work.
  private struct Work {
    let step: JobStep
    let folder: String
    let handle: StageHandle
    let start: Int
    var outcome: StageOutcome?
    var progress: [StageProgress] = []
  }

  let name: String
  let descriptors: [Int32] = []
  let pollSeconds: Double? = nil
  /// Whether stages go on where the daemon is gone, and can be taken over.
  var outlivesDaemon = false
  var stage: Stage = { _, _ in .exited(0) }
  /// How many processes of an earlier attempt are in a job's folder, and how hard they have to be told.
  var leftovers: [JobID: (isHard: Bool, ends: Bool)] = [:]
  /// Why it takes no stage.
  var refusal: Failure?
  /// Where it cannot be asked what it has at work.
  var isSilent = false
  /// What was told to stop, in order.
  private(set) var stops: [(job: JobID, isHard: Bool)] = []
  /// What was told to leave a folder.
  private(set) var leftoverStops: [Bool] = []
  private let files: MemoryFileSystem
  private let record: Record
  private var work: [JobID: Work] = [:]
  private var told: [(job: JobID, news: StageNews)] = []

  init(_ name: String, _ files: MemoryFileSystem, _ record: Record) {
    (self.name, self.files, self.record) = (name, files, record)
  }

  /// Which jobs' stages are at work.
  var atWork: [JobID] { work.keys.sorted() }
  /// The handle of a stage at work.
  func handle(_ id: JobID) -> StageHandle? { work[id]?.handle }

  /// Ends a stage that is at work.
  func end(_ id: JobID, _ outcome: StageOutcome) { work[id]?.outcome = outcome }
  /// Has a stage report.
  func report(_ id: JobID, done: Double, total: Double = 10) {
    work[id]?.progress.append(StageProgress(done: done, total: total, unit: "images"))
  }

  func start(_ order: StageOrder) throws -> StageStart {
    if let refusal { throw StageRefusal(refusal) }
    if leftovers[order.id] != nil { return .folderHeld }
    _ = try order.arguments(nil)
    let start = (record.starts[order.step.name] ?? 0) + 1
    record.starts[order.step.name] = start
    work[order.id] = Work(step: order.step, folder: order.folder, handle: order.handle, start: start)
    if outlivesDaemon {
      if record.alive.contains(where: { $0.task.hasPrefix("\(order.id)/") }) { record.doubles += 1 }
      record.alive.insert(order.handle)
    }
    return .started(problem: nil)
  }

  func news() throws -> [(job: JobID, news: StageNews)] {
    if isSilent { throw Failure(.temporaryFailure, "queue", "cannot be asked") }
    var news = told
    told = []
    for (id, job) in work.sorted(by: { $0.key < $1.key }) {
      news += job.progress.map { (id, .progress($0)) }
      work[id]?.progress = []
      guard let outcome = try job.outcome ?? stage(job.step.name, job.start) else { continue }
      work[id] = nil
      record.alive.remove(job.handle)
      // Work that is not the daemon's: no fault befalls it.
      if outcome == .exited(0) { try files.withoutFaults { try publish(job.step, in: job.folder) } }
      news.append((id, .ended(outcome, lastLine: "sid-x: it is so")))
    }
    return news
  }

  func stop(_ id: JobID, isHard: Bool) { if work[id] != nil { stops.append((id, isHard)) } }

  /// Has a stage wait for its turn, or have it.
  func tell(_ id: JobID, _ news: StageNews) { told.append((id, news)) }

  func attach(_ id: JobID, folder: String, handle: StageHandle?) throws -> Occupation {
    if isSilent { throw Failure(.temporaryFailure, "queue", "cannot be asked") }
    if leftovers[id] != nil { return .leftovers }
    guard let handle, record.alive.contains(handle),
      let status = try? JobStatus(json: files.read(folder + "/status.json", limitBytes: 10_000)),
      let job = try? JobFile(files.read(folder + "/job.yaml", limitBytes: 10_000)),
      let step = (job.steps + [.checksums]).first(where: { $0.name == status.step })
    else { return .nobody }
    work[id] = Work(step: step, folder: folder, handle: handle, start: record.starts[step.name] ?? 0)
    return .stage
  }

  func stopLeftovers(_ id: JobID, folder: String, isHard: Bool) throws -> [Int32] {
    leftoverStops.append(isHard)
    if let leftover = leftovers[id], leftover.ends, isHard || !leftover.isHard { leftovers[id] = nil }
    return [4711]
  }

  /// As stages publish: the output, then the record, each by a rename that is flushed.
  private func publish(_ step: JobStep, in folder: String) throws {
    record.begun[step.name, default: 0] += 1
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
