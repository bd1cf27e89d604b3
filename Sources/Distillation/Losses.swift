import Autograd
import Compute
import Foundation
import Models

/// A loss over a micro-batch with its gradient.
public struct LossValue: Sendable {
  /// The objective: scale * sum over elements / batch.
  public var objective: Double
  /// Images whose numbers were all finite or infinite; the others are left out of the objective.
  public var countedImages: Int
}

/// The noise levels of the two losses.
public enum NoiseSchedule {
  /// ln sigma ~ N(-1.2, 1.2^2): the levels at which EDM trains (Karras et al. 2022, arXiv 2206.00364, table 1).
  public static func trainingSigma(normal: Float) -> Float { Float(exp(Double(normal * 1.2 - 1.2))) }

  /// The level at time u * tmax / 1000 of EDM's schedule with rho = 7 between 0.002 (u = 0) and 80, both cut to the range
  /// of the network.
  public static func generatorSigma(
    uniform: Float, tmax: Double, range: ClosedRange<Double> = 0...Double.infinity
  ) -> Float {
    let (high, low) = (pow(min(80, range.upperBound), 1 / 7.0), pow(max(0.002, range.lowerBound), 1 / 7.0))
    let time = Double(uniform) * (tmax / 1000)
    return Float(pow(high + (1 - time) * (low - high), 7))
  }
}

/// EDM's denoising loss of the fake score on generated images: weight * (D(y + sigma n; sigma) - y)^2, y the images after
/// the augmentation that is drawn for them.
///
/// - Parameters:
///   - fakeScore: bound to the tape whose gradients are wanted.
///   - images: [N, H, W, C].
///   - draws: levels are the unit normals from which sigma follows.
///   - scale: factor of the loss.
///   - batch: the divisor, images of the whole batch.
/// - Returns: the objective; its gradients are on the fake score's variables.
public func fakeScoreLoss(
  _ fakeScore: BoundNetwork, tape: Tape, images: Tensor, draws: StepDraws, sigmaData: Float, scale: Float, batch: Int
) -> LossValue {
  let images = draws.augmentation?(images) ?? images
  return denoisingLoss(
    fakeScore, tape: tape, images: images, training: .edm(sigmaData: sigmaData), draws: draws,
    augmentLabels: draws.augmentation?.labels, scale: scale, batch: batch)
}

/// What the generator's loss is made of, for inspection by tests.
public struct GeneratorLossParts: Sendable {
  /// Noise level of each image.
  public let sigma: [Float]
  /// The noisy images, [N, H, W, C].
  public let noisy: Tensor
  /// What the true score makes of them.
  public let real: Tensor
  /// What the fake score makes of them.
  public let fake: Tensor
  /// max(mean |x - y_real|, 1e-5) of each image.
  public let weight: [Float]
}

/// The loss of the generator: (y_real - y_fake) * ((y_real - x) - alpha (y_real - y_fake)) / w, with y the denoised noisy
/// images and w = max(mean |x - y_real|, 1e-5) of each image, taken as a constant (arXiv 2404.04057, equation 23).
///
/// Gradients flow through x itself and through both score networks to x.
/// - Parameters:
///   - images: x, the generator's output, on the tape.
///   - trueScore, fakeScore: both without trainable parameters.
///   - draws: levels are uniform in [0, 1).
public func generatorLoss(
  _ images: Variable, tape: Tape, trueScore: BoundNetwork, fakeScore: BoundNetwork, draws: StepDraws, alpha: Float,
  tmax: Double,
  scale: Float, batch: Int, inspect: ((GeneratorLossParts) -> Void)? = nil
) -> LossValue {
  let sigma = draws.levels.map {
    trueScore.nearestSigma(NoiseSchedule.generatorSigma(uniform: $0, tmax: tmax, range: trueScore.sigmaRange))
  }
  let noisy = adding(images, constant: scaledRows(draws.noise, by: sigma))
  let real = trueScore(noisy, sigma: sigma, classLabels: draws.classLabels)
  let fake = fakeScore(noisy, sigma: sigma, classLabels: draws.classLabels)
  var gradients = (
    images: Tensor(shape: images.shape), real: Tensor(shape: images.shape), fake: Tensor(shape: images.shape)
  )
  var weights: [Float] = []
  var sum = 0.0
  var counted = 0
  let size = images.value.count / sigma.count
  images.value.withUnsafeBufferPointer { x in
    real.value.withUnsafeBufferPointer { r in
      fake.value.withUnsafeBufferPointer { f in
        gradients.images.withUnsafeMutableBufferPointer { gx in
          gradients.real.withUnsafeMutableBufferPointer { gr in
            gradients.fake.withUnsafeMutableBufferPointer { gf in
              for n in sigma.indices {
                let range = n * size..<(n + 1) * size
                let distance = range.reduce(0.0) { $0 + Double(abs(x[$1] - r[$1])) } / Double(size)
                let weight = max(Float(distance), 1e-5)
                weights.append(weight)
                if range.contains(where: { x[$0].isNaN || r[$0].isNaN || f[$0].isNaN }) { continue }
                counted += 1
                let factor = scale / (Float(batch) * weight)
                for i in range {
                  let difference = r[i] - f[i]
                  let direction = (r[i] - x[i]) - alpha * difference
                  sum += Double(difference * direction / weight)
                  gx[i] = -factor * difference
                  gr[i] = factor * (direction + (1 - alpha) * difference)
                  gf[i] = factor * (alpha * difference - direction)
                }
              }
            }
          }
        }
      }
    }
  }
  inspect?(GeneratorLossParts(sigma: sigma, noisy: noisy.value, real: real.value, fake: fake.value, weight: weights))
  tape.backward(from: [(images, gradients.images), (real, gradients.real), (fake, gradients.fake)])
  return LossValue(objective: sum * Double(scale) / Double(batch), countedImages: counted)
}
