import Compute
import Diagnostics
import HDF5
import Models
import TrainingData

extension RecordedTrajectory {
  /// The random numbers of every micro-batch.
  /// - Throws: a `Failure` naming the data set that is missing or does not fit the network.
  public func draws(for network: Network) throws -> RecordedDraws {
    var steps: [RecordedDraws.Place: StepDraws] = [:]
    for iteration in 0..<iterations {
      for phase in [DistillationPhase.fakeScore, .generator] {
        for round in 0..<settings.cut.count {
          steps[.init(phase, firstImage + iteration * settings.batch, round * settings.microbatch)] = try step(
            "iteration_\(iteration)/\(phase.network)_step/round_\(round)", phase, network)
        }
      }
    }
    return RecordedDraws(steps: steps)
  }

  /// The real images of every micro-batch of an adversarial training; nil for another.
  /// - Throws: a `Failure` naming the data set that is missing or does not fit the network.
  public func realImages(for network: Network) throws -> RecordedImages? {
    guard settings.adversarial != nil else { return nil }
    let (height, width, channels) = (network.imageShape[0], network.imageShape[1], network.imageShape[2])
    var images: [RecordedDraws.Place: Tensor] = [:]
    for iteration in 0..<iterations {
      for round in 0..<settings.cut.count {
        let recorded = try RecordedMicroBatch(
          "iteration_\(iteration)/fake_score_step/round_\(round)", in: file, path: path)
        images[.init(.fakeScore, firstImage + iteration * settings.batch, round * settings.microbatch)] =
          try recorded.images("real_images_uint8", [settings.microbatch, channels, height, width])
      }
    }
    return RecordedImages(images: images)
  }

  private func step(_ name: String, _ phase: DistillationPhase, _ network: Network) throws -> StepDraws {
    let recorded = try RecordedMicroBatch(name, in: file, path: path)
    let (images, configuration) = (settings.microbatch, network.configuration)
    let imageShape = [images, configuration.imgChannels, configuration.imgResolution, configuration.imgResolution]
    let classes = configuration.labelDim
    let level = phase == .fakeScore ? "P_normal_draw_randn" : "t_uniform_01"
    func augmentation(_ draws: String) throws -> Augmentation? {
      guard settings.augment > 0, phase == .fakeScore else { return nil }
      return try recorded.augmentation(
        draws, images: images, probability: settings.augment, imageShape: network.imageShape)
    }
    let isAdversarial = settings.adversarial != nil
    return StepDraws(
      latents: try recorded.tensor("z_unit_normal", imageShape).nhwc,
      classLabels: classes > 0 ? try recorded.tensor("class_labels", [images, classes]) : nil,
      levels: try recorded.tensor(level, [images, 1, 1, 1]).values,
      noise: try recorded.tensor("n_unit_normal", imageShape).nhwc,
      augmentation: try augmentation(isAdversarial ? "augment_fake_draws" : "augment_draws"),
      real: (nil, isAdversarial ? try augmentation("augment_real_draws") : nil))
  }
}

/// The random numbers of a recorded training.
public struct RecordedDraws: DrawSource {
  struct Place: Hashable {
    let phase: DistillationPhase, imagesSeen: Int, image: Int
    init(_ phase: DistillationPhase, _ imagesSeen: Int, _ image: Int) {
      (self.phase, self.imagesSeen, self.image) = (phase, imagesSeen, image)
    }
  }
  let steps: [Place: StepDraws]

  /// What the file has for a micro-batch, which must be one of the recorded ones.
  public func draws(_ phase: DistillationPhase, imagesSeen: Int, images: Range<Int>) -> StepDraws {
    guard let step = steps[Place(phase, imagesSeen, images.lowerBound)] else {
      preconditionFailure("no draws were recorded for images \(images) behind \(imagesSeen)")
    }
    return step
  }
}

/// The real images of a recorded training.
public struct RecordedImages: RealImageSource {
  let images: [RecordedDraws.Place: Tensor]

  /// What the file has for a micro-batch, which must be one of the recorded ones.
  public func realImages(imagesSeen: Int, images range: Range<Int>) -> Tensor {
    guard let tensor = images[.init(.fakeScore, imagesSeen, range.lowerBound)] else {
      preconditionFailure("no real images were recorded for images \(range) behind \(imagesSeen)")
    }
    return tensor
  }
}
