import Compute
import Diagnostics

/// One of the ways from latents to images.
public enum Sampler: Sendable {
  /// One network evaluation.
  case oneStep(OneStepSampler)
  /// EDM's deterministic sampler.
  case heun(HeunSampler)

  /// Network evaluations per image.
  public var evaluations: Int {
    switch self {
    case .oneStep(let sampler): sampler.evaluations
    case .heun(let sampler): sampler.evaluations
    }
  }

  /// What changes the images, by the program's option names.
  public var options: [String: String] {
    switch self {
    case .oneStep(let sampler):
      ["sampler": "one-step", "init-sigma": "\(sampler.initSigma)"]
    case .heun(let sampler):
      [
        "sampler": "heun", "steps": "\(sampler.steps)", "sigma-min": "\(sampler.sigmaMin)",
        "sigma-max": "\(sampler.sigmaMax)", "rho": "\(sampler.rho)",
      ].merging(sampler.churn?.options ?? [:]) { $1 }
    }
  }

  /// Whether it draws noise on the way.
  package var drawsFreshNoise: Bool {
    if case .heun(let sampler) = self { sampler.churn != nil } else { false }
  }

  /// Refuses noise levels that the network does not know.
  /// - Throws: a `Failure` (`usage`).
  public func validate(sigmaRange: ClosedRange<Double>, network: String) throws {
    let (option, isKnown) =
      switch self {
      case .oneStep(let sampler): ("--init-sigma \(sampler.initSigma)", sigmaRange.contains(sampler.initSigma))
      case .heun(let sampler):
        (
          "--sigma-min \(sampler.sigmaMin) --sigma-max \(sampler.sigmaMax)",
          sampler.sigmaMin < sigmaRange.upperBound && sampler.sigmaMax > sigmaRange.lowerBound
        )
      }
    guard isKnown else {
      throw Failure(
        .usage, option, "\(network) knows the noise levels \(sigmaRange.lowerBound) to \(sigmaRange.upperBound)")
    }
  }

  /// The images of some latents.
  /// - Returns: bytes, [N, H, W, C]; nil if the network gives numbers that are not finite.
  public func images(_ denoiser: some Denoiser, _ latents: Latents) -> [UInt8]? { values(denoiser, latents).bytes }

  /// The images of some latents before they become bytes.
  ///
  /// A churned sampler needs latents that kept their generators.
  package func values(_ denoiser: some Denoiser, _ latents: Latents) -> SampledValues {
    switch self {
    case .oneStep(let sampler):
      return .single(sampler(denoiser, latents: latents.noise, classLabels: latents.classLabels))
    case .heun(let sampler):
      var draws = latents.draws
      precondition(sampler.churn == nil || draws.count == latents.noise.shape[0], "no generators for fresh noise")
      return .double(
        sampler(
          denoiser, latents: latents.noise, classLabels: latents.classLabels,
          freshNoise: { Latents.freshNoise(&draws, step: $0, shape: latents.noise.shape) }))
    }
  }
}

/// Images in [-1, 1] as samplers leave them, row-major.
package enum SampledValues: Sendable {
  case single(Tensor)
  case double([Double])

  /// Their bytes; nil if one is not finite.
  package var bytes: [UInt8]? {
    switch self {
    case .single(let tensor): ImageBytes.bytes(tensor)
    case .double(let values): ImageBytes.bytes(values)
    }
  }
}

extension HeunSampler.Churn {
  /// What changes the images, by the program's option names.
  var options: [String: String] {
    [
      "s-churn": "\(amount)", "s-min": "\(range.lowerBound)", "s-max": "\(range.upperBound)", "s-noise": "\(noise)",
    ]
  }
}
