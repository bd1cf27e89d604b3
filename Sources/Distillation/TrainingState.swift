import Compute
import Models

/// Everything that changes while a generator is distilled.
public struct TrainingState: Sendable {
  /// g: denoises the generator's images.
  public internal(set) var fakeScore: Network
  /// G: makes an image in one evaluation.
  public internal(set) var generator: Network
  /// The average of the generator: the one that is kept.
  public internal(set) var generatorEMA: Network
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
    /// Images so far that were numbers; the others are left out of the objective.
    package var countedImages: Int
    /// Accumulated gradients in the order of the parameters; nil where none flowed.
    package var gradients: [Tensor?]

    package init(
      phase: DistillationPhase, imagesDone: Int = 0, objective: Double = 0, countedImages: Int = 0, gradients: [Tensor?]
    ) {
      (self.phase, self.imagesDone, self.objective) = (phase, imagesDone, objective)
      (self.countedImages, self.gradients) = (countedImages, gradients)
    }
  }
  /// The fake score's objective of the iteration under way, once its step is done.
  package var fakeScoreObjective = 0.0

  /// The start: all three networks are copies of the teacher.
  public init(teacher: Network, settings: DistillationSettings) {
    let network = teacher.with(dropout: settings.dropout)
    (fakeScore, generator, generatorEMA) = (network, network, network)
    let count = network.parameters.count
    fakeScoreAdam = Adam(count: count, beta1: 0, epsilon: settings.adamEpsilon)
    generatorAdam = Adam(count: count, beta1: settings.generatorBeta1, epsilon: settings.adamEpsilon)
    pending = PendingStep(phase: .fakeScore, gradients: Array(repeating: nil, count: count))
  }

  package init(
    fakeScore: Network, generator: Network, generatorEMA: Network, fakeScoreAdam: Adam, generatorAdam: Adam,
    imagesSeen: Int,
    pending: PendingStep, fakeScoreObjective: Double
  ) {
    (self.fakeScore, self.generator, self.generatorEMA) = (fakeScore, generator, generatorEMA)
    (self.fakeScoreAdam, self.generatorAdam, self.imagesSeen) = (fakeScoreAdam, generatorAdam, imagesSeen)
    (self.pending, self.fakeScoreObjective) = (pending, fakeScoreObjective)
  }

  /// Updates the fake score, unless that would take it out of the finite.
  /// - Returns: the name of the parameter that would no longer be finite; then nothing has changed.
  mutating func stepFakeScore(_ gradients: [Tensor?], learningRate: Double) -> String? {
    let broken = fakeScoreAdam.step(&fakeScore.parameters, gradients: gradients, learningRate: learningRate)
    return broken.map { fakeScore.specifications[$0].name }
  }

  /// The same for the generator, and in the same pass EMA = generator + beta * (EMA - generator); buffers stay as they are.
  mutating func stepGenerator(_ gradients: [Tensor?], learningRate: Double, emaBeta: Double) -> String? {
    let specifications = generator.specifications
    let broken = generatorAdam.step(
      &generator.parameters, gradients: gradients, learningRate: learningRate, average: &generatorEMA.parameters,
      beta: emaBeta
    ) { specifications[$0].isTrainable }
    return broken.map { specifications[$0].name }
  }
}
