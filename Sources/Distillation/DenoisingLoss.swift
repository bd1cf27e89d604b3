import Autograd
import Compute
import Foundation
import Models

/// The noise levels at which a denoiser is trained, and the weight of each: how the three losses of EDM's
/// implementation differ (Karras et al. 2022, arXiv 2206.00364, table 1).
public enum DenoisingTraining: Sendable {
  /// EDM's: a unit normal gives sigma; weight (sigma^2 + sigma_data^2) / (sigma sigma_data)^2.
  case edm(sigmaData: Float)
  /// Of the variance-preserving process: uniform times; weight 1 / sigma^2.
  case variancePreserving(VariancePreserving)
  /// Of the variance-exploding process: uniform logarithms from 0.02 to 100; weight 1 / sigma^2.
  case varianceExploding

  /// The noise level of one image.
  /// - Parameter draw: a unit normal for EDM's, uniform in [0, 1) for the others.
  public func sigma(_ draw: Float) -> Float {
    switch self {
    case .edm: NoiseSchedule.trainingSigma(normal: draw)
    case .variancePreserving(let process): process.sigma(at: 1 + draw * Float(process.firstTime - 1))
    case .varianceExploding: 0.02 * Float(pow(Double(Float(100 / 0.02)), Double(draw)))
    }
  }

  /// The factor of the squared error at a noise level.
  public func weight(_ sigma: Float) -> Float {
    guard case .edm(let data) = self else { return 1 / (sigma * sigma) }
    return (sigma * sigma + data * data) / (sigma * data * (sigma * data))
  }
}

/// The loss of a denoiser: weight * (D(y + sigma n; sigma) - y)^2, summed over elements.
///
/// - Parameters:
///   - denoiser: bound to the tape whose gradients are wanted.
///   - images: y, [N, H, W, C].
///   - training: how sigma follows from the draws' levels. Levels that the network does not know are moved to its nearest.
///   - draws: the latents are not used.
///   - augmentLabels: what an augmentation did to the images, [N, augmentDim]; nil leaves that input out.
///   - scale: factor of the loss.
///   - batch: the divisor, images of the whole batch.
/// - Returns: the objective; its gradients are on the denoiser's variables.
public func denoisingLoss(
  _ denoiser: BoundNetwork, tape: Tape, images: Tensor, training: DenoisingTraining, draws: StepDraws,
  augmentLabels: Tensor? = nil, scale: Float = 1, batch: Int
) -> LossValue {
  let sigma = draws.levels.map { denoiser.nearestSigma(training.sigma($0)) }
  let noisy = combinedRows(images, sigma.map { _ in 1 }, draws.noise, sigma)
  let output = denoiser(
    Variable(noisy), sigma: sigma, classLabels: draws.classLabels, augmentLabels: augmentLabels, dropout: draws.dropout)
  var gradient = Tensor(shape: images.shape)
  var sum = 0.0
  var counted = 0
  let size = images.count / sigma.count
  output.value.withUnsafeBufferPointer { d in
    images.withUnsafeBufferPointer { y in
      gradient.withUnsafeMutableBufferPointer { g in
        for (n, s) in sigma.enumerated() {
          let range = n * size..<(n + 1) * size
          if range.contains(where: { d[$0].isNaN || y[$0].isNaN }) { continue }
          counted += 1
          let weight = training.weight(s)
          let factor = 2 * weight * scale / Float(batch)
          for i in range {
            let difference = d[i] - y[i]
            sum += Double(weight * (difference * difference))
            g[i] = factor * difference
          }
        }
      }
    }
  }
  tape.backward(from: output, gradient: gradient)
  return LossValue(objective: sum * Double(scale) / Double(batch), countedImages: counted)
}
