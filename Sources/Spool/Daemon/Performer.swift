import Diagnostics
import Foundation
import Files
import JobFolder
import Queue

/// Performs what the core decides on a spool's folders and with its stages, and tells the core what came of it.
///
/// It decides nothing. The daemon is this with a main loop around it; the tests are this over folders in memory, with stages that
/// do what a test wants.
package final class Performer {
  /// What of the machine is not reached through folders and stages.
  package struct Machine {
    /// What is free on the spool's disk for users, in bytes; nil where that cannot be seen.
    package var freeBytes: () -> Int?
    /// Whether somebody has a file in a folder open.
    package var isInUse: (_ folder: String) throws -> Bool
    /// The bytes of the files in a folder.
    package var size: (_ folder: String) throws -> Int
    /// What a user is called.
    package var userName: (UInt32) -> String

    /// - Parameters: as the properties.
    package init(
      freeBytes: @escaping () -> Int?, isInUse: @escaping (String) throws -> Bool,
      size: @escaping (String) throws -> Int, userName: @escaping (UInt32) -> String = Users.shown
    ) {
      (self.freeBytes, self.isInUse, self.size, self.userName) = (freeBytes, isInUse, size, userName)
    }
  }

  /// What people see and hear.
  package struct Telling {
    /// Takes a line.
    package var log: (LogRecord) -> Void
    /// Shows how far a step is.
    package var showBar: (String, JobStatus) -> Void
    /// Leaves the bar of a step that has ended.
    package var finishBar: (String, JobStatus) -> Void
    /// Called now and then where something takes long.
    package var betweenTwo: () -> Void

    /// - Parameters: as the properties.
    package init(
      log: @escaping (LogRecord) -> Void, showBar: @escaping (String, JobStatus) -> Void = { _, _ in },
      finishBar: @escaping (String, JobStatus) -> Void = { _, _ in }, betweenTwo: @escaping () -> Void = {}
    ) {
      (self.log, self.showBar, self.finishBar, self.betweenTwo) = (log, showBar, finishBar, betweenTwo)
    }
  }

  /// Where stages find what they are, and how they are called.
  package struct Programs {
    /// The folder of the stage programs.
    package var directory: String
    /// The folder of the daemon's own.
    package var ownDirectory: String
    /// What every step may use at most.
    package var limits: StepLimits

    /// - Parameters: as the properties.
    package init(directory: String, ownDirectory: String, limits: StepLimits = StepLimits()) {
      (self.directory, self.ownDirectory, self.limits) = (directory, ownDirectory, limits)
    }
  }

  /// The core. What it knows is for others to read.
  package private(set) var queue: JobQueue
  package let folders: JobFolders
  let executors: [any Executor]
  let incoming: any IncomingSource
  let machine: Machine
  let telling: Telling
  let programs: Programs
  let clock: () -> Moment

  /// The files of the jobs in `active/`.
  var jobs: [JobID: JobFile] = [:]
  /// When `queue/` had last changed as it was listed, in nanoseconds; nil where that says nothing.
  var queueChanged: Int64?
  /// What users' jobs held when that was looked at last.
  var bytesKnown: (bytes: [UInt32: Int], seconds: Double)?

  /// - Parameters:
  ///   - rules: what an administrator has laid down.
  ///   - folders: the spool's folders.
  ///   - executors: where stages run, whatever the rules say of it: one may have stages at work that is in no rule any more.
  ///   - incoming: what is told of `incoming/`.
  ///   - programs: where stages find what they are.
  ///   - machine: the rest of the machine.
  ///   - telling: what people see.
  ///   - clock: the time.
  package init(
    _ rules: QueueRules, folders: JobFolders, executors: [any Executor], incoming: any IncomingSource,
    programs: Programs,
    machine: Machine, telling: Telling, clock: @escaping () -> Moment
  ) {
    queue = JobQueue(rules)
    (self.folders, self.executors, self.incoming, self.machine) = (folders, executors, incoming, machine)
    (self.telling, self.programs, self.clock) = (telling, programs, clock)
  }

  /// Tells the core what has happened, and performs what follows.
  package func tell(_ event: Event) throws { try perform(queue.step(event, at: clock())) }

  /// Tells the core what has happened to stages.
  package func hearStages() throws {
    for executor in executors {
      let news: [(job: JobID, news: StageNews)]
      do {
        news = try executor.news()
      } catch let failure as Failure {
        // Nothing has happened, as far as is known.
        try tell(.failed(.news(executor.name), failure))
        continue
      }
      try hear(news)
    }
  }

  /// The executor that a handle names; without a handle, the first.
  /// - Throws: a `Failure` where there is none: what it has at work waits for it.
  func executor(_ handle: StageHandle?) throws -> any Executor {
    guard let name = handle?.executor else { return executors[0] }
    guard let executor = executors.first(where: { $0.name == name }) else {
      throw Failure(
        .temporaryFailure, handle?.task ?? "", "its stage was given to \"\(name)\", which this daemon does not know",
        remedy: "use the version of sid-spoold that started it")
    }
    return executor
  }

  /// Who is at work in the folder of a job. Where its status does not say whose it is, because it is damaged, everybody is asked.
  private func occupation(of id: JobID, _ handle: StageHandle?) throws -> Occupation {
    let folder = folders.folder(of: id, .active)
    if let handle { return try executor(handle).attach(id, folder: folder, handle: handle) }
    let answers = try executors.map { try $0.attach(id, folder: folder, handle: nil) }
    return answers.first { $0 != .nobody } ?? .nobody
  }

  private func hear(_ news: [(job: JobID, news: StageNews)]) throws {
    for (id, news) in news {
      switch news {
      case .waits: try tell(.waits(id))
      case .begins: try tell(.begins(id))
      case .progress(let progress): try tell(.progressed(id, progress))
      case .ended(let outcome, let lastLine): try tell(.ended(id, outcome, lastLine: lastLine))
      }
    }
  }

  /// Does all that is to be done now.
  package func turn() throws {
    while true {
      let actions = queue.step(.turn, at: clock())
      if actions.isEmpty { return }
      try perform(actions)
    }
  }

  /// Performs a list, as `Action` tells. Whatever is not a `Failure` ends it.
  private func perform(_ actions: [Action]) throws {
    var dropped: Set<Purpose> = []
    for action in actions where !dropped.contains(action.purpose) {
      telling.betweenTwo()
      let event: Event?
      do {
        event = try perform(action.operation)
      } catch let failure as Failure {
        dropped.insert(action.purpose)
        event = .failed(action.purpose, failure)
      }
      if let event { try tell(event) }
    }
  }

  /// - Returns: the answer, where one is due.
  private func perform(_ operation: Action.Operation) throws -> Event? {
    switch operation {
    case .write(let status, let id, let state): try folders.write(status, of: id, state)
    case .move(let id, let state, let newState):
      if state == .active {
        jobs[id] = nil
        for executor in executors { executor.leave(id, folder: folders.folder(of: id, .active)) }
      }
      try folders.move(id, from: state, to: newState)
    case .setDamagedStatusAside(let id, let state): try folders.setDamagedStatusAside(id, state)
    case .discardOutputs(let id): try folders.discardOutputs(of: id)
    case .publishSummary(let status, let id): try folders.publishSummary(status, id)
    case .showProgress(let status, let id): try? folders.write(status, of: id, .active)
    case .prune(let id, let state): try folders.prune(id, state)
    case .pruneUnused(let ids, let state, let most): return try pruneUnused(ids, state, most: most)
    case .createFolders: try folders.createFolders()
    case .removeRequest(let name): try folders.removeRequest(name)
    case .writeUsage(let share): try writeUsage(share)

    case .accept(let names, let admission, let mayFlushAll, let isComplete):
      var admission = admission
      return .taken(
        try folders.accept(names, mayFlushAll: mayFlushAll, isComplete: isComplete) { admission.refusal($0) }, of: names
      )
    case .recoverAcceptances(let admission, let isComplete):
      var admission = admission
      return .taken(try folders.recoverAcceptances(isComplete: isComplete) { admission.refusal($0) }, of: nil)

    case .readIncoming(let most, let postponed):
      return .incoming(try incoming.news(nowSeconds: clock().seconds, most: most, passingOver: postponed))
    case .readRequest(let name): return .request(try requestFacts(name), name: name)
    case .survey(let jobs, let bytes, let purpose): return .surveyed(try counts(jobs: jobs, bytes: bytes), purpose)
    case .listActive: return .listedActive(try folders.jobs(.active))
    case .listQueue(let isForced): return .listedQueue(try listQueue(isForced: isForced))
    case .read(let id, let state, .entry) where state == .queue:
      // By a name that a crash or somebody else has taken away meanwhile nothing is found.
      guard try folders.files.entry(folders.folder(of: id, state)) != nil else { return nil }
      return .read(id, state, try folders.entryStatus(id), .entry)
    case .read(let id, let state, let inquiry): return .read(id, state, try folders.found(id, state), inquiry)
    case .locate(let ids): return .located(try located(ids))
    case .look(let id, let step): return try look(id, after: step)
    case .examine(let id):
      let found = try folders.found(id, .active)
      let handle = found.known?.handle.flatMap { StageHandle($0) }
      return .examined(
        id, found, try occupation(of: id, handle))
    case .measureSpace: return .space(freeBytes: machine.freeBytes())
    case .surveyFinished(let state, let sizes): return .finished(state, try finished(state, sizes: sizes))
    case .checkUse(let ids, let state): return .inUse(state, try uses(ids, state))
    case .surveyRefusals(let known): return try refusals(known: known)
    case .readUsage: return .usage(try readUsage())

    case .start(let id, let step, let status, let user): return try start(id, step, status, user: user)
    case .stop(let id, let isHard): for executor in executors { executor.stop(id, isHard: isHard) }
    case .stopLeftovers(let id, let isHard):
      let handle = try folders.found(id, .active).known?.handle.flatMap { StageHandle($0) }
      let asked = try handle.map { [try executor($0)] } ?? executors
      return .stoppedLeftovers(
        id, try asked.flatMap { try $0.stopLeftovers(id, folder: folders.folder(of: id, .active), isHard: isHard) })

    case .reached(let milestone): return .reached(milestone)
    case .log(let record): telling.log(record)
    case .showBar(let step, let status): telling.showBar(step, status)
    case .finishBar(let step, let status): telling.finishBar(step, status)
    }
    return nil
  }
}
