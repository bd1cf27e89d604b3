import Compute
import Denoising
import HDF5
import Models
import Training
import TrainingData

/// One iteration of a teacher's training on one micro-batch: loss, gradients, Adam, and the average.
///
/// The settings are the official trainer's, with the dropout of the network's configuration. Images are noise that stays the
/// same; they are not augmented.
struct TeacherBenchmark: Benchmark {
  private let network: Network
  private let seed: UInt64
  private(set) var batch: Int
  private let checkpointsActivations: Bool
  private let loop: TrainingLoop

  /// - Parameters:
  ///   - network: where the training begins.
  ///   - batch: images of one iteration.
  ///   - seed: of images and draws.
  ///   - checkpointsActivations: whether blocks compute inner results again for the gradient.
  /// - Throws: a `Failure` where the network's preconditioner has no training.
  init(network: Network, batch: Int, seed: UInt64, checkpointsActivations: Bool) throws {
    (self.network, self.seed, self.batch) = (network, seed, batch)
    self.checkpointsActivations = checkpointsActivations
    let settings = Self.settings(
      batch: batch, seed: seed, dropout: network.configuration.dropout, checkpoints: checkpointsActivations)
    loop = try Self.loop(network, settings, NoiseDraws(network, batch: batch, seed: seed))
  }

  private static func settings(batch: Int, seed: UInt64, dropout: Float, checkpoints: Bool = false) -> TeacherSettings {
    var settings = TeacherSettings()
    (settings.batch, settings.microbatch) = (batch, batch)
    (settings.dropout, settings.augment, settings.seed) = (dropout, 0, seed)
    settings.checkpointsActivations = checkpoints
    return settings
  }

  private static func loop(_ network: Network, _ settings: TeacherSettings, _ draws: NoiseDraws) throws -> TrainingLoop
  {
    try TeacherTraining(network.configuration, settings: settings, draws: draws, origin: "the network")
      .loop(from: TrainingState(teacher: network, settings: settings))
  }

  var flops: Double? { nil }

  mutating func resize(batch: Int) throws {
    self = try TeacherBenchmark(
      network: network, batch: batch, seed: seed, checkpointsActivations: checkpointsActivations)
  }

  func run() throws {
    while try loop.advance() == nil {}
  }

  /// Writes the draws of the first iteration, its objective and the norm of each parameter's gradient, without dropout.
  func writeOutputs(to path: String) throws {
    let draws = NoiseDraws(network, batch: batch, seed: seed)
    let recorded = try RecordedStep(
      Self.loop(network, Self.settings(batch: batch, seed: seed, dropout: 0), draws), network.specifications)
    let step = draws.draws(imagesSeen: 0, images: 0..<batch)
    try HDF5File.publish(path) { file in
      try file.root.write(image: step.images, to: "images")
      try file.root.write(image: step.noise, to: "noise")
      try file.root.write(step.levels, shape: [batch], to: "levels")
      if let labels = step.classLabels { try file.root.write(labels.values, shape: labels.shape, to: "class_labels") }
      try recorded.write(to: file.root)
    }
  }
}

/// Images that are noise and stay the same, and random numbers as a training draws them.
private struct NoiseDraws: DenoisingDrawSource {
  private let images: Tensor
  private let classLabels: Tensor?
  private let generator: Philox

  private enum Purpose: UInt32 {
    case level = 0x10
    case noise = 0x11
    case image = 0x20
    case label = 0x21
  }

  init(_ network: Network, batch: Int, seed: UInt64) {
    let generator = Philox(seed: seed)
    let size = network.imageShape.reduce(1, *)
    images = Tensor(
      (0..<batch).flatMap { generator.normals(size, stream: (UInt64($0), Purpose.image.rawValue)).map { $0 / 2 } },
      shape: [batch] + network.imageShape)
    let classes = network.configuration.labelDim
    classLabels =
      classes > 0
      ? oneHot(
        (0..<batch).map { generator.integer(below: classes, stream: (UInt64($0), Purpose.label.rawValue)) },
        classes: classes) : nil
    self.generator = generator
  }

  func draws(imagesSeen: Int, images range: Range<Int>) -> DenoisingDraws {
    func normals(_ count: Int, _ image: Int, _ purpose: Purpose) -> [Float] {
      generator.normals(count, stream: (UInt64(imagesSeen + image), purpose.rawValue))
    }
    let size = images.count / images.shape[0]
    return DenoisingDraws(
      images: images, classLabels: classLabels, levels: range.map { normals(1, $0, .level)[0] },
      noise: generator.normals(size, streams: range.map { (UInt64(imagesSeen + $0), Purpose.noise.rawValue) })
        .reshaped(images.shape),
      dropout: (UInt64(imagesSeen), range.lowerBound))
  }
}
