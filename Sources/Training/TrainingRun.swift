import Diagnostics

/// When a training is measured and saved. All intervals are thousands of images unless said otherwise.
public struct TrainingCadence: Sendable {
  /// Images to train on.
  public var durationImages: Int
  /// Between two evaluations.
  public var evaluateKimg: Double
  /// Between two snapshots.
  public var snapshotKimg: Double
  /// Between two saves of the state.
  public var stateKimg: Double
  /// Minutes between two saves of the state.
  public var stateMinutes: Double

  /// - Parameters:
  ///   - durationImages: images to train on.
  ///   - evaluateKimg: between two evaluations.
  ///   - snapshotKimg: between two snapshots.
  ///   - stateKimg: between two saves of the state.
  ///   - stateMinutes: minutes between two saves of the state.
  public init(
    durationImages: Int, evaluateKimg: Double, snapshotKimg: Double, stateKimg: Double, stateMinutes: Double
  ) {
    (self.durationImages, self.evaluateKimg, self.snapshotKimg) = (durationImages, evaluateKimg, snapshotKimg)
    (self.stateKimg, self.stateMinutes) = (stateKimg, stateMinutes)
  }

  /// Whether the training has seen all its images.
  func isOver(_ state: TrainingState) -> Bool { state.imagesSeen >= durationImages }

  /// Whether an evaluation is due where a state stands: an interval was passed, or this is the end.
  func isEvaluationPoint(_ state: TrainingState) -> Bool {
    state.isBetweenIterations && (crosses(evaluateKimg, state) || isOver(state))
  }

  /// Whether the iteration that ended last passed a multiple of an interval.
  func crosses(_ interval: Double, _ state: TrainingState) -> Bool {
    func passed(_ images: Int) -> Double { (Double(images) / (interval * 1000)).rounded(.down) }
    return passed(state.imagesSeen) > passed(state.imagesSeen - state.pending.cut.batch)
  }
}

/// What a program does for a training on the way. `isStopRequested`, `evaluate` and `didAdvance` are called on every rank, the
/// rest on rank 0 alone.
public protocol TrainingObserver: AnyObject {
  /// Whether somebody wants the training to stop at the next micro-batch.
  var isStopRequested: Bool { get }
  /// Whether the training has reached what it was started for before its end.
  var isEnough: Bool { get }
  /// Whether the start was not measured yet.
  var isFirstEvaluationMissing: Bool { get }
  /// Measures where the training stands, unless that was done at this point already. The ranks share it.
  /// - Returns: false on any of them if a stop came in between.
  func evaluate(_ state: TrainingState, _ ranks: any Ranks) throws -> Bool
  /// Is told of every micro-batch, and of the iteration that it completed.
  func didAdvance(imagesDone: Int, _ finished: IterationSummary?)
  /// Keeps the networks of this moment.
  func snapshot(_ state: TrainingState) throws
  /// Saves the state.
  func save(_ state: TrainingState) throws
}

/// Why a run ended.
public enum TrainingEnding: Sendable {
  /// It has seen all its images, or reached what it was started for.
  case finished
  /// Somebody wanted it; the state is saved.
  case stopped
}

extension TrainingLoop {
  /// Trains to the end, or until a stop: measures, keeps and saves on the way.
  ///
  /// Evaluations are due at the start, whenever an interval is passed, and at the end; an interrupted one is made up for
  /// when the training goes on.
  /// - Throws: what the observer throws; a `Failure` (`software`) where the training left the finite, and what a turn's pass
  ///   throws, with the state before that saved.
  public func run(_ cadence: TrainingCadence, _ observer: some TrainingObserver) throws -> TrainingEnding {
    var lastSaved = ContinuousClock.now
    func save() throws {
      let whole = try gatheredState()
      try onFirstRank { try observer.save(whole) }
      lastSaved = .now
    }
    // What fails there ends all ranks.
    func onFirstRank(_ work: () throws -> Void) throws {
      try ranks.together { if ranks.isFirst { try work() } }
    }
    func firstRankSays(_ question: @autoclosure () -> Bool) throws -> Bool {
      try ranks.agree(ranks.isFirst && question())
    }

    // Rank 0 has the first sums of a batch that is under way: the others cannot tell that it is.
    var isEvaluationDue = try firstRankSays(observer.isFirstEvaluationMissing || cadence.isEvaluationPoint(state))
    while true {
      if isEvaluationDue {
        if try ranks.agree(!observer.evaluate(state, ranks)) {
          try save()
          return .stopped
        }
        isEvaluationDue = false
      }
      if try cadence.isOver(state) || firstRankSays(observer.isEnough) { return .finished }
      if try ranks.agree(observer.isStopRequested) {
        try save()
        return .stopped
      }
      let summary: IterationSummary?
      do {
        summary = try advance()
      } catch {
        // The training left the finite, or could not read its data; its state is the last good one.
        try save()
        throw error
      }
      observer.didAdvance(imagesDone: imagesDone, summary)
      guard summary != nil else { continue }
      isEvaluationDue = cadence.isEvaluationPoint(state)
      if cadence.crosses(cadence.snapshotKimg, state), !cadence.isOver(state) {
        try onFirstRank { try observer.snapshot(state) }
      }
      let minutes = (ContinuousClock.now - lastSaved) / .seconds(60)
      if try cadence.crosses(cadence.stateKimg, state) || cadence.isOver(state)
        || firstRankSays(minutes >= cadence.stateMinutes)
      {
        try save()
      }
    }
  }
}
