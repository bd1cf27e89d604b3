import Autograd
import Compute
import Diagnostics
import Models

/// One step of an iteration: the network that it trains, by which objective, and how the optimizer follows.
public struct TrainingTurn {
  /// The network that is trained, by its name in the state.
  public let network: String
  /// What errors call it, for example "fake score".
  public let title: String
  /// What helps where the training leaves the finite numbers, for example "give a lower --lr".
  public let remedy: String
  /// The optimizer's step size.
  public let learningRate: Schedule
  /// How the network's average follows, if it has one.
  public let average: MovingAverage?
  /// The largest size of an element of the batch's gradient; larger ones are cut to it. Nil for none.
  public let gradientLimit: Float?
  /// The optimizer steps in iterations before which more images than that were seen; in others the gradient is computed and
  /// given up, the optimizer's count stays, and the average follows. Nil where it always steps.
  public let stepsBehindImages: Int?
  let evaluate: (TurnNetworks, MicroBatch) throws -> ObjectiveValue

  /// - Parameters:
  ///   - network: its name in the state.
  ///   - title: what errors call it.
  ///   - remedy: what helps where the training leaves the finite numbers.
  ///   - learningRate: the optimizer's step size.
  ///   - average: how the network's average follows.
  ///   - gradientLimit: the largest size of an element of the batch's gradient.
  ///   - stepsBehindImages: the optimizer steps where more images than that were seen before.
  ///   - objective: the loss, or a sum of losses.
  ///   - pass: the forward passes that the objective reads, for one micro-batch; may throw where it reads files.
  public init<Loss: Objective>(
    network: String, title: String, remedy: String, learningRate: Schedule, average: MovingAverage? = nil,
    gradientLimit: Float? = nil, stepsBehindImages: Int? = nil, objective: Loss,
    pass: @escaping (TurnNetworks, MicroBatch) throws -> Loss.Pass
  ) {
    self.init(
      network: network, title: title, remedy: remedy, learningRate: learningRate, average: average,
      gradientLimit: gradientLimit, stepsBehindImages: stepsBehindImages, objectiveAfterImages: { _ in objective },
      pass: pass)
  }

  /// The same with a loss that changes on the way.
  /// - Parameter objectiveAfterImages: the loss, given the images seen before the iteration.
  public init<Loss: Objective>(
    network: String, title: String, remedy: String, learningRate: Schedule, average: MovingAverage? = nil,
    gradientLimit: Float? = nil, stepsBehindImages: Int? = nil,
    objectiveAfterImages: @escaping (_ imagesSeen: Int) -> Loss,
    pass: @escaping (TurnNetworks, MicroBatch) throws -> Loss.Pass
  ) {
    (self.network, self.title, self.remedy) = (network, title, remedy)
    (self.learningRate, self.average) = (learningRate, average)
    (self.gradientLimit, self.stepsBehindImages) = (gradientLimit, stepsBehindImages)
    evaluate = { networks, microbatch in
      objectiveAfterImages(microbatch.imagesSeen)(try pass(networks, microbatch))
    }
  }
}

/// Which images a forward and backward pass is about.
public struct MicroBatch: Sendable {
  /// Images of all iterations before this one.
  public let imagesSeen: Int
  /// The images of this micro-batch, counted within the iteration.
  public let images: Range<Int>
  /// Images of the iteration: the divisor of objectives.
  public let batch: Int
}

/// The networks of a turn, as its forward passes use them.
public struct TurnNetworks {
  /// The network that is trained, on the tape.
  public let trained: BoundNetwork
  fileprivate let state: TrainingState
  fileprivate let checkpointsActivations: Bool

  /// Another network of the state, as constants.
  public func frozen(_ name: String) -> BoundNetwork {
    state[name].network.bound(checkpointsActivations: checkpointsActivations)
  }
}

/// The objectives of a finished iteration.
public struct IterationSummary: Sendable {
  /// Images of all iterations up to and with this one.
  public let imagesSeen: Int
  /// The objective of each turn over the batch, by the network's name.
  public let objectives: [String: Double]
  /// What the objective of the last turn adds up besides.
  public let sums: [Double]
}

/// A training: turns follow each other, each over a batch that is cut into micro-batches.
///
/// It moves by micro-batches, so that a run can stop after any of them and go on from its state bit for bit, on as many
/// ranks as it likes.
public final class TrainingLoop {
  /// Networks, moments, sums of gradients, counters. What other ranks have summed of the turn under way is not in it.
  public private(set) var state: TrainingState
  private let turns: [TrainingTurn]
  /// Who shares each batch.
  public let ranks: any Ranks
  private let checkpointsActivations: Bool
  /// The micro-batches of the turn under way that each rank has yet to compute.
  private var work: [ArraySlice<Int>] = []

  /// Shows the gradients of a batch to tests and benchmarks before the optimizer takes them.
  package var inspectGradients: ((String, [Tensor?]) -> Void)?
  /// Shows the objective of each micro-batch.
  package var inspectObjective: ((String, ObjectiveValue) -> Void)?

