import Compute

/// Images by one network evaluation: x = D(sigma z; sigma, class) (SiD, arXiv 2404.04057).
public struct OneStepSampler: Sendable {
  /// Standard deviation of the generator's input.
  public let initSigma: Double

  /// - Parameter initSigma: standard deviation of the generator's input.
  public init(initSigma: Double = 2.5) { self.initSigma = initSigma }

  /// Network evaluations per image.
  public var evaluations: Int { 1 }

  /// - Parameters:
  ///   - denoiser: the generator.
  ///   - latents: standard normals, [N, H, W, C].
  ///   - classLabels: [N, labelDim], one-hot, or nil.
  /// - Returns: images in [-1, 1], [N, H, W, C].
  public func callAsFunction(_ denoiser: some Denoiser, latents: Tensor, classLabels: Tensor?) -> Tensor {
    let sigma = Float(initSigma)
    return denoiser.denoise(scaled(latents, by: sigma), sigma: [sigma], classLabels: classLabels)
  }
}
