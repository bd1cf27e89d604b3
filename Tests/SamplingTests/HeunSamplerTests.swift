import Compute
import Foundation
import Sampling
import Testing

/// The denoiser of images that are independent normals of standard deviation 0.5: D(x; s) = x / (1 + 4 s^2).
private struct GaussianDenoiser: Denoiser {
  let imageShape = [2, 2, 1]
  let labelDim = 0
  var sigmaRange = 0.0...Double.infinity

  func roundSigma(_ sigma: Double) -> Double { sigma }

  func denoise(_ x: Tensor, sigma: [Float], classLabels: Tensor?) -> Tensor {
    Tensor(x.values.map { $0 / (1 + 4 * sigma[0] * sigma[0]) }, shape: x.shape)
  }
}

@Suite("Heun's sampler")
struct HeunSamplerTests {
  let latents = Tensor([0.3, -1.1, 0.7, 2], shape: [1, 2, 2, 1])

  /// The exact solution of the same equation from the first noise level.
  private func error(steps: Int) -> Double {
    let sampler = HeunSampler(steps: steps)
    let images = sampler(GaussianDenoiser(), latents: latents, classLabels: nil)
    let shrink = 0.5 / (0.25 + 80.0 * 80).squareRoot()
    return zip(images, latents.values).map { abs($0 - Double($1) * 80 * shrink) }.max() ?? 0
  }

  @Test("Normals come out with their standard deviation, and the error falls with the square of the step")
  func order() {
    #expect(error(steps: 128) < 2e-3)
    let ratio = error(steps: 32) / error(steps: 64)
    #expect(ratio > 3 && ratio < 5.5, "ratio \(ratio)")
  }

  @Test("The schedule keeps to the noise levels of the network")
  func schedule() {
    let levels = HeunSampler(steps: 5).schedule(for: GaussianDenoiser(sigmaRange: 0.1...10))
    #expect(abs(levels[0] - 10) < 1e-12 && abs(levels[4] - 0.1) < 1e-12)
    #expect(zip(levels, levels.dropFirst()).allSatisfy { $0 > $1 })
    #expect(HeunSampler(steps: 18).evaluations == 35)
  }
}
