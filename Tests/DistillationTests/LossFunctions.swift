import Autograd
import Compute
import Denoising
import Distillation
import Models
import Training

/// A loss whose gradients are on the variables already.
struct LossValue {
  let objective: Double
  let countedImages: Int

  init(_ value: ObjectiveValue, _ tape: Tape) {
    tape.backward(from: value.starts)
    (objective, countedImages) = (value.value, value.countedImages)
  }
}

/// EDM's denoising loss and its gradients.
func denoisingLoss(
  _ denoiser: BoundNetwork, tape: Tape, images: Tensor, training: DenoisingTraining, draws: StepDraws,
  augmentLabels: Tensor? = nil, scale: Float = 1, batch: Int
) -> LossValue {
  let pass = DenoisingPass(
    denoiser, images: images, training: training, levels: draws.levels, noise: draws.noise,
    classLabels: draws.classLabels, augmentLabels: augmentLabels, dropout: draws.dropout, batch: batch)
  return LossValue(DenoisingLoss(scale: scale)(pass), tape)
}

/// The fake score's loss, as a turn of a distillation has it, and its gradients.
func fakeScoreLoss(
  _ fakeScore: BoundNetwork, tape: Tape, images: Tensor, draws: StepDraws, sigmaData: Float, scale: Float, batch: Int
) -> LossValue {
  denoisingLoss(
    fakeScore, tape: tape, images: draws.augmentation?(images) ?? images, training: .edm(sigmaData: sigmaData),
    draws: draws, augmentLabels: draws.augmentation?.labels, scale: scale, batch: batch)
}

/// The generator's loss and its gradients.
func generatorLoss(
  _ images: Variable, tape: Tape, trueScore: BoundNetwork, fakeScore: BoundNetwork, draws: StepDraws, alpha: Float,
  tmax: Double, scale: Float, batch: Int, inspect: ((GeneratorPass) -> Void)? = nil
) -> LossValue {
  let pass = GeneratorPass(
    images, trueScore: trueScore, fakeScore: fakeScore, draws: draws, tmax: tmax, batch: batch)
  inspect?(pass)
  return LossValue(GeneratorLoss(alpha: alpha, scale: scale)(pass), tape)
}
