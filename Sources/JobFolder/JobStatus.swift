import Foundation

/// What `status.json` of a job's folder says.
///
/// It is what people read and what counts attempts; the state itself is the folder the job stands in.
public struct JobStatus: Sendable, Equatable, Codable {
  /// The job's name.
  public var job: String
  /// The job's ID.
  public var id: String
  /// The state when this was written.
  public var state: JobState
  /// The user who submitted it.
  public var user: String?
  /// The number of that user.
  public var uid: UInt32?
  /// What goes first: higher before lower; nil for 0.
  public var priority: Int?
  /// The IDs of the jobs that have to be done before it starts.
  public var after: [String]?
  /// When the job was accepted.
  public var accepted: Date
  /// When its first step started.
  public var started: Date?
  /// When it was done or given up.
  public var finished: Date?
  /// The names of all steps, in order.
  public var steps: [String] = []
  /// The names of those that are finished.
  public var finishedSteps: [String] = []

  /// Whether a step is done when its record is there (`NAME.json` with `files`); of jobs that an earlier version accepted it
  /// is done when its output and any `NAME.json` are.
  public var records: Bool?

  /// The stage of the first step that is not finished; nil where none is left.
  public var nextStage: String?

  /// The step at work, or the one that failed.
  public var step: String?
  /// How far it is, from 0 to 100.
  public var percent: Double?
  /// What it has done, in `unit`.
  public var done: Double?
  /// What it will have done, in `unit`.
  public var total: Double?
  /// What is counted.
  public var unit: String?
  /// How much of it is done in a second.
  public var rate: Double?
  /// How long it will still take.
  public var etaSeconds: Double?

  /// How often the step was started since it last made progress, this time included.
  public var attempts: Int = 0
  /// How often the daemon died under the step since it last made progress.
  public var interruptions: Int = 0
  /// The farthest the step has come in any attempt, in its unit.
  public var farthest: Double = -1
  /// How many seconds the step has run in all its attempts.
  public var secondsRun: Double?
  /// Whether an attempt has been counted and not concluded.
  public var isRunning: Bool = false
  /// The boot of the machine in which it was started.
  public var boot: String?
  /// What finds the stage of that attempt again (`StageHandle`).
  public var handle: String?
  /// When a job that was deferred is tried again.
  public var nextAttempt: Date?

  /// The first of the steps that are to be made again: what they have made goes before the job is run.
  public var discardsFrom: String?
  /// The requests that were carried out last, by what tells their files from others.
  public var answered: [String]?
  /// Of what was no file when it was submitted: its name in `incoming/` since.
  public var setAside: String?

  /// Why the job failed or was deferred last.
  public var reason: String?
  /// The line of the job file that the reason is about.
  public var line: Int?
  /// The key there.
  public var key: String?

  enum CodingKeys: String, CodingKey {
    case job, id, state, user, uid, priority, after, accepted, started, finished, steps, records
    case finishedSteps = "finished_steps"
    case nextStage = "next_stage"
    case step, percent, done, total, unit, rate
    case etaSeconds = "eta_s"
    case attempts, interruptions, farthest
    case secondsRun = "seconds_run"
    case isRunning = "is_running"
    case boot, handle
    case nextAttempt = "next_attempt"
    case discardsFrom = "discards_from"
    case setAside = "set_aside"
    case answered, reason, line, key
  }

  package init(job: String, id: String, state: JobState, accepted: Date) {
    self.job = job
    self.id = id
    self.state = state
    self.accepted = accepted
  }

  /// Takes the step at work off the record; the attempts go with it.
  package mutating func clearStep() {
    step = nil
    clearProgress()
    attempts = 0
    interruptions = 0
    farthest = -1
    secondsRun = nil
    isRunning = false
    handle = nil
    nextAttempt = nil
    reason = nil
  }

  package mutating func clearProgress() {
    (percent, done, total, unit, rate, etaSeconds) = (nil, nil, nil, nil, nil, nil)
  }

  /// Reads `status.json`.
  public init(json: [UInt8]) throws { self = try StatusJSON.decoder().decode(JobStatus.self, from: Data(json)) }

  /// The content of `status.json`.
  public func json() throws -> [UInt8] { Array(try StatusJSON.encoder().encode(self)) + [UInt8(ascii: "\n")] }
}
