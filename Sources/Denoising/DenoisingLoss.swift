import Autograd
import Compute
import Foundation
import Models
import Training

/// The noise levels at which a denoiser is trained, and the weight of each: how the three losses of EDM's
/// implementation differ (Karras et al. 2022, arXiv 2206.00364, table 1).
public enum DenoisingTraining: Sendable {
  /// EDM's: ln sigma ~ N(P_mean, P_std^2); weight (sigma^2 + sigma_data^2) / (sigma sigma_data)^2.
  case edm(sigmaData: Float, pMean: Float = -1.2, pStd: Float = 1.2)
  /// Of the variance-preserving process: uniform times; weight 1 / sigma^2.
  case variancePreserving(VariancePreserving)
  /// Of the variance-exploding process: uniform logarithms from 0.02 to 100; weight 1 / sigma^2.
  case varianceExploding

  /// That of a network's preconditioner; nil for iDDPM's, whose training EDM's implementation does not have.
  public init?(for configuration: NetworkConfiguration) {
    switch configuration.precond {
    case "EDMPrecond": self = .edm(sigmaData: configuration.sigmaData)
    case "VPPrecond": self = .variancePreserving(configuration.variancePreserving)
    case "VEPrecond": self = .varianceExploding
    default: return nil
    }
  }

  /// Whether a level follows from a unit normal; from a number uniform in [0, 1) otherwise.
  public var drawsNormals: Bool { if case .edm = self { true } else { false } }

  /// The noise level of one image.
  /// - Parameter draw: a unit normal for EDM's, uniform in [0, 1) for the others.
  public func sigma(_ draw: Float) -> Float {
    switch self {
    case .edm(_, let mean, let std): Float(exp(Double(draw * std + mean)))
    case .variancePreserving(let process): process.sigma(at: 1 + draw * Float(process.firstTime - 1))
    case .varianceExploding: 0.02 * Float(pow(Double(Float(100 / 0.02)), Double(draw)))
    }
  }

  /// The factor of the squared error at a noise level.
  public func weight(_ sigma: Float) -> Float {
    guard case .edm(let data, _, _) = self else { return 1 / (sigma * sigma) }
    return (sigma * sigma + data * data) / (sigma * data * (sigma * data))
  }
}

/// What a denoiser makes of noisy images: D(y + sigma n; sigma, class).
public struct DenoisingPass {
  /// y, [N, H, W, C].
  public let images: Tensor
  /// Noise level of each image.
  public let sigma: [Float]
  /// The factor of each image's squared error.
  public let weight: [Float]
  /// D, [N, H, W, C].
  public let output: Variable
  /// The last activation of the denoiser's encoder, [N, h, w, C'].
  public let features: Variable
  /// Which images take part in objectives: those whose numbers are all numbers.
  public var isCounted: [Bool]
  /// Images of the whole batch: the divisor of objectives.
  public let batch: Int

  /// Runs the denoiser.
  /// - Parameters:
  ///   - denoiser: bound to the tape whose gradients are wanted.
  ///   - images: y, [N, H, W, C].
  ///   - training: how sigma follows from the levels. Levels that the network does not know are moved to its nearest.
  ///   - levels: one draw an image, as `DenoisingTraining.sigma` takes it.
  ///   - noise: n, unit normals, [N, H, W, C].
  ///   - classLabels: [N, labelDim], one-hot; nil is all zeros.
  ///   - augmentLabels: what an augmentation did to the images, [N, augmentDim]; nil leaves that input out.
  ///   - dropout: key of the masks and number of the first image; nil for none.
  ///   - batch: images of the whole batch.
  public init(
    _ denoiser: BoundNetwork, images: Tensor, training: DenoisingTraining, levels: [Float], noise: Tensor,
    classLabels: Tensor? = nil, augmentLabels: Tensor? = nil, dropout: (key: UInt64, firstImage: Int)? = nil, batch: Int
  ) {
    let sigma = levels.map { denoiser.nearestSigma(training.sigma($0)) }
    let noisy = combinedRows(images, sigma.map { _ in 1 }, noise, sigma)
    var encoded = denoiser.encode(
      Variable(noisy), sigma: sigma, classLabels: classLabels, augmentLabels: augmentLabels, dropout: dropout)
    features = encoded.features
    output = encoded.denoise()
    (self.images, self.sigma, self.batch) = (images, sigma, batch)
    weight = sigma.map(training.weight)
    let (areImages, areOutputs) = (images.rowsWithoutNaN, output.value.rowsWithoutNaN)
    isCounted = zip(areImages, areOutputs).map { $0 && $1 }
  }
}

/// The loss of a denoiser: weight * (D - y)^2, summed over elements, divided by the batch.
public struct DenoisingLoss: Objective, Sendable {
  /// Factor of the loss.
  public let scale: Float
  /// Whether the elements are counted by noise level, as `LossStatistics` reads them.
  public let countsLevels: Bool

  /// - Parameters:
  ///   - scale: factor of the loss.
  ///   - countsLevels: whether the elements are counted by noise level.
  public init(scale: Float = 1, countsLevels: Bool = false) { (self.scale, self.countsLevels) = (scale, countsLevels) }

  /// The loss and its gradient with respect to the output. An image with numbers that are none takes no part.
  public func callAsFunction(_ pass: DenoisingPass) -> ObjectiveValue {
    let counted = WorkCount.begin(.loss)
    defer { counted?.end() }
    var gradient = Tensor(uninitialized: pass.images.shape)
    let size = pass.images.count / pass.sigma.count
    // The elements' sum and the sum of their squares of each image; nil where it takes no part.
    let ofImages = pass.output.value.withUnsafeBufferPointer { d in
      pass.images.withUnsafeBufferPointer { y in
        gradient.withUnsafeMutableBufferPointer { g in
          let g = g
          return Threads.map(Array(pass.weight.enumerated())) { n, weight -> (sum: Double, squares: Double)? in
            WorkCount.note(floats: 3 * size)
            guard pass.isCounted[n] else {
              for i in n * size..<(n + 1) * size { g[i] = 0 }
              return nil
            }
            let factor = 2 * weight * scale / Float(pass.batch)
            var (ofImage, squares) = (0.0, 0.0)
            for i in n * size..<(n + 1) * size {
              let difference = d[i] - y[i]
              let element = Double(weight * (difference * difference))
              ofImage += element
              squares += element * element
              g[i] = factor * difference
            }
            return (ofImage, squares)
          }
        }
      }
    }
    var sum = 0.0
    var statistics = LossStatistics()
    for case (let sigma, let ofImage?) in zip(pass.sigma, ofImages) {
      sum += ofImage.sum
      statistics.add(elements: size, sum: ofImage.sum, squares: ofImage.squares, sigma: sigma)
    }
    let countedImages = ofImages.count { $0 != nil }
    let value = sum * Double(scale) / Double(pass.batch)
    return ObjectiveValue(
      value: value, countedImages: countedImages, starts: [(pass.output, gradient)], figures: ["denoising": value],
      sums: countsLevels ? statistics.sums : [])
  }
}
