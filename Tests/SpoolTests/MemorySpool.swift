import Diagnostics
import Foundation
import JobFolder
import Queue
import Spool
import TestSupport

/// The daemon's core, and all that performs what it decides, on folders in memory: what a test waits for is done at once, and
/// time passes when there is nothing else to do.
final class MemorySpool {
  typealias Record = ScriptedExecutor.Record

  final class Clock {
    var moment = Moment(seconds: 0, date: Date(timeIntervalSince1970: 1_800_000_000))
    func pass(_ seconds: Double) {
      moment.seconds += seconds
      moment.date += seconds
    }
  }

  /// What of the machine a test changes.
  final class Machine {
    var freeBytes: Int? = 1 << 40
    var isInUse: (String) throws -> Bool = { _ in false }
    var bytesOfAJob = 100
  }

  let files: MemoryFileSystem
  let executor: ScriptedExecutor
  /// One whose stages go on without the daemon, for what the rules give it.
  let elsewhere: ScriptedExecutor
  let machine = Machine()
  let record: Record
  let clock: Clock
  let performer: Performer
  private let incoming: Incoming
  private var hasBegun = false
  /// Whether something was dropped since the last look, which the kernel would tell of.
  private var isHeard = false

  var queue: JobQueue { performer.queue }
  var folders: JobFolders { performer.folders }

  init(
    _ files: MemoryFileSystem, inputs: String, record: Record = Record(), clock: Clock = Clock(), boot: String = "boot",
    rules change: (inout QueueRules) -> Void = { _ in }
  ) {
    (self.files, self.record, self.clock) = (files, record, clock)
    executor = ScriptedExecutor("scripted", files, record)
    elsewhere = ScriptedExecutor("elsewhere", files, record)
    elsewhere.outlivesDaemon = true
    incoming = Incoming(files)
    var rules = QueueRules(root: "/spool", bootID: boot)
    rules.limits.freeSpace = 1
    rules.limits.freeSpaceResume = 1
    rules.executors.standard = ExecutorRule("scripted")
    change(&rules)
    let machine = machine
    performer = Performer(
      rules,
      folders: JobFolders(root: "/spool", files: files, roots: InputRoots([inputs]), now: { clock.moment.date }),
      executors: [executor, elsewhere], incoming: incoming,
      programs: .init(directory: "/programs", ownDirectory: "/programs"),
      machine: .init(
        freeBytes: { machine.freeBytes }, isInUse: { try machine.isInUse($0) }, size: { _ in machine.bytesOfAJob },
        userName: { $0 == 0 ? "anna" : "user\($0)" }),
      telling: .init(log: { line in
        record.log.append(line.message)
        if JobRequest.Verb.allCases.contains(where: { line.message == "\($0.rawValue) by anna" }) {
          record.answers += 1
        }
      }), clock: { clock.moment })
  }

  /// A folder for the inputs of jobs, with what all jobs of the tests convert.
  static func inputs() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try Data("x".utf8).write(to: URL(fileURLWithPath: folder.file("teacher.pkl")))
    return folder
  }

  /// A disk with a spool that nothing was dropped into.
  static func emptySpool() -> MemoryFileSystem {
    let files = MemoryFileSystem()
    for folder in ["/spool", "/spool/incoming"] { files.place(folder, .folder) }
    return files
  }

  /// The disk has refused something for ever.
  struct NeverIdle: Error {}

  /// What is dropped, without a watch: all that stands there is complete.
  final class Incoming: IncomingSource {
    private let files: MemoryFileSystem
    /// Whether the requests are heard of later.
    var hidesRequests = false

    init(_ files: MemoryFileSystem) { self.files = files }

    func news(nowSeconds: Double, most: Int, passingOver postponed: Set<String>) throws -> IncomingNews {
      var news = IncomingNews()
      news.ready = try files.names(in: "/spool/incoming").filter {
        IncomingName($0) == .taken && !postponed.contains($0) && !(hidesRequests && JobRequest($0) != nil)
      }
      news.hasMore = news.ready.count > most
      news.ready = Array(news.ready.prefix(most))
      return news
    }
  }

  /// Whether the requests are heard of later.
  var isDeaf: Bool {
    get { incoming.hidesRequests }
    set { incoming.hidesRequests = newValue }
  }

  /// The beginning of a daemon; where the disk refuses it, a service manager begins another.
  private func begin() throws {
    if hasBegun { return }
    hasBegun = true
    for _ in 0..<5 {
      do {
        try folders.prepare()
        break
      } catch is Failure { clock.pass(1) }
    }
    try performer.tell(.begun)
  }

  /// One look at everything, and at once another one where that is due.
  func turn() throws {
    try begin()
    if isHeard {
      isHeard = false
      try performer.tell(.heard)
      clock.pass(0.02)
    }
    repeat {
      try performer.turn()
      try performer.hearStages()
    } while queue.waitSeconds(clock.moment) <= 0
  }

  /// Accepts what was dropped, and runs nothing: the disk is full.
  func acceptOnly() throws {
    machine.freeBytes = 0
    defer { machine.freeBytes = 1 << 40 }
    try turn()
  }

  /// Lets time pass, looking at everything whenever time alone gives something to do.
  func pass(_ seconds: Double) throws {
    try turn()
    let end = clock.moment.seconds + seconds
    while clock.moment.seconds < end {
      clock.pass(max(0.001, min(queue.waitSeconds(clock.moment), end - clock.moment.seconds)))
      try turn()
    }
  }

  /// Runs until nothing is left to do.
  func run(_ stage: @escaping ScriptedExecutor.Stage = { _, _ in .exited(0) }) throws {
    executor.stage = stage
    elsewhere.stage = stage
    defer { record.operations = files.operations }
    for _ in 0..<400 {
      try turn()
      let wait = queue.waitSeconds(clock.moment)
      if wait >= JobQueue.scanSeconds, queue.atWork.isEmpty, queue.waiting.values.allSatisfy({ $0.nextAttempt == nil })
      {
        return
      }
      clock.pass(wait)
    }
    throw NeverIdle()
  }

  /// Asks the daemon to end, and lets the stages stop.
  func stop(_ outcome: StageOutcome = .exited(75)) throws {
    try performer.tell(.stopAsked)
    for id in executor.atWork { executor.end(id, outcome) }
    try performer.hearStages()
    try performer.turn()
    try performer.tell(.leaving)
  }

  // MARK: Jobs

  /// Drops a file.
  func drop(_ text: String, as name: String) {
    files.place("/spool/incoming/\(name)", .file(Array(text.utf8)))
    isHeard = true
  }

  /// Asks for something.
  func ask(_ verb: JobRequest.Verb, _ id: JobID, step: String = "") {
    files.place("/spool/incoming/\(JobRequest(id, verb).fileName)", .file(Array(step.utf8)))
    isHeard = true
  }

  /// The names of the jobs of a state.
  func jobs(_ state: JobState) throws -> [JobID] { try files.withoutFaults { try folders.jobs(state) } }

  func status(_ id: JobID, _ state: JobState) throws -> JobStatus {
    try files.withoutFaults { try folders.status(of: id, state) }
  }
}
