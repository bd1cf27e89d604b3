import Compute
import Foundation

/// EDM's sampler: Heun's second-order steps down a schedule of noise levels (Karras et al., arXiv 2206.00364,
/// Algorithm 2). Deterministic unless churned.
///
/// The state is float64, the network float32, as in the official one.
public struct HeunSampler: Sendable {
  /// Noise levels; the network is evaluated 2 steps - 1 times.
  public var steps: Int
  /// Lowest noise level of the schedule, cut to the network's range.
  public var sigmaMin: Double
  /// Highest noise level of the schedule, cut to the network's range.
  public var sigmaMax: Double
  /// Exponent of the schedule: larger puts more steps at low noise.
  public var rho: Double
  /// Fresh noise along the way, or nil.
  public var churn: Churn?

  /// How much fresh noise is added before each step.
  public struct Churn: Sendable {
    /// Overall amount, S_churn.
    public var amount: Double
    /// Noise levels at which noise is added, S_min...S_max.
    public var range: ClosedRange<Double>
    /// Standard deviation of the fresh noise, S_noise.
    public var noise: Double

    /// - Parameters:
    ///   - amount: S_churn.
    ///   - range: S_min...S_max.
    ///   - noise: S_noise.
    public init(amount: Double, range: ClosedRange<Double> = 0...Double.infinity, noise: Double = 1) {
      self.amount = amount
      self.range = range
      self.noise = noise
    }
  }

  /// - Parameters:
  ///   - steps: noise levels, at least 2.
  ///   - sigmaMin: lowest noise level.
  ///   - sigmaMax: highest noise level.
  ///   - rho: exponent of the schedule.
  ///   - churn: fresh noise along the way, or nil.
  public init(
    steps: Int = 18, sigmaMin: Double = 0.002, sigmaMax: Double = 80, rho: Double = 7, churn: Churn? = nil
  ) {
    precondition(steps >= 2, "\(steps) steps; at least 2 are needed")
    self.steps = steps
    self.sigmaMin = sigmaMin
    self.sigmaMax = sigmaMax
    self.rho = rho
    self.churn = churn
  }

  /// Network evaluations per image.
  public var evaluations: Int { 2 * steps - 1 }

  /// The noise levels t_0 > ... > t_(steps-1), without the final 0, rounded to those the network knows.
  public func schedule(for denoiser: some Denoiser) -> [Double] {
    let high = pow(min(sigmaMax, denoiser.sigmaRange.upperBound), 1 / rho)
    let low = pow(max(sigmaMin, denoiser.sigmaRange.lowerBound), 1 / rho)
    return (0..<steps).map { denoiser.roundSigma(pow(high + Double($0) / Double(steps - 1) * (low - high), rho)) }
  }

  /// - Parameters:
  ///   - denoiser: the teacher.
  ///   - latents: standard normals, [N, H, W, C].
  ///   - classLabels: [N, labelDim], one-hot, or nil.
  ///   - freshNoise: standard normals in the order of the latents for a step; asked once per step if there is churn.
  ///   - observe: is shown the state that each step starts from.
  /// - Returns: images in [-1, 1], row-major in the latents' shape.
  public func callAsFunction(
    _ denoiser: some Denoiser, latents: Tensor, classLabels: Tensor?,
    freshNoise: (_ step: Int) -> [Double]? = { _ in nil },
    observe: (_ step: Int, _ state: [Double]) -> Void = { _, _ in }
  ) -> [Double] {
    let levels = schedule(for: denoiser) + [0]
    var x = latents.values.map { Double($0) * levels[0] }
    for step in 0..<steps {
      var sigma = levels[step]
      let next = levels[step + 1]
      if let churn, let noise = freshNoise(step) {
        let isInRange = churn.range.contains(sigma)
        let gamma = isInRange ? min(churn.amount / Double(steps), 2.0.squareRoot() - 1) : 0
        let raised = denoiser.roundSigma(sigma + gamma * sigma)
        let scale = max(raised * raised - sigma * sigma, 0).squareRoot() * churn.noise
        for i in x.indices { x[i] += scale * noise[i] }
        sigma = raised
      }
      observe(step, x)
      let slope = slope(denoiser, x, sigma, classLabels, shape: latents.shape)
      var moved = x
      for i in x.indices { moved[i] += (next - sigma) * slope[i] }
      if step < steps - 1 {
        let corrected = self.slope(denoiser, moved, next, classLabels, shape: latents.shape)
        for i in x.indices { moved[i] = x[i] + (next - sigma) * (0.5 * slope[i] + 0.5 * corrected[i]) }
      }
      x = moved
    }
    return x
  }

  /// dx/dsigma = (x - D(x; sigma)) / sigma.
  private func slope(
    _ denoiser: some Denoiser, _ x: [Double], _ sigma: Double, _ classLabels: Tensor?, shape: [Int]
  ) -> [Double] {
    let denoised = denoiser.denoise(
      Tensor(x.map { Float($0) }, shape: shape), sigma: [Float(sigma)], classLabels: classLabels)
    return denoised.withUnsafeBufferPointer { denoised in
      x.indices.map { (x[$0] - Double(denoised[$0])) / sigma }
    }
  }
}
