import Autograd
import Compute
import Denoising
import Foundation
import Models
import Training

/// What a discriminator says of images: the mean over the channels of the last activation of the fake score's encoder, one
/// logit for each place of its map (arXiv 2410.14919). It has no parameters of its own.
public struct LogitMap {
  /// The logits, [N, h, w], row after row.
  public let values: [Double]
  /// Images.
  public let images: Int
  private let features: Variable
  private let isClamped: Bool

  /// The size beyond which clamped logits are cut.
  public static let clamp = 10.0

  /// - Parameters:
  ///   - features: the encoder's last activation, [N, h, w, C].
  ///   - isClamped: whether logits are cut to +-10; none of their gradient passes beyond.
  public init(_ features: Variable, isClamped: Bool) {
    let channels = features.shape[3]
    (self.features, self.isClamped, images) = (features, isClamped, features.shape[0])
    values = features.value.withUnsafeBufferPointer { x in
      (0..<x.count / channels).map { place in
        (place * channels..<(place + 1) * channels).reduce(0.0) { $0 + Double(x[$1]) } / Double(channels)
      }
    }
  }

  /// The places of an image's map.
  public var places: Int { values.count / max(images, 1) }

  /// Which images have no logit that is none.
  public var isNumber: [Bool] {
    (0..<images).map { n in !values[n * places..<(n + 1) * places].contains(where: \.isNaN) }
  }

  /// The cross-entropies of each image's logits with a target, averaged over its map.
  /// - Parameter isReal: the target: real images or generated ones.
  public func crossEntropy(isReal: Bool) -> [Double] {
    (0..<images).map { n in
      values[n * places..<(n + 1) * places].reduce(0.0) { $0 + softplus(isReal ? -clamped($1) : clamped($1)) }
        / Double(places)
    }
  }

  /// Where the tape starts for a sum of these cross-entropies.
  /// - Parameters:
  ///   - weights: the weight of each image's.
  ///   - isReal: the target.
  public func start(_ weights: [Double], isReal: Bool) -> (output: Variable, gradient: Tensor) {
    var gradient = Tensor(shape: features.shape)
    let channels = features.shape[3]
    gradient.withUnsafeMutableBufferPointer { g in
      for (place, logit) in values.enumerated() where weights[place / places] != 0 {
        // What is no number stays none: the image's gradient has no meaning.
        if isClamped, abs(logit) > Self.clamp { continue }
        let slope = isReal ? -1 / (1 + exp(logit)) : 1 / (1 + exp(-logit))
        let value = Float(weights[place / places] * slope / Double(places * channels))
        for channel in place * channels..<(place + 1) * channels { g[channel] = value }
      }
    }
    return (features, gradient)
  }

  private func clamped(_ logit: Double) -> Double {
    isClamped && abs(logit) > Self.clamp ? (logit < 0 ? -Self.clamp : Self.clamp) : logit
  }
}

/// log(1 + e^x).
private func softplus(_ x: Double) -> Double { x.isNaN ? x : max(x, 0) + log1p(exp(-abs(x))) }

/// What a fake score makes of generated images with noise, and its encoder of real ones with the same noise.
public struct AdversarialPass {
  /// The generated images; those of which a real one's numbers are none are left out, too.
  public private(set) var denoising: DenoisingPass
  /// The logits of the generated images.
  public let fake: LogitMap
  /// The logits of the real images.
  public let real: LogitMap

  /// Runs the encoder on the real images.
  /// - Parameters:
  ///   - denoising: the pass of the generated images.
  ///   - fakeScore: the same network on the same tape.
  ///   - real: real images, [N, H, W, C]; an augmentation has been done.
  ///   - draws: noise, class labels and, for real images, dropout of the micro-batch.
  ///   - augmentLabels: what was done to the real images, [N, augmentDim].
  ///   - group: whether logits are clamped follows from it.
  public init(
    _ denoising: DenoisingPass, _ fakeScore: BoundNetwork, real: Tensor, draws: StepDraws, augmentLabels: Tensor?,
    group: AdversarialSettings.Group
  ) {
    let noisy = combinedRows(real, denoising.sigma.map { _ in 1 }, draws.noise, denoising.sigma)
    let encoded = fakeScore.encode(
      Variable(noisy), sigma: denoising.sigma, classLabels: draws.classLabels, augmentLabels: augmentLabels,
      dropout: draws.real.dropout)
    let isClamped = group == .image
    fake = LogitMap(denoising.features, isClamped: isClamped)
    self.real = LogitMap(encoded.features, isClamped: isClamped)
    self.denoising = denoising
    let (isFake, isReal) = (fake.isNumber, self.real.isNumber)
    self.denoising.isCounted = denoising.isCounted.indices.map { denoising.isCounted[$0] && isFake[$0] && isReal[$0] }
  }
}

