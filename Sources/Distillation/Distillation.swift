import Autograd
import Compute
import Denoising
import Models
import Training

/// The alternating training of Score identity Distillation (Zhou et al. 2024, arXiv 2404.04057, algorithm 1): a turn of the
/// fake score, which denoises what the generator makes, and a turn of the generator.
public struct Distillation {
  /// The frozen score network.
  public let teacher: Network
  /// What determines the result.
  public let settings: DistillationSettings
  /// The random numbers.
  public let draws: any DrawSource

  /// - Parameters:
  ///   - teacher: the frozen score network.
  ///   - settings: what determines the result.
  ///   - draws: the random numbers.
  public init(teacher: Network, settings: DistillationSettings, draws: any DrawSource) {
    (self.teacher, self.settings, self.draws) = (teacher, settings, draws)
  }

  /// The training from a state on.
  /// - Throws: a `Failure` (`usage`) where there are more ranks than groups of micro-batches.
  public func loop(from state: TrainingState, ranks: any Ranks = OneRank()) throws -> TrainingLoop {
    try TrainingLoop(
      turns: turns, state: state, ranks: ranks, checkpointsActivations: settings.checkpointsActivations)
  }

  private var turns: [TrainingTurn] {
    let (settings, draws) = (settings, draws)
    let trueScore = teacher.bound(checkpointsActivations: settings.checkpointsActivations)
    let sigmaData = teacher.configuration.sigmaData
    let augmentDim = teacher.configuration.augmentDim

    func generate(_ generator: BoundNetwork, _ step: StepDraws, dropout: (key: UInt64, firstImage: Int)?) -> Variable {
      let images = step.latents.shape[0]
      return generator(
        Variable(scaled(step.latents, by: settings.initSigma)), sigma: [settings.initSigma],
        classLabels: step.classLabels, augmentLabels: augmentDim > 0 ? Tensor(shape: [images, augmentDim]) : nil,
        dropout: dropout)
    }
    let remedy = "give lower --lr and --glr"
    let fakeScore = TrainingTurn(
      network: DistillationPhase.fakeScore.network, title: "fake score", remedy: remedy,
      learningRate: settings.schedule(settings.fakeScoreLearningRate),
      objective: DenoisingLoss(scale: settings.fakeScoreLossScale)
    ) { networks, microbatch in
      let step = draws.draws(.fakeScore, imagesSeen: microbatch.imagesSeen, images: microbatch.images)
      let generated = generate(networks.frozen(DistillationPhase.generator.network), step, dropout: nil).value
      return DenoisingPass(
        networks.trained, images: step.augmentation?(generated) ?? generated, training: .edm(sigmaData: sigmaData),
        levels: step.levels, noise: step.noise, classLabels: step.classLabels, augmentLabels: step.augmentation?.labels,
        dropout: step.dropout, batch: microbatch.batch)
    }
    let generator = TrainingTurn(
      network: DistillationPhase.generator.network, title: "generator", remedy: remedy,
      learningRate: settings.schedule(settings.generatorLearningRate), average: settings.average,
      objective: GeneratorLoss(alpha: settings.alpha, scale: settings.generatorLossScale)
    ) { networks, microbatch in
      let step = draws.draws(.generator, imagesSeen: microbatch.imagesSeen, images: microbatch.images)
      return GeneratorPass(
        generate(networks.trained, step, dropout: step.dropout), trueScore: trueScore,
        fakeScore: networks.frozen(DistillationPhase.fakeScore.network), draws: step, tmax: settings.tmax,
        batch: microbatch.batch)
    }
    return [fakeScore, generator]
  }
}

extension DistillationPhase {
  /// The network that the turn trains, by its name in states.
  public var network: String {
    switch self {
    case .fakeScore: "fake_score"
    case .generator: "generator"
    }
  }
}

extension TrainingState {
  /// What a state of a distillation holds.
  public static let distillationNetworks = [
    ExpectedNetwork(DistillationPhase.fakeScore.network, hasAverage: false),
    ExpectedNetwork(DistillationPhase.generator.network, hasAverage: true),
  ]

  /// The start of a distillation: all three networks are copies of the teacher.
  public init(teacher: Network, settings: DistillationSettings, imagesSeen: Int = 0) {
    let network = teacher.with(dropout: settings.dropout)
    let count = network.parameters.count
    self.init(
      networks: [
        TrainedNetwork(
          name: DistillationPhase.fakeScore.network, network: network, average: nil,
          adam: Adam(count: count, beta1: 0, epsilon: settings.adamEpsilon)),
        TrainedNetwork(
          name: DistillationPhase.generator.network, network: network, average: network,
          adam: Adam(count: count, beta1: settings.generatorBeta1, epsilon: settings.adamEpsilon)),
      ], cut: settings.cut, imagesSeen: imagesSeen)
  }

  /// g: denoises the generator's images.
  public var fakeScore: Network { self[DistillationPhase.fakeScore.network].network }
  /// G: makes an image in one evaluation.
  public var generator: Network { self[DistillationPhase.generator.network].network }
  /// The average of the generator: the one that is kept.
  public var generatorEMA: Network { self[DistillationPhase.generator.network].average ?? generator }
}
