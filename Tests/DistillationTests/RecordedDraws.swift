import Compute
import Distillation
import TestSupport

/// The random numbers that the official training loop drew.
struct RecordedDraws: DrawSource {
  let recorded: Recorded
  let batch: Int
  let microbatch: Int
  let firstImage: Int
  /// Probability of the augmentations, whose draws are recorded where it is not 0.
  var augment: Float = 0

  func draws(_ phase: DistillationPhase, imagesSeen: Int, images: Range<Int>) -> StepDraws {
    let iteration = (imagesSeen - firstImage) / batch
    let step = phase == .fakeScore ? "fake_score_step" : "generator_step"
    let round = "iteration_\(iteration)/\(step)/round_\(images.lowerBound / microbatch)"
    do {
      let labels = recorded.contains(round + "/class_labels") ? try recorded.tensor(round + "/class_labels") : nil
      let level = phase == .fakeScore ? "/P_normal_draw_randn" : "/t_uniform_01"
      let latents = try recorded.images(round + "/z_unit_normal")
      var augmentation: Augmentation?
      if augment > 0, phase == .fakeScore {
        let pipeline = AugmentationPipeline(probability: augment)
        let group = round + "/augment_draws"
        augmentation = pipeline(
          try recorded.augmentationDraws(group, try recorded.names(group), pipeline),
          imageShape: Array(latents.shape.dropFirst()))
      }
      return StepDraws(
        latents: latents, classLabels: (labels?.shape[1] ?? 0) > 0 ? labels : nil,
        levels: try recorded.tensor(round + level).values, noise: try recorded.images(round + "/n_unit_normal"),
        augmentation: augmentation)
    } catch {
      preconditionFailure("\(round): \(error)")
    }
  }
}
