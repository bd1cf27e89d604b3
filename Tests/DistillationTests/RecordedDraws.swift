import Compute
import Distillation
import TestSupport

/// The random numbers that the official training loop drew.
struct RecordedDraws: DrawSource {
  let recorded: Recorded
  let batch: Int
  let microbatch: Int
  let firstImage: Int

  func draws(_ phase: DistillationPhase, imagesSeen: Int, images: Range<Int>) -> StepDraws {
    let iteration = (imagesSeen - firstImage) / batch
    let step = phase == .fakeScore ? "fake_score_step" : "generator_step"
    let round = "iteration_\(iteration)/\(step)/round_\(images.lowerBound / microbatch)"
    do {
      let labels = recorded.contains(round + "/class_labels") ? try recorded.tensor(round + "/class_labels") : nil
      let level = phase == .fakeScore ? "/P_normal_draw_randn" : "/t_uniform_01"
      return StepDraws(
        latents: try recorded.images(round + "/z_unit_normal"), classLabels: (labels?.shape[1] ?? 0) > 0 ? labels : nil,
        levels: try recorded.tensor(round + level).values, noise: try recorded.images(round + "/n_unit_normal"))
    } catch {
      preconditionFailure("\(round): \(error)")
    }
  }
}
