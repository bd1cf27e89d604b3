import Autograd
import Compute
import Foundation
import Models
import Training

/// The noise levels of the generator's loss.
public enum NoiseSchedule {
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

/// What the two scores make of the generator's images with noise.
public struct GeneratorPass {
  /// x, the generator's images, on the tape, [N, H, W, C].
  public let images: Variable
  /// Noise level of each image.
  public let sigma: [Float]
  /// x + sigma n.
  public let noisy: Variable
  /// y_real, what the true score makes of them.
  public let real: Variable
  /// y_fake, what the fake score makes of them.
  public let fake: Variable
  /// The last activation of the fake score's encoder, [N, h, w, C'].
  public let features: Variable
  /// Images of the whole batch: the divisor of objectives.
  public let batch: Int

  /// Runs both score networks.
  /// - Parameters:
  ///   - images: x, on the tape.
  ///   - trueScore, fakeScore: both without trainable parameters.
  ///   - draws: levels are uniform in [0, 1).
  ///   - tmax: largest time, thousandths of the noise schedule.
  ///   - batch: images of the whole batch.
  public init(
    _ images: Variable, trueScore: BoundNetwork, fakeScore: BoundNetwork, draws: StepDraws, tmax: Double, batch: Int
  ) {
    sigma = draws.levels.map {
      trueScore.nearestSigma(NoiseSchedule.generatorSigma(uniform: $0, tmax: tmax, range: trueScore.sigmaRange))
    }
    noisy = adding(images, constant: scaledRows(draws.noise, by: sigma))
    real = trueScore(noisy, sigma: sigma, classLabels: draws.classLabels)
    var encoded = fakeScore.encode(noisy, sigma: sigma, classLabels: draws.classLabels)
    features = encoded.features
    fake = encoded.denoise()
    (self.images, self.batch) = (images, batch)
  }

  /// Which images take part in objectives: those whose numbers are all numbers.
  public var isCounted: [Bool] {
    let all = [images, real, fake].map(\.value.rowsWithoutNaN)
    return sigma.indices.map { n in all.allSatisfy { $0[n] } }
  }

  /// max(mean |x - y_real|, 1e-5) of each image, a constant of the loss.
  public var weight: [Float] {
    let size = images.value.count / sigma.count
    return images.value.withUnsafeBufferPointer { x in
      real.value.withUnsafeBufferPointer { r in
        Threads.map(Array(sigma.indices)) { n in
          WorkCount.note(floats: 2 * size)
          let distance = (n * size..<(n + 1) * size).reduce(0.0) { $0 + Double(abs(x[$1] - r[$1])) } / Double(size)
          return max(Float(distance), 1e-5)
        }
      }
    }
  }
}

/// The loss of the generator: (y_real - y_fake) * ((y_real - x) - alpha (y_real - y_fake)) / w, with y the denoised noisy
/// images and w = max(mean |x - y_real|, 1e-5) of each image, taken as a constant (arXiv 2404.04057, equation 23).
///
/// Gradients flow through x itself and through both score networks to x.
public struct GeneratorLoss: Objective, Sendable {
  /// Weight of the second term.
  public let alpha: Float
  /// Factor of the loss.
  public let scale: Float

  /// - Parameters:
  ///   - alpha: weight of the second term.
  ///   - scale: factor of the loss.
  public init(alpha: Float, scale: Float) { (self.alpha, self.scale) = (alpha, scale) }

  /// The loss and its gradients. An image with numbers that are none takes no part.
  public func callAsFunction(_ pass: GeneratorPass) -> ObjectiveValue {
    let counted = WorkCount.begin(.loss)
    defer { counted?.end() }
    let shape = pass.images.shape
    var gradients = (
      images: Tensor(uninitialized: shape), real: Tensor(uninitialized: shape), fake: Tensor(uninitialized: shape)
    )
    let (weights, isCounted) = (pass.weight, pass.isCounted)
    let size = pass.images.value.count / pass.sigma.count
    // Nil where an image takes no part.
    let sums = pass.images.value.withUnsafeBufferPointer { x in
      pass.real.value.withUnsafeBufferPointer { r in
        pass.fake.value.withUnsafeBufferPointer { f in
          gradients.images.withUnsafeMutableBufferPointer { gx in
            gradients.real.withUnsafeMutableBufferPointer { gr in
              gradients.fake.withUnsafeMutableBufferPointer { gf in
                let (gx, gr, gf) = (gx, gr, gf)
                return Threads.map(Array(weights.enumerated())) { n, weight -> Double? in
                  WorkCount.note(floats: 6 * size)
                  guard isCounted[n] else {
                    for i in n * size..<(n + 1) * size { (gx[i], gr[i], gf[i]) = (0, 0, 0) }
                    return nil
                  }
                  let factor = scale / (Float(pass.batch) * weight)
                  var sum = 0.0
                  for i in n * size..<(n + 1) * size {
                    let difference = r[i] - f[i]
                    let direction = (r[i] - x[i]) - alpha * difference
                    sum += Double(difference * direction / weight)
                    gx[i] = -factor * difference
                    gr[i] = factor * (direction + (1 - alpha) * difference)
                    gf[i] = factor * (alpha * difference - direction)
                  }
                  return sum
                }
              }
            }
          }
        }
      }
    }
    let sum = sums.compactMap { $0 }.reduce(0, +)
    let countedImages = sums.count { $0 != nil }
    let value = sum * Double(scale) / Double(pass.batch)
    return ObjectiveValue(
      value: value, countedImages: countedImages,
      starts: [(pass.images, gradients.images), (pass.real, gradients.real), (pass.fake, gradients.fake)],
      figures: ["distillation": value])
  }
}
