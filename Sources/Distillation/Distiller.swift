import Autograd
import Compute
import Diagnostics
import Models

/// The alternating training of Score identity Distillation (Zhou et al. 2024, arXiv 2404.04057, algorithm 1).
///
/// It moves in micro-batches, so that a run can stop after any of them and go on from its state bit for bit.
public final class Distiller {
  /// Networks, moments, accumulated gradients, counters.
  public private(set) var state: TrainingState
  private let teacher: BoundNetwork
  private let settings: DistillationSettings
  private let draws: any DrawSource
  private let sigmaData: Float

  /// The objectives of a finished iteration.
  public struct IterationSummary: Sendable {
    /// Images of all iterations up to and with this one.
    public let imagesSeen: Int
    /// Objective of the fake score over the batch.
    public let fakeScoreObjective: Double
    /// Objective of the generator over the batch.
    public let generatorObjective: Double
  }

  /// - Parameters:
  ///   - teacher: the frozen score network.
  ///   - state: where to start or go on.
  ///   - draws: the random numbers.
  public init(teacher: Network, settings: DistillationSettings, state: TrainingState, draws: any DrawSource) {
    self.teacher = teacher.bound(checkpointsActivations: settings.checkpointsActivations)
    self.settings = settings
    self.state = state
    self.draws = draws
    sigmaData = teacher.configuration.sigmaData
  }

  /// Whether the training has seen all its images.
  public var isFinished: Bool { state.imagesSeen >= settings.durationImages }

  /// Runs one micro-batch, and the optimizer where it completes a batch.
  ///
  /// - Returns: the summary of the iteration that it completed, or nil.
  /// - Throws: a `Failure` (`software`) where losses or weights would leave the finite; `state` is good then, as it was
  ///   before the step.
  public func advance() throws -> IterationSummary? {
    if state.pending.imagesDone < settings.batch {
      let first = state.pending.imagesDone
      let images = first..<min(first + settings.microbatch, settings.batch)
      try accumulate(draws.draws(state.pending.phase, imagesSeen: state.imagesSeen, images: images))
      state.pending.imagesDone = images.upperBound
    }
    return state.pending.imagesDone == settings.batch ? try finishStep() : nil
  }

  /// Adds the gradients of one micro-batch to the step under way.
  private func accumulate(_ step: StepDraws) throws {
    let tape = Tape()
    let loss: LossValue
    let trained: BoundNetwork
    let checkpoints = settings.checkpointsActivations
    switch state.pending.phase {
    case .fakeScore:
      let generated = generate(state.generator.bound(), step, dropout: nil).value
      trained = state.fakeScore.bound(to: tape, checkpointsActivations: checkpoints)
      loss = fakeScoreLoss(
        trained, tape: tape, images: generated, draws: step, sigmaData: sigmaData, scale: settings.fakeScoreLossScale,
        batch: settings.batch)
    case .generator:
      trained = state.generator.bound(to: tape, checkpointsActivations: checkpoints)
      let generated = generate(trained, step, dropout: step.dropout)
      loss = generatorLoss(
        generated, tape: tape, trueScore: teacher,
        fakeScore: state.fakeScore.bound(checkpointsActivations: checkpoints), draws: step,
        alpha: settings.alpha,
        tmax: settings.tmax, scale: settings.generatorLossScale, batch: settings.batch)
    }
    guard loss.objective.isFinite else { throw divergence("its loss is not a finite number") }
    state.pending.objective += loss.objective
    state.pending.countedImages += loss.countedImages
    for (index, gradient) in trained.gradients.enumerated() {
      guard let gradient else { continue }
      if state.pending.gradients[index] == nil {
        state.pending.gradients[index] = gradient
      } else {
        state.pending.gradients[index]?.add(gradient)
      }
    }
  }

  /// Shows the gradients of a batch to tests before the optimizer takes them.
  package var inspectGradients: ((DistillationPhase, [Tensor?]) -> Void)?

  private func generate(_ generator: BoundNetwork, _ step: StepDraws, dropout: (key: UInt64, firstImage: Int)?)
    -> Variable
  {
    generator(
      Variable(scaled(step.latents, by: settings.initSigma)), sigma: [settings.initSigma],
      classLabels: step.classLabels,
      augmentLabels: zeroAugmentLabels(step.latents.shape[0]), dropout: dropout)
  }

  private func zeroAugmentLabels(_ images: Int) -> Tensor? {
    let dimension = state.generator.configuration.augmentDim
    return dimension > 0 ? Tensor(shape: [images, dimension]) : nil
  }

  private func finishStep() throws -> IterationSummary? {
    inspectGradients?(state.pending.phase, state.pending.gradients)
    guard state.pending.countedImages > 0 else { throw divergence("none of the batch's images is a number") }
    let factor = settings.learningRateFactor(afterImages: state.imagesSeen)
    let objective = state.pending.objective
    let gradients = state.pending.gradients
    let none = [Tensor?](repeating: nil, count: gradients.count)
    switch state.pending.phase {
    case .fakeScore:
      try requireFinite(state.stepFakeScore(gradients, learningRate: settings.fakeScoreLearningRate * factor))
      state.fakeScoreObjective = objective
      state.pending = .init(phase: .generator, gradients: none)
      return nil
    case .generator:
      try requireFinite(
        state.stepGenerator(
          gradients, learningRate: settings.generatorLearningRate * factor,
          emaBeta: settings.emaBeta(beforeImages: state.imagesSeen)))
      state.imagesSeen += settings.batch
      state.pending = .init(phase: .fakeScore, gradients: none)
      return IterationSummary(
        imagesSeen: state.imagesSeen, fakeScoreObjective: state.fakeScoreObjective, generatorObjective: objective)
    }
  }

  private func requireFinite(_ nonFiniteParameter: String?) throws {
    if let name = nonFiniteParameter { throw divergence("the step would take \"\(name)\" out of the finite numbers") }
  }

  private func divergence(_ problem: String) -> Failure {
    Failure(
      .software, state.pending.phase == .fakeScore ? "fake score" : "generator",
      "\(problem) after \(state.imagesSeen) images",
      remedy: "give lower --lr and --glr, with another --state or --overwrite; the saved state is from before")
  }
}
