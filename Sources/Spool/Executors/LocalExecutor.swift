import Diagnostics
import Foundation
import JobFolder
import Queue

/// Runs stages as child processes of the daemon, each with its own process group and the lock of its job's folder.
///
/// They end with the daemon (`StageProcess`), so a handle names nothing that could be taken over: what an earlier daemon left
/// is found by the lock, and stopped.
final class LocalExecutor: Executor {
  let name = "local"
  private let roots: InputRoots
  private let threads: Int?
  private var stages: [JobID: LocalStage] = [:]

  /// - Parameters:
  ///   - roots: beneath which stages may read, besides their job's folder.
  ///   - threads: of a stage whose job does not say; nil for the stage's own default.
  init(roots: InputRoots, threads: Int?) { (self.roots, self.threads) = (roots, threads) }

  func start(_ order: StageOrder) throws -> StageStart {
    guard let lock = try JobLock.take(folder: order.folder) else { return .folderHeld }
    let log = try StageLog(folder: order.folder, step: order.step.name, heading: order.heading)
    let process = try StageProcess(
      program: order.program, arguments: try order.arguments(threads), folder: order.folder, roots: roots,
      log: log.descriptor, lock: lock)
    stages[order.id] = LocalStage(process: process, log: log, program: order.step.stage.program)
    do {
      try process.limit(order.limits)
      return .started(problem: nil)
    } catch let failure as Failure {
      // Without its limit it must not run.
      process.signal(SIGKILL)
      return .started(problem: failure)
    }
  }

  func news() -> [(job: JobID, news: StageNews)] {
    var news: [(job: JobID, news: StageNews)] = []
    for (id, stage) in stages.sorted(by: { $0.key < $1.key }) {
      var progress = stage.progress()
      let outcome = stage.process.outcome()
      // What it reported until its end.
      if outcome != nil { progress = stage.progress() ?? progress }
      if let progress { news.append((id, .progress(progress))) }
      guard let outcome else { continue }
      news.append((id, .ended(outcome, lastLine: stage.log.lastLine(of: stage.program))))
      stages[id] = nil
    }
    return news
  }

  func stop(_ id: JobID, isHard: Bool) { stages[id]?.process.signal(isHard ? SIGKILL : SIGTERM) }

  func attach(_ id: JobID, folder: String, handle: StageHandle?) throws -> Occupation {
    // Whoever gets the lock knows that nobody writes there any more; only this daemon starts stages.
    guard let lock = try JobLock.take(folder: folder) else { return .leftovers }
    _ = consume lock
    return .nobody
  }

  func stopLeftovers(_ id: JobID, folder: String, isHard: Bool) throws -> [Int32] {
    try JobLock.stopHolders(folder: folder, hard: isHard)
  }

  var descriptors: [Int32] { stages.values.filter { !$0.isSilent }.map(\.process.progress) }

  /// An end is told by SIGCHLD.
  var pollSeconds: Double? { nil }
}
