import Distillation
import TestSupport
import TrainingData

extension Recorded {
  /// The draws of the official pipeline, in call order: `names` of `group` are its data sets.
  func augmentationDraws(_ group: String, _ names: [String], _ pipeline: AugmentationPipeline) throws
    -> [AugmentationDraws]
  {
    // The last call draws a chance for each image.
    let images = try tensor(group + "/" + (names.max() ?? "")).count
    return try AugmentationDraws.recorded(
      in: try root.group(group), called: group, names: names, images: images, pipeline, path: group)
  }
}
