import Compute
import Diagnostics
import HDF5
import Models
import TrainingData

extension RecordedTeacherTraining {
  /// The images and random numbers of every micro-batch.
  /// - Throws: a `Failure` naming the data set that is missing or does not fit the network.
  func draws(for network: Network) throws -> RecordedDenoisingDraws {
    var steps: [Int: DenoisingDraws] = [:]
    for iteration in 0..<iterations {
      for round in 0..<settings.cut.count {
        steps[firstImage + iteration * settings.batch + round * settings.microbatch] = try step(
          "iteration_\(iteration)/round_\(round)", network)
      }
    }
    return RecordedDenoisingDraws(steps: steps)
  }

  private func step(_ name: String, _ network: Network) throws -> DenoisingDraws {
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
    let bytes = try tensor("images_uint8", imageShape)
    guard bytes.values.allSatisfy({ (0...255).contains($0) }) else {
      throw Failure(.dataError, path, "\(name)/images_uint8 holds what is no byte")
    }
    var augmentation: Augmentation?
    if settings.augment > 0 {
      guard group.contains("augment_draws") else {
        throw Failure(.dataError, path, "\(name)/augment_draws is missing")
      }
      let pipeline = AugmentationPipeline(probability: settings.augment)
      augmentation = pipeline(
        try AugmentationDraws.recorded(
          in: try group.group("augment_draws"), called: name + "/augment_draws", images: images, pipeline, path: path),
        imageShape: network.imageShape)
    }
    let classes = configuration.labelDim
    return DenoisingDraws(
      images: Tensor(bytes.values.map { normalized(UInt8($0)) }, shape: imageShape).nhwc,
      classLabels: classes > 0 ? try tensor("class_labels", [images, classes]) : nil,
      levels: try tensor("P_normal_draw_randn", [images, 1, 1, 1]).values,
      noise: try tensor("n_unit_normal", imageShape).nhwc, augmentation: augmentation)
  }
}

/// The images and random numbers of a recorded training.
struct RecordedDenoisingDraws: DenoisingDrawSource {
  let steps: [Int: DenoisingDraws]

  /// What the file has for a micro-batch, which must be one of the recorded ones.
  func draws(imagesSeen: Int, images: Range<Int>) -> DenoisingDraws {
    guard let step = steps[imagesSeen + images.lowerBound] else {
      preconditionFailure("no draws were recorded for images \(images) behind \(imagesSeen)")
    }
    return step
  }
}
