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
        let name = "iteration_\(iteration)/fake_score_step/round_\(round)/real_images_uint8"
        guard file.root.contains(name) else { throw Failure(.dataError, path, "\(name) is missing") }
        let dataset = try file.root.dataset(name)
        let shape = [settings.microbatch, channels, height, width]
        guard dataset.shape == shape else {
          throw Failure(.dataError, path, "\(name) has shape \(dataset.shape); \(shape) is expected")
        }
        let bytes = try dataset.read(Float.self)
        guard bytes.allSatisfy({ (0...255).contains($0) }) else {
          throw Failure(.dataError, path, "\(name) holds what is no byte")
        }
        images[.init(.fakeScore, firstImage + iteration * settings.batch, round * settings.microbatch)] =
          Tensor(bytes.map { normalized(UInt8($0)) }, shape: shape).nhwc
      }
    }
    return RecordedImages(images: images)
  }

  private func step(_ name: String, _ phase: DistillationPhase, _ network: Network) throws -> StepDraws {
    guard file.root.contains(name) else { throw Failure(.dataError, path, "\(name) is missing") }
    let group = try file.root.group(name)
    let (images, configuration) = (settings.microbatch, network.configuration)
    let imageShape = [images, configuration.imgChannels, configuration.imgResolution, configuration.imgResolution]
    func tensor(_ numbers: String, _ shape: [Int]) throws -> Tensor {
      guard group.contains(numbers) else { throw Failure(.dataError, path, "\(name)/\(numbers) is missing") }
      let dataset = try group.dataset(numbers)
      guard dataset.shape == shape else {
        throw Failure(
          .dataError, path, "\(name)/\(numbers) has shape \(dataset.shape); \(shape) is expected",
          remedy: "these numbers were recorded for another network")
      }
      return Tensor(try dataset.read(Float.self), shape: shape)
    }
    let classes = configuration.labelDim
    let level = phase == .fakeScore ? "P_normal_draw_randn" : "t_uniform_01"
    func augmentation(_ numbers: String) throws -> Augmentation? {
      guard settings.augment > 0, phase == .fakeScore else { return nil }
      guard group.contains(numbers) else { throw Failure(.dataError, path, "\(name)/\(numbers) is missing") }
      let pipeline = AugmentationPipeline(probability: settings.augment)
      let draws = try AugmentationDraws.recorded(
        in: try group.group(numbers), called: name + "/" + numbers, images: images, pipeline, path: path)
      return pipeline(draws, imageShape: network.imageShape)
    }
    let isAdversarial = settings.adversarial != nil
    return StepDraws(
      latents: try tensor("z_unit_normal", imageShape).nhwc,
      classLabels: classes > 0 ? try tensor("class_labels", [images, classes]) : nil,
      levels: try tensor(level, [images, 1, 1, 1]).values, noise: try tensor("n_unit_normal", imageShape).nhwc,
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
