import Compute
import Models

/// What a sampler needs of a network: D(x; sigma, class).
public protocol Denoiser: Sendable {
  /// Height, width and channels of an image.
  var imageShape: [Int] { get }
  /// Number of classes; 0 for an unconditional network.
  var labelDim: Int { get }
  /// The noise levels that the network was made for.
  var sigmaRange: ClosedRange<Double> { get }

  /// The denoised images.
  /// - Parameters:
  ///   - x: noisy images, [N, H, W, C].
  ///   - sigma: the noise level of each image, or one for all.
  ///   - classLabels: [N, labelDim], one-hot; nil for an unconditional network.
  /// - Returns: [N, H, W, C].
  func denoise(_ x: Tensor, sigma: [Float], classLabels: Tensor?) -> Tensor

  /// The noise level nearest to `sigma` that the network was trained for.
  func roundSigma(_ sigma: Double) -> Double
}

extension Network: Denoiser {
  /// Number of classes.
  public var labelDim: Int { configuration.labelDim }

  /// The noise levels of the preconditioner.
  public var sigmaRange: ClosedRange<Double> { configuration.sigmaRange }

  /// The denoised images, augmentation labels left out.
  public func denoise(_ x: Tensor, sigma: [Float], classLabels: Tensor?) -> Tensor {
    denoise(x, sigma: sigma, classLabels: classLabels, augmentLabels: nil)
  }
}