/// The loss of the discriminator inside the fake score: the cross-entropies of generated and real images, halved.
///
/// Of a micro-batch: the sum of the denoising weights times the mean cross-entropies, by the batch. Of an image: the number
/// of its values times its own cross-entropies, by the batch.
public struct DiscriminatorLoss: Objective, Sendable {
  /// Factor of the loss.
  public let scale: Float
  /// The images over which a cross-entropy is averaged.
  public let group: AdversarialSettings.Group

  /// - Parameters:
  ///   - scale: factor of the loss.
  ///   - group: the images over which a cross-entropy is averaged.
  public init(scale: Float, group: AdversarialSettings.Group) { (self.scale, self.group) = (scale, group) }

  /// The loss and its gradients. An image with numbers that are none takes no part.
  public func callAsFunction(_ pass: AdversarialPass) -> ObjectiveValue {
    let isCounted = pass.denoising.isCounted
    let counted = isCounted.count { $0 }
    let factor = Double(scale) / Double(pass.denoising.batch) / 2
    let each: Double =
      switch group {
      case .microbatch:
        zip(pass.denoising.weight, isCounted).reduce(0.0) { $0 + ($1.1 ? Double($1.0) : 0) } / Double(max(counted, 1))
      case .image: Double(pass.denoising.images.count / isCounted.count)
      }
    let weights = isCounted.map { $0 ? factor * each : 0 }
    func mean(_ map: LogitMap, isReal: Bool) -> Double {
      zip(map.crossEntropy(isReal: isReal), isCounted).reduce(0.0) { $0 + ($1.1 ? $1.0 : 0) } / Double(max(counted, 1))
    }
    let (real, fake) = (mean(pass.real, isReal: true), mean(pass.fake, isReal: false))
    let value = factor * each * Double(counted) * (real + fake)
    return ObjectiveValue(
      value: value, countedImages: counted,
      starts: [pass.fake.start(weights, isReal: false), pass.real.start(weights, isReal: true)],
      figures: ["discriminator": value, "b_real": real, "b_fake": fake])
  }
}

/// The loss of a fake score with a discriminator inside: both losses over one backward pass.
public struct AdversarialDenoisingLoss: Objective, Sendable {
  /// The loss of the denoised images.
  public let denoising: DenoisingLoss
  /// The loss of the logits.
  public let discriminator: DiscriminatorLoss

  /// - Parameters:
  ///   - denoising: the loss of the denoised images.
  ///   - discriminator: the loss of the logits.
  public init(_ denoising: DenoisingLoss, _ discriminator: DiscriminatorLoss) {
    (self.denoising, self.discriminator) = (denoising, discriminator)
  }

  /// The sum of both.
  public func callAsFunction(_ pass: AdversarialPass) -> ObjectiveValue {
    denoising(pass.denoising) + discriminator(pass)
  }
}

/// The adversarial loss of the generator: the cross-entropies of its images with the target of real ones, logits clamped,
/// times an image's number of values and the sum of 1 / w of `GeneratorLoss`, by the batch.
///
/// Of an image: each cross-entropy with the image's own 1 / w.
public struct AdversarialLoss: Objective, Sendable {
  /// Factor of the loss.
  public let scale: Float
  /// The images over which a cross-entropy is averaged.
  public let group: AdversarialSettings.Group

  /// - Parameters:
  ///   - scale: factor of the loss.
  ///   - group: the images over which a cross-entropy is averaged.
  public init(scale: Float, group: AdversarialSettings.Group) { (self.scale, self.group) = (scale, group) }

  /// The loss and its gradients.
  ///
  /// An image with numbers that are none takes no part in the value. Its gradient is none, so that it cancels the step, as
  /// in the official trainer.
  public func callAsFunction(_ pass: GeneratorPass) -> ObjectiveValue {
    let logits = LogitMap(pass.features, isClamped: true)
    let (isNumber, isCounted) = (logits.isNumber, pass.isCounted)
    let counted = isNumber.count { $0 }
    let factor = Double(scale) / Double(pass.batch) * Double(pass.images.value.count / logits.images)
    let inverses = zip(pass.weight, isCounted).map { $1 ? 1 / Double($0) : 0 }
    let weights: [Double] =
      switch group {
      case .microbatch:
        Array(repeating: factor * inverses.reduce(0, +) / Double(logits.images), count: logits.images)
      case .image: zip(inverses, isNumber).map { $1 ? factor * $0 : factor }
      }
    let entropies = zip(logits.crossEntropy(isReal: true), isNumber).map { $1 ? $0 : 0 }
    let value = zip(weights, entropies).reduce(0) { $0 + $1.0 * $1.1 }
    return ObjectiveValue(
      value: value, countedImages: zip(isNumber, isCounted).count { $0 && $1 },
      starts: [logits.start(weights, isReal: true)],
      figures: ["adversarial": value, "b_gen": entropies.reduce(0, +) / Double(max(counted, 1))])
  }
}
