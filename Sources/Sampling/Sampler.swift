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
      ]
    }
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
  public func images(_ denoiser: some Denoiser, _ latents: Latents) -> [UInt8]? {
    switch self {
    case .oneStep(let sampler):
      ImageBytes.bytes(sampler(denoiser, latents: latents.noise, classLabels: latents.classLabels))
    case .heun(let sampler):
      ImageBytes.bytes(sampler(denoiser, latents: latents.noise, classLabels: latents.classLabels))
    }
  }
}
