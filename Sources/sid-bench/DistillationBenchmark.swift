import Compute
import Distillation
import HDF5
import Models
import Training

/// One iteration of SiD on one micro-batch: the fake-score step and the generator step with Adam, and the average.
///
/// The settings are the official trainer's, with the dropout of the network's configuration.
struct DistillationBenchmark: Benchmark {
  private let network: Network
  private let seed: UInt64
  private(set) var batch: Int
  private let checkpointsActivations: Bool
  private var loop: TrainingLoop

  /// - Parameters:
  ///   - network: the teacher, from which all networks start.
  ///   - batch: images of one iteration.
  ///   - seed: of all draws.
  ///   - checkpointsActivations: whether blocks compute inner results again for the gradient.
  /// - Throws: nothing where there is one rank.
  init(network: Network, batch: Int, seed: UInt64, checkpointsActivations: Bool) throws {
    (self.network, self.batch, self.seed) = (network, batch, seed)
    self.checkpointsActivations = checkpointsActivations
    var settings = Self.settings(batch: batch, seed: seed, dropout: network.configuration.dropout)
    settings.checkpointsActivations = checkpointsActivations
    loop = try Distillation(teacher: network, settings: settings, draws: Self.draws(for: network, seed: seed))
      .loop(from: TrainingState(teacher: network, settings: settings))
  }

  private static func settings(batch: Int, seed: UInt64, dropout: Float) -> DistillationSettings {
    var settings = DistillationSettings()
    settings.batch = batch
    settings.microbatch = batch
    settings.dropout = dropout
    settings.seed = seed
    return settings
  }

  private static func draws(for network: Network, seed: UInt64) -> SeededDraws {
    SeededDraws(
      seed: seed, imageShape: network.imageShape,
      labels: UniformLabels(seed: seed, classes: network.configuration.labelDim))
  }

  var flops: Double? { nil }

  mutating func resize(batch: Int) throws {
    self = try DistillationBenchmark(
      network: network, batch: batch, seed: seed, checkpointsActivations: checkpointsActivations)
  }

  mutating func run() throws {
    while try loop.advance() == nil {}
  }

  /// Writes, for each of the two steps, its draws, its objective and the norm of each parameter's gradient, the
  /// optimizer's first step not taken: `fake_score` with the fake score equal to the teacher, `generator` with all
  /// parameters of the fake score 0.9 times the teacher's, so that their difference is no rounding error. Without dropout.
  func writeOutputs(to path: String) throws {
    var fake = network
    for (index, specification) in network.specifications.enumerated() where specification.isTrainable {
      fake.parameters[index] = scaled(network.parameters[index], by: 0.9)
    }
    try HDF5File.publish(path) { file in
      try writeStep(.fakeScore, fakeScore: network, to: file.root.createGroup("fake_score"))
      try writeStep(.generator, fakeScore: fake, to: file.root.createGroup("generator"))
    }
  }

  private func writeStep(_ phase: DistillationPhase, fakeScore: Network, to group: HDF5Group) throws {
    let settings = Self.settings(batch: batch, seed: seed, dropout: 0)
    let generator = network.with(dropout: 0)
    let count = network.specifications.count
    let networks = [
      (DistillationPhase.fakeScore, fakeScore.with(dropout: 0), nil), (.generator, generator, generator),
    ].map { phase, network, average in
      TrainedNetwork(name: phase.network, network: network, average: average, adam: Adam(count: count, beta1: 0))
    }
    let state = TrainingState(
      networks: networks, imagesSeen: 0, turn: phase.network, pending: GradientSum(settings.cut), objectives: [:])
    let source = Self.draws(for: network, seed: seed)
    let recorded = try RecordedStep(
      Distillation(teacher: network, settings: settings, draws: source).loop(from: state), network.specifications)

    let draws = source.draws(phase, imagesSeen: 0, images: 0..<batch)
    try group.write(image: draws.latents, to: "latents")
    try group.write(image: draws.noise, to: "noise")
    try group.write(draws.levels, shape: [batch], to: "levels")
    if let labels = draws.classLabels { try group.write(labels.values, shape: labels.shape, to: "class_labels") }
    try recorded.write(to: group)
  }
}
