import Files
import JobFolder
import Queue

/// A step that Slurm has.
struct SlurmStage {
  let id: JobID
  let attempt: SlurmAttempt
  /// Whether its array is over and the job that closes it is under way.
  var isClosing: Bool
  /// The number of its job, as far as it is known.
  var number: Int?
  /// When it was submitted or found; what Slurm was asked before says nothing of it.
  var since: Double
  /// Whether it was told to wait for its turn.
  var isPending: Bool?
  /// Whether it was told what keeps it from being settled.
  var isHeldTold = false
  /// How it was to stop, where Slurm has not heard of it, and when it is told again.
  var unheardStop: (isHard: Bool, due: Double)?
  /// When what closes it may be asked for again.
  var notBefore = 0.0
  private var tails: [ProgressTail]

  init(_ id: JobID, _ attempt: SlurmAttempt, isClosing: Bool = false, number: Int?, since: Double) {
    (self.id, self.attempt, self.isClosing, self.number, self.since) = (id, attempt, isClosing, number, since)
    tails = attempt.progressFiles(isClosing: isClosing).map { ProgressTail($0) }
  }

  /// What its jobs are called.
  var jobName: String { attempt.jobName(isClosing: isClosing) }

  /// What it has reported since the last call; of an array, what its tasks come to together.
  mutating func progress() -> StageProgress? {
    var isNew = false
    for index in tails.indices where tails[index].read() { isNew = true }
    let known = tails.compactMap(\.latest)
    guard isNew, let first = known.first else { return nil }
    if tails.count == 1 { return first }
    // Those that have not begun will have about as much to do as the others.
    let total = known.reduce(0) { $0 + $1.total } * Double(tails.count) / Double(known.count)
    let rate = known.compactMap(\.rate).reduce(0, +)
    let done = known.reduce(0) { $0 + $1.done }
    return StageProgress(
      done: done, total: total, unit: first.unit, rate: rate > 0 ? rate : nil,
      etaSeconds: rate > 0 ? max(0, total - done) / rate : nil)
  }
}
