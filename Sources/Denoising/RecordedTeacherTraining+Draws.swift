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
    let recorded = try RecordedMicroBatch(name, in: file, path: path)
    let (images, configuration) = (settings.microbatch, network.configuration)
    let imageShape = [images, configuration.imgChannels, configuration.imgResolution, configuration.imgResolution]
    let classes = configuration.labelDim
    return DenoisingDraws(
      images: try recorded.images("images_uint8", imageShape),
      classLabels: classes > 0 ? try recorded.tensor("class_labels", [images, classes]) : nil,
      levels: try recorded.tensor("P_normal_draw_randn", [images, 1, 1, 1]).values,
      noise: try recorded.tensor("n_unit_normal", imageShape).nhwc,
      augmentation: settings.augment > 0
        ? try recorded.augmentation(
          "augment_draws", images: images, probability: settings.augment, imageShape: network.imageShape) : nil)
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
