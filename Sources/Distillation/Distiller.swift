import Autograd
import Compute
import Diagnostics
import Models

/// Everything that changes while a generator is distilled.
public struct TrainingState: Sendable {
  /// g: denoises the generator's images.
  public internal(set) var fakeScore: Network
  /// G: makes an image in one evaluation.
  public internal(set) var generator: Network
  /// The average of the generator: the one that is kept.
  public internal(set) var average: Network
  package var fakeScoreAdam: Adam
  package var generatorAdam: Adam
  /// Images of all finished iterations.
  public package(set) var imagesSeen = 0
  /// The step under way.
  package var pending: PendingStep

  /// A step whose batch is not complete yet.
  package struct PendingStep: Sendable {
    package var phase: DistillationPhase
    package var imagesDone: Int
    package var objective: Double
    /// Accumulated gradients in the order of the parameters; nil where none flowed.
    package var gradients: [Tensor?]

    package init(phase: DistillationPhase, imagesDone: Int = 0, objective: Double = 0, gradients: [Tensor?]) {
      (self.phase, self.imagesDone, self.objective, self.gradients) = (phase, imagesDone, objective, gradients)
    }
  }
  /// The fake score's objective of the iteration under way, once its step is done.
  package var fakeScoreObjective = 0.0

  /// The start: all three networks are copies of the teacher.
  public init(teacher: Network, settings: DistillationSettings) {
    var network = teacher
    if let dropout = settings.dropout { network = network.with(dropout: dropout) }
    (fakeScore, generator, average) = (network, network, network)
    let count = network.parameters.count
    fakeScoreAdam = Adam(count: count, beta1: 0)
    generatorAdam = Adam(count: count, beta1: settings.generatorBeta1)
    pending = PendingStep(phase: .fakeScore, gradients: Array(repeating: nil, count: count))
  }

  package init(
    fakeScore: Network, generator: Network, average: Network, fakeScoreAdam: Adam, generatorAdam: Adam, imagesSeen: Int,
    pending: PendingStep, fakeScoreObjective: Double
  ) {
    (self.fakeScore, self.generator, self.average) = (fakeScore, generator, average)
    (self.fakeScoreAdam, self.generatorAdam, self.imagesSeen) = (fakeScoreAdam, generatorAdam, imagesSeen)
    (self.pending, self.fakeScoreObjective) = (pending, fakeScoreObjective)
  }

  fileprivate mutating func stepFakeScore(_ gradients: [Tensor?], learningRate: Double) {
    fakeScoreAdam.step(&fakeScore.parameters, gradients: gradients, learningRate: learningRate)
  }

  fileprivate mutating func stepGenerator(_ gradients: [Tensor?], learningRate: Double) {
    generatorAdam.step(&generator.parameters, gradients: gradients, learningRate: learningRate)
  }

  /// average = generator + beta * (average - generator); buffers stay as they are.
  fileprivate mutating func updateAverage(beta: Double) {
    for (index, specification) in average.specifications.enumerated() where specification.isTrainable {
      Compute.updateAverage(&average.parameters[index], toward: generator.parameters[index], beta: beta)
    }
  }
}

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
    self.teacher = teacher.bound()
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
  /// - Throws: a `Failure` where losses or weights leave the finite; the last saved state is the last good one.
  public func advance() throws -> IterationSummary? {
    let first = state.pending.imagesDone
    let images = first..<min(first + settings.microbatch, settings.batch)
    try accumulate(draws.draws(state.pending.phase, imagesSeen: state.imagesSeen, images: images))
    state.pending.imagesDone = images.upperBound
    return images.upperBound == settings.batch ? try finishStep() : nil
  }

  /// Adds the gradients of one micro-batch to the step under way.
  private func accumulate(_ step: StepDraws) throws {
    let tape = Tape()
    let loss: LossValue
    let trained: BoundNetwork
    switch state.pending.phase {
    case .fakeScore:
      let generated = generate(state.generator.bound(), step, dropout: nil).value
      trained = state.fakeScore.bound(to: tape)
      loss = fakeScoreLoss(
        trained, tape: tape, images: generated, draws: step, sigmaData: sigmaData, scale: settings.fakeScoreLossScale,
        batch: settings.batch)
    case .generator:
      trained = state.generator.bound(to: tape)
      let generated = generate(trained, step, dropout: step.dropout)
      loss = generatorLoss(
        generated, tape: tape, trueScore: teacher, fakeScore: state.fakeScore.bound(), draws: step,
        alpha: settings.alpha,
        tmax: settings.tmax, scale: settings.generatorLossScale, batch: settings.batch)
    }
    guard loss.objective.isFinite, loss.countedImages > 0 else {
      throw Failure(
        .software, state.pending.phase == .fakeScore ? "fake score" : "generator",
        "its loss is not a finite number after \(state.imagesSeen) images",
        remedy: "the last saved state is good; start again from it with lower learning rates")
    }
    state.pending.objective += loss.objective
    for (index, gradient) in trained.gradients.enumerated() {
      guard let gradient else { continue }
      if state.pending.gradients[index] == nil {
        state.pending.gradients[index] = gradient
      } else {
        state.pending.gradients[index]?.add(gradient)
      }
    }
  }

  /// Gives the gradients of a batch to tests before the optimizer takes them.
  package var gradientHook: ((DistillationPhase, inout [Tensor?]) -> Void)?

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
    gradientHook?(state.pending.phase, &state.pending.gradients)
    let factor = settings.learningRateFactor(afterImages: state.imagesSeen)
    let objective = state.pending.objective
    let gradients = state.pending.gradients
    let none = [Tensor?](repeating: nil, count: gradients.count)
    switch state.pending.phase {
    case .fakeScore:
      state.stepFakeScore(gradients, learningRate: settings.fakeScoreLearningRate * factor)
      try requireFinite(state.fakeScore, "fake score")
      state.fakeScoreObjective = objective
      state.pending = .init(phase: .generator, gradients: none)
      return nil
    case .generator:
      state.stepGenerator(gradients, learningRate: settings.generatorLearningRate * factor)
      try requireFinite(state.generator, "generator")
      state.updateAverage(beta: settings.averageBeta(beforeImages: state.imagesSeen))
      state.imagesSeen += settings.batch
      state.pending = .init(phase: .fakeScore, gradients: none)
      return IterationSummary(
        imagesSeen: state.imagesSeen, fakeScoreObjective: state.fakeScoreObjective, generatorObjective: objective)
    }
  }

  private func requireFinite(_ network: Network, _ name: String) throws {
    if let parameter = network.firstNonFiniteParameter {
      throw Failure(
        .software, name, "\"\(parameter)\" is no longer finite after \(state.imagesSeen) images",
        remedy: "the last saved state is good; start again from it with lower learning rates")
    }
  }
}
