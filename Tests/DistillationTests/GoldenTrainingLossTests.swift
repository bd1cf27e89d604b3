import Autograd
import Compute
import Distillation
import Models
import TestSupport
import Testing
import TrainingData

/// EDM's training loss on a batch of images, plain and augmented, against the official one. The fake score learns by it.
@Suite("EDM's loss equals the official one", .serialized)
struct GoldenTrainingLossTests {
  @Test(arguments: ["edm_ddpmpp_cond", "edm_ddpmpp_uncond"], [false, true])
  func loss(name: String, isAugmented: Bool) throws {
    try KernelSet.with(.exact) {
      let recorded = try Recorded("golden/edm_loss/\(name).h5")
      let network = try loadNetwork("golden/checkpoints/\(name).pkl")
      let group = isAugmented ? "augmented" : "plain"
      let names = try recorded.names(group + "/draws").sorted()
      let first = try #require(names.first), last = try #require(names.last)
      let images = try recorded.images("images")
      let labels = try recorded.tensor("class_labels")
      let pipeline = AugmentationPipeline(probability: 0.6)
      let augmentation =
        isAugmented
        ? pipeline(
          try recorded.augmentationDraws(group + "/draws", Array(names.dropFirst().dropLast()), pipeline),
          imageShape: Array(images.shape.dropFirst())) : nil
      let draws = StepDraws(
        latents: images, classLabels: labels.shape[1] > 0 ? labels : nil,
        levels: try recorded.tensor("\(group)/draws/\(first)").values,
        noise: try recorded.images("\(group)/draws/\(last)"), augmentation: augmentation)
      let tape = Tape()
      let bound = network.bound(to: tape)
      let loss = fakeScoreLoss(
        bound, tape: tape, images: images, draws: draws, sigmaData: network.configuration.sigmaData, scale: 1, batch: 4)
      let expected = try recorded.numbers(group + "/loss_scalar_fp64")[0]
      #expect(abs(loss.objective / expected - 1) <= 2e-6, "\(loss.objective), \(expected) expected")
      for gradients in ["/grad", "/grad_first512"] where recorded.contains(group + gradients) {
        try GoldenLossTests.checkGradients(recorded, network, bound.gradients, group + gradients, name: name)
      }
    }
  }
}
