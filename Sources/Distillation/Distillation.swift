import Autograd
import Compute
import Denoising
import Models
import Training

/// The alternating training of Score identity Distillation (Zhou et al. 2024, arXiv 2404.04057, algorithm 1): a turn of the
/// fake score, which denoises what the generator makes, and a turn of the generator.
///
/// With adversarial settings (SiDA, arXiv 2410.14919) the fake score's encoder learns to tell generated images from real ones
/// in the same turn, and the generator to mislead it.
public struct Distillation {
  /// The frozen score network.
  public let teacher: Network
  /// What determines the result.
  public let settings: DistillationSettings
  /// The random numbers.
  public let draws: any DrawSource
  /// The real images of adversarial training.
  public let realImages: (any RealImageSource)?

  /// - Parameters:
  ///   - teacher: the frozen score network.
  ///   - settings: what determines the result.
  ///   - draws: the random numbers.
  ///   - realImages: the real images; needed where the settings are adversarial, and else not read.
  public init(
    teacher: Network, settings: DistillationSettings, draws: any DrawSource, realImages: (any RealImageSource)? = nil
  ) {
    precondition(settings.adversarial == nil || realImages != nil, "adversarial training without real images")
    (self.teacher, self.settings, self.draws, self.realImages) = (teacher, settings, draws, realImages)
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
    let denoisingTraining = DenoisingTraining.edm(
      sigmaData: teacher.configuration.sigmaData, pMean: settings.fakeScorePMean, pStd: settings.fakeScorePStd)
    let augmentDim = teacher.configuration.augmentDim

    func noLabels(_ step: StepDraws) -> Tensor? {
      augmentDim > 0 ? Tensor(shape: [step.latents.shape[0], augmentDim]) : nil
    }
    func generate(_ generator: BoundNetwork, _ step: StepDraws, dropout: (key: UInt64, firstImage: Int)?) -> Variable {
      generator(
        Variable(scaled(step.latents, by: settings.initSigma)), sigma: [settings.initSigma],
        classLabels: step.classLabels, augmentLabels: noLabels(step), dropout: dropout)
    }
    func denoise(_ networks: TurnNetworks, _ microbatch: MicroBatch, _ step: StepDraws, augmentLabels: Tensor?)
      -> DenoisingPass
    {
      let generated = generate(networks.frozen(DistillationPhase.generator.network), step, dropout: nil).value
      return DenoisingPass(
        networks.trained, images: step.augmentation?(generated) ?? generated, training: denoisingTraining,
        levels: step.levels, noise: step.noise, classLabels: step.classLabels, augmentLabels: augmentLabels,
        dropout: step.dropout, batch: microbatch.batch)
    }
    func generatorPass(_ networks: TurnNetworks, _ microbatch: MicroBatch) -> GeneratorPass {
      let step = draws.draws(.generator, imagesSeen: microbatch.imagesSeen, images: microbatch.images)
      return GeneratorPass(
        generate(networks.trained, step, dropout: step.dropout), trueScore: trueScore,
        fakeScore: networks.frozen(DistillationPhase.fakeScore.network), draws: step, tmax: settings.tmax,
        batch: microbatch.batch)
    }

    let remedy = "give lower --lr and --glr"
    let (fakeScoreRate, generatorRate) = (
      settings.schedule(settings.fakeScoreLearningRate), settings.schedule(settings.generatorLearningRate)
    )
    let denoisingLoss = DenoisingLoss(scale: settings.fakeScoreLossScale)
    let generatorLoss = GeneratorLoss(alpha: settings.alpha, scale: settings.generatorLossScale)
    guard let adversarial = settings.adversarial, let realImages else {
      return [
        TrainingTurn(
          network: DistillationPhase.fakeScore.network, title: "fake score", remedy: remedy,
          learningRate: fakeScoreRate, objective: denoisingLoss
        ) { networks, microbatch in
          let step = draws.draws(.fakeScore, imagesSeen: microbatch.imagesSeen, images: microbatch.images)
          return denoise(networks, microbatch, step, augmentLabels: step.augmentation?.labels)
        },
        TrainingTurn(
          network: DistillationPhase.generator.network, title: "generator", remedy: remedy,
          learningRate: generatorRate, average: settings.average, objective: generatorLoss, pass: generatorPass),
      ]
    }
    let discriminatorLoss = DiscriminatorLoss(scale: adversarial.discriminatorLossScale, group: adversarial.group)
    let adversarialLoss = AdversarialLoss(scale: adversarial.adversarialLossScale, group: adversarial.group)
    let fakeScore = TrainingTurn(
      network: DistillationPhase.fakeScore.network, title: "fake score", remedy: remedy, learningRate: fakeScoreRate,
      gradientLimit: adversarial.gradientClip, objective: AdversarialDenoisingLoss(denoisingLoss, discriminatorLoss)
    ) { networks, microbatch in
      let step = draws.draws(.fakeScore, imagesSeen: microbatch.imagesSeen, images: microbatch.images)
      let real = try realImages.realImages(imagesSeen: microbatch.imagesSeen, images: microbatch.images)
      // Where nothing is done to the images the labels say so: they are not left out as in SiD.
      let denoising = denoise(
        networks, microbatch, step, augmentLabels: step.augmentation?.labels ?? noLabels(step))
      return AdversarialPass(
        denoising, networks.trained, real: step.real.augmentation?(real) ?? real, draws: step,
        augmentLabels: step.real.augmentation?.labels ?? noLabels(step), group: adversarial.group)
    }
    let generator = TrainingTurn(
      network: DistillationPhase.generator.network, title: "generator", remedy: remedy, learningRate: generatorRate,
      average: settings.average, stepsBehindImages: adversarial.generatorStartImages,
      objectiveAfterImages: { images in
        let weights = adversarial.weights(afterImages: images)
        return ObjectiveSum(
          WeightedObjective(weights.distillation, generatorLoss),
          WeightedObjective(weights.adversarial, adversarialLoss))
      }, pass: generatorPass)
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

  /// The start of a distillation: all three networks are copies of the teacher, or the generator and its average those of
  /// one that has learned already.
  ///
  /// - Parameters:
  ///   - teacher: the frozen score network.
  ///   - initialGenerator: a generator of the teacher's architecture; nil for the teacher itself.
  ///   - settings: what determines the result.
  ///   - imagesSeen: where the count begins.
  public init(
    teacher: Network, initialGenerator: Network? = nil, settings: DistillationSettings, imagesSeen: Int = 0
  ) {
    let network = teacher.with(dropout: settings.dropout)
    let generator = initialGenerator?.with(dropout: settings.dropout) ?? network
    precondition(generator.specifications == network.specifications, "a generator of another architecture")
    let count = network.parameters.count
    self.init(
      networks: [
        TrainedNetwork(
          name: DistillationPhase.fakeScore.network, network: network, average: nil,
          adam: Adam(count: count, beta1: 0, epsilon: settings.adamEpsilon)),
        TrainedNetwork(
          name: DistillationPhase.generator.network, network: generator, average: generator,
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
