import Compute
import Sampling

/// A network whose images are a simple function of latents and class.
public struct AnalyticDenoiser: Denoiser {
  /// [H, W, C].
  public var imageShape = [4, 6, 3]
  /// Classes.
  public var labelDim = 5
  /// What a latent is multiplied with.
  public var scale: Float = 0.2
  /// All noise levels.
  public let sigmaRange = 0.0...Double.infinity

  /// - Parameters:
  ///   - imageShape: [H, W, C].
  ///   - labelDim: classes.
  ///   - scale: what a latent is multiplied with.
  public init(imageShape: [Int] = [4, 6, 3], labelDim: Int = 5, scale: Float = 0.2) {
    (self.imageShape, self.labelDim, self.scale) = (imageShape, labelDim, scale)
  }

  /// Any level is known.
  public func roundSigma(_ sigma: Double) -> Double { sigma }

  /// The input times `scale`, plus 0.05 for each class below an image's own.
  public func denoise(_ x: Tensor, sigma: [Float], classLabels: Tensor?) -> Tensor {
    var y = x
    let size = imageShape.reduce(1, *)
    let labels = classLabels?.values ?? []
    y.withUnsafeMutableBufferPointer { values in
      for index in values.indices {
        let row = index / size
        let label = (0..<labelDim).first { !labels.isEmpty && labels[row * labelDim + $0] == 1 } ?? 0
        values[index] = values[index] * scale + Float(label) * 0.05
      }
    }
    return y
  }
}