  /// - Parameters:
  ///   - turns: in their order; each trains another network of the state.
  ///   - state: where to start or go on; the same on all ranks.
  ///   - ranks: who shares each batch; no more than it has groups.
  ///   - checkpointsActivations: whether the networks compute inner results again for the gradient.
  /// - Throws: a `Failure` (`usage`) where there are more ranks than groups.
  public init(
    turns: [TrainingTurn], state: TrainingState, ranks: any Ranks = OneRank(), checkpointsActivations: Bool = false
  ) throws {
    precondition(turns.map(\.network) == state.networks.map(\.name), "turns and networks differ")
    let groups = state.pending.cut.groups
    guard ranks.count <= groups else {
      throw Failure(
        .usage, "\(ranks.count) ranks", "a batch has \(groups) groups of micro-batches to share",
        remedy: "start at most \(groups) ranks, or give a smaller --microbatch or more --gradient-groups")
    }
    (self.turns, self.state, self.ranks) = (turns, state, ranks)
    self.checkpointsActivations = checkpointsActivations
    takeWork()
  }

  /// Images per iteration.
  public var batch: Int { state.pending.cut.batch }

  /// Runs one micro-batch on each rank that has one left, and the optimizer where that completes a batch.
  ///
  /// - Returns: the summary of the iteration that it completed, or nil.
  /// - Throws: a `Failure` (`software`) where losses or weights would leave the finite; what a turn's pass throws. `state` is
  ///   good then, as it was before the step.
  public func advance() throws -> IterationSummary? {
    let index = work[ranks.index].first
    let outcome = Result { try index.map { try evaluate(turn, $0) } }
    let computed = try? outcome.get()
    // Only what all ranks go on from is added.
    let isGood = index == nil || computed?.value.value.isFinite == true
    if try ranks.agree(!isGood) {
      _ = try ranks.together { try outcome.get() }
      throw divergence("its loss is not a finite number")
    }
    if let index, let computed {
      state.pending.add(
        index, gradients: computed.gradients, objective: computed.value.value,
        countedImages: computed.value.countedImages, sums: computed.value.sums)
    }
    for rank in work.indices { work[rank] = work[rank].dropFirst() }
    return work.allSatisfy(\.isEmpty) ? try finishTurn() : nil
  }

  /// Images of finished iterations and the share of the one under way, of all ranks.
  public var imagesDone: Int {
    let left = work.joined().reduce(0) { $0 + state.pending.cut.images($1).count }
    return state.imagesSeen + (state.position(state.turn) * batch + batch - left) / turns.count
  }

  /// The whole state, on rank 0: with what all ranks have summed of the turn under way.
  public func gatheredState() throws -> TrainingState {
    guard ranks.count > 1 else { return state }
    var whole = state
    whole.pending = try ranks.gather(state.pending)
    return whole
  }

  private var turn: TrainingTurn { turns[state.position(state.turn)] }

  /// What this rank computes of the turn under way. Sums that are there already stay with the rank whose groups they begin
  /// in.
  private func takeWork() {
    let cut = state.pending.cut
    work = (0..<ranks.count).map { rank in
      state.pending.missing(cut.members(cut.groups(ofRank: rank, of: ranks.count)))[...]
    }
    if ranks.count > 1 {
      state.pending.keep(cut.members(cut.groups(ofRank: ranks.index, of: ranks.count)))
    }
  }

  /// The objective of one micro-batch and the gradients of the network that is trained.
  private func evaluate(_ turn: TrainingTurn, _ index: Int) throws -> (value: ObjectiveValue, gradients: [Tensor?]) {
    let microbatch = MicroBatch(
      imagesSeen: state.imagesSeen, images: state.pending.cut.images(index), batch: batch)
    let tape = Tape()
    let networks = TurnNetworks(
      trained: state[turn.network].network.bound(to: tape, checkpointsActivations: checkpointsActivations),
      state: state, checkpointsActivations: checkpointsActivations)
    var value = try turn.evaluate(networks, microbatch)
    tape.backward(from: value.starts)
    value.starts = []
    inspectObjective?(turn.network, value)
    return (value, networks.trained.gradients)
  }

  private func finishTurn() throws -> IterationSummary? {
    let sum = try ranks.sum(state.pending)
    guard let whole = sum.whole else { preconditionFailure("a batch that is not complete") }
    let turn = turn
    inspectGradients?(turn.network, whole.gradients)
    guard whole.countedImages > 0 else { throw divergence("none of the batch's images is a number") }
    let isStepping = turn.stepsBehindImages.map { state.imagesSeen > $0 } ?? true
    let broken = state.networks[state.position(turn.network)].step(
      isStepping ? whole.gradients : whole.gradients.map { _ in nil },
      learningRate: turn.learningRate(afterImages: state.imagesSeen), gradientLimit: turn.gradientLimit,
      beta: turn.average?.beta(batch: batch, beforeImages: state.imagesSeen))
    if let broken { throw divergence("the step would take \"\(broken)\" out of the finite numbers") }
    state.objectives[turn.network] = whole.objective
    state.pending = GradientSum(sum.cut)
    let next = state.position(turn.network) + 1
    if next < turns.count {
      state.turn = turns[next].network
      takeWork()
      return nil
    }
    state.turn = turns[0].network
    state.imagesSeen += batch
    let summary = IterationSummary(imagesSeen: state.imagesSeen, objectives: state.objectives, sums: whole.sums)
    state.objectives = [:]
    takeWork()
    return summary
  }

  private func divergence(_ problem: String) -> Failure {
    var failure = Failure(
      .software, turn.title, "\(problem) after \(state.imagesSeen) images",
      remedy: "\(turn.remedy), with another --state or --overwrite; the saved state is from before")
    // All ranks end by it.
    failure.isTold = !ranks.isFirst
    return failure
  }
}
