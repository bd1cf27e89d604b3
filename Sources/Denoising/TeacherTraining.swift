import Autograd
import Compute
import Diagnostics
import Models
import Training
import TrainingData

/// The training of a denoiser on images, as EDM's implementation trains its teachers (Karras et al. 2022, arXiv 2206.00364).
public struct TeacherTraining {
  /// What determines the result.
  public let settings: TeacherSettings
  /// The random numbers and the images.
  public let draws: any DenoisingDrawSource
  private let levels: DenoisingTraining

  /// - Parameters:
  ///   - configuration: of the network.
  ///   - settings: what determines the result.
  ///   - draws: the random numbers and the images.
  ///   - origin: what errors name.
  /// - Throws: a `Failure` (`dataError`) where the network's preconditioner has no training.
  public init(
    _ configuration: NetworkConfiguration, settings: TeacherSettings, draws: any DenoisingDrawSource, origin: String
  ) throws {
    levels = try DenoisingTraining.required(for: configuration, origin: origin)
    (self.settings, self.draws) = (settings, draws)
  }

  /// The training from a state on.
  /// - Throws: a `Failure` (`usage`) where there are more ranks than groups of micro-batches.
  public func loop(from state: TrainingState, ranks: any Ranks = OneRank()) throws -> TrainingLoop {
    let (draws, levels) = (draws, levels)
    let turn = TrainingTurn(
      network: TrainingState.teacher, title: "teacher", remedy: "give a lower --lr or a longer --lr-rampup-kimg",
      learningRate: settings.schedule, average: settings.average,
      objective: DenoisingLoss(scale: settings.lossScale, countsLevels: true)
    ) { networks, microbatch in
      let step = try draws.draws(imagesSeen: microbatch.imagesSeen, images: microbatch.images)
      return DenoisingPass(
        networks.trained, images: step.augmentation?(step.images) ?? step.images, training: levels, levels: step.levels,
        noise: step.noise, classLabels: step.classLabels, augmentLabels: step.augmentation?.labels,
        dropout: step.dropout, batch: microbatch.batch)
    }
    return try TrainingLoop(
      turns: [turn], state: state, ranks: ranks, checkpointsActivations: settings.checkpointsActivations)
  }
}

extension DenoisingTraining {
  /// That of a network's preconditioner.
  /// - Throws: a `Failure` (`dataError`) where there is none.
  public static func required(for configuration: NetworkConfiguration, origin: String) throws -> DenoisingTraining {
    guard let training = DenoisingTraining(for: configuration) else {
      throw Failure(
        .dataError, origin, "has the preconditioner \(configuration.precond), for which there is no training",
        remedy: "give a network with EDMPrecond, VPPrecond or VEPrecond")
    }
    return training
  }
}

extension TrainingState {
  /// The network of a teacher's training, by its name in states.
  public static let teacher = "denoiser"

  /// What a state of a teacher's training holds.
  public static let teacherNetworks = [ExpectedNetwork(teacher, hasAverage: true)]

  /// The start of a teacher's training: the average begins as the network.
  ///
  /// - Parameters:
  ///   - network: where the training begins.
  ///   - settings: what determines the result.
  ///   - imagesSeen: where the count begins.
  public init(teacher network: Network, settings: TeacherSettings, imagesSeen: Int = 0) {
    let network = network.with(dropout: settings.dropout)
    self.init(
      networks: [
        TrainedNetwork(
          name: Self.teacher, network: network, average: network,
          adam: Adam(
            count: network.parameters.count, beta1: TeacherSettings.beta1, beta2: TeacherSettings.beta2,
            epsilon: TeacherSettings.epsilon))
      ], cut: settings.cut, imagesSeen: imagesSeen)
  }

  /// Makes a state that another program saved fit for a teacher's training here.
  /// - Throws: a `Failure` (`cannotCreate`) where its optimizer has another beta1.
  public mutating func adopt(_ settings: TeacherSettings, origin: String) throws {
    guard firstMomentDecays == [TeacherSettings.beta1] else {
      throw Failure(
        .cannotCreate, origin,
        "its optimizer has beta1 \(firstMomentDecays[0]); a teacher's has \(TeacherSettings.beta1)")
    }
    adopt(epsilon: TeacherSettings.epsilon, dropout: settings.dropout)
  }

  /// The average of the teacher: the one that is kept.
  public var teacherEMA: Network { self[Self.teacher].average ?? self[Self.teacher].network }
}
