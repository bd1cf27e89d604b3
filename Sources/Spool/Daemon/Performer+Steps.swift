import Diagnostics
import Files
import Foundation
import JobFolder
import Queue

/// Jobs in `active/`.
extension Performer {
  /// Looks what stands in a job's folder.
  func look(_ id: JobID, after step: String?) throws -> Event {
    let known = step == nil ? nil : queue.status(of: id)
    let found = try known.map { FoundStatus.known($0) } ?? folders.found(id, .active)
    do {
      let job = try jobs[id] ?? folders.jobFile(of: id, .active)
      jobs[id] = job
      if case .damaged(let failure, _) = found { throw failure }
      return .looked(id, try folders.look(at: job, id, after: step, found.status))
    } catch let failure as Failure where failure.status == .dataError {
      return .unreadable(id, failure, found.status)
    }
  }

  /// Starts a step whose attempt is counted. What a stage would say of its inputs, its program or the machine is an outcome.
  func start(_ id: JobID, _ name: String, _ status: JobStatus, user: UInt32) throws -> Event {
    do {
      let job = try jobs[id] ?? folders.jobFile(of: id, .active)
      guard let step = (job.steps + [.checksums]).first(where: { $0.name == name }) else {
        throw Failure(.software, id.description, "has no step \"\(name)\"")
      }
      let handle =
        status.handle.flatMap { StageHandle($0) } ?? StageHandle(executor: executors[0].name, task: "\(id)/\(name)")
      let order = StageOrder(
        id: id, step: step, handle: handle,
        heading: StepLogHeading(date: clock().date, program: step.stage.program, attempt: status.attempts),
        program: "\(step.isOwn ? programs.ownDirectory : programs.directory)/\(step.stage.program)",
        arguments: { [folders] threads in
          var arguments = try step.arguments(
            folders.roots, submitter: user, progressDescriptor: StageProcess.progressDescriptor)
          if let threads, !step.isOwn,
            !step.settings.contains(where: { $0.option.name == "threads" })
          {
            arguments.append("--threads=\(threads)")
          }
          return arguments
        },
        folder: folders.folder(of: id, .active), limits: step.limits.tightened(by: programs.limits),
        priority: status.priority ?? 0)
      for other in executors where other.name != handle.executor { other.leave(id, folder: order.folder) }
      switch try executor(handle).start(order) {
      case .started(let problem): return .started(id, problem: problem)
      case .folderHeld: return .folderHeld(id)
      }
    } catch let refusal as StageRefusal {
      return .notStarted(id, .refused(refusal.failure.description), why: refusal.failure.description)
    } catch let failure as Failure {
      let isTemporary = failure.status == .temporaryFailure || failure.status == .ioError
      return .notStarted(
        id, isTemporary ? .notStarted(failure.description) : .exited(failure.status.rawValue),
        why: failure.description)
    }
  }

  /// Where jobs stand; nil for those that stand nowhere.
  func located(_ ids: [JobID]) throws -> [JobID: JobState?] {
    var places: [JobID: JobState?] = [:]
    for id in ids {
      // What is done is asked for most.
      places[id] = .some(
        try [JobState.done, .queue, .active, .held, .failed].first {
          try folders.files.entry(folders.folder(of: id, $0)) != nil
        })
    }
    return places
  }
}
