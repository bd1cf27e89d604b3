import Foundation

/// D(x; sigma) = c_skip x + c_out F(c_in x, c_noise): Karras et al. 2022, arXiv 2206.00364, table 1.
///
/// Computed step by step in float32, as the official implementation does: what it rounds decides what the network sees.
enum Preconditioner: Sendable {
  /// EDM's own.
  case edm(sigmaData: Float)
  /// The variance-preserving process (DDPM++).
  case vp(VariancePreserving)
  /// The variance-exploding process (NCSN++).
  case ve
  /// The discrete noise levels of improved DDPM (ADM).
  case iddpm(DiscreteNoiseLevels)

  /// The coefficients of one noise level.
  struct Coefficients {
    let skip: Float, out: Float, input: Float, noise: Float
  }

  /// EDM's names of the classes.
  static let names = ["EDMPrecond", "VPPrecond", "VEPrecond", "iDDPMPrecond"]

  /// - Parameters:
  ///   - c: validated.
  ///   - table: the buffer `u`, for iDDPM.
  init(_ c: NetworkConfiguration, table: [Float]) {
    switch c.precond {
    case "VPPrecond": self = .vp(c.variancePreserving)
    case "VEPrecond": self = .ve
    case "iDDPMPrecond": self = .iddpm(DiscreteNoiseLevels(table: table))
    default: self = .edm(sigmaData: c.sigmaData)
    }
  }

  /// The preconditioner's own entry of the state_dict, which comes before the network's.
  /// - Parameter c: validated.
  static func addBuffer(_ c: NetworkConfiguration, _ builder: ParameterBuilder) -> ParameterIndex? {
    guard c.precond == "iDDPMPrecond" else { return nil }
    let levels = DiscreteNoiseLevels(steps: c.noiseSteps, c1: c.c1, c2: c.c2)
    // One rounding of a sine changes the first levels by a thousandth.
    return builder.addDerivedBuffer(
      "u", [levels.table.count], levels.table, from: "M, C_1 and C_2", relativeTolerance: 1e-2)
  }

  /// The noise levels that a class supports unless the network says otherwise.
  static func standardSigmaRange(_ c: NetworkConfiguration) -> (Double, Double) {
    switch c.precond {
    case "VPPrecond": c.variancePreserving.sigmaRange
    case "VEPrecond": (0.02, 100)
    case "iDDPMPrecond" where stepLimits.contains(c.noiseSteps):
      DiscreteNoiseLevels(steps: c.noiseSteps, c1: c.c1, c2: c.c2).sigmaRange
    default: (0, .infinity)
    }
  }

  /// What is accepted as a number of steps.
  static let stepLimits = 2...100_000

  func callAsFunction(_ sigma: Float) -> Coefficients {
    switch self {
    case .edm(let data):
      let variance = sigma * sigma + data * data
      return Coefficients(
        skip: data * data / variance, out: sigma * data / variance.squareRoot(), input: 1 / variance.squareRoot(),
        noise: Float(log(Double(sigma))) / 4)
    case .vp(let process):
      return Coefficients(
        skip: 1, out: -sigma, input: 1 / (sigma * sigma + 1).squareRoot(),
        noise: Float(process.steps - 1) * process.time(of: sigma))
    case .ve:
      return Coefficients(skip: 1, out: sigma, input: 1, noise: Float(log(Double(sigma * 0.5))))
    case .iddpm(let levels):
      return Coefficients(
        skip: 1, out: -sigma, input: 1 / (sigma * sigma + 1).squareRoot(),
        noise: Float(levels.steps - 1 - levels.index(of: sigma)))
    }
  }

  /// The noise level that the network was trained for nearest to `sigma`; only iDDPM's are a few.
  func roundSigma(_ sigma: Double) -> Double {
    guard case .iddpm(let levels) = self else { return sigma }
    return Double(levels.table[levels.index(of: Float(sigma))])
  }
}

/// The noise levels of the variance-preserving process: sigma(t) = sqrt(exp(beta_d t^2 / 2 + beta_min t) - 1), t in 0...1
/// (Song et al. 2021, arXiv 2011.13456).
public struct VariancePreserving: Sendable, Equatable {
  /// Growth of the noise rate.
  public let betaD: Double
  /// Noise rate at the beginning.
  public let betaMin: Double
  /// Steps of the original time scale.
  public let steps: Int
  /// The first time of training.
  public let firstTime: Double

  /// The published constants, or others.
  public init(betaD: Double = 19.9, betaMin: Double = 0.1, steps: Int = 1000, firstTime: Double = 1e-5) {
    (self.betaD, self.betaMin, self.steps, self.firstTime) = (betaD, betaMin, steps, firstTime)
  }

  /// The noise level at a time.
  public func sigma(at time: Float) -> Float {
    let exponent = Float(0.5 * betaD) * (time * time) + Float(betaMin) * time
    return (Float(exp(Double(exponent))) - 1).squareRoot()
  }

  /// The time of a noise level.
  func time(of sigma: Float) -> Float {
    let logarithm = Float(log(Double(1 + sigma * sigma)))
    return ((Float(betaMin * betaMin) + Float(2 * betaD) * logarithm).squareRoot() - Float(betaMin)) / Float(betaD)
  }

  /// The levels from the first time of training to the end.
  var sigmaRange: (Double, Double) { (Double(sigma(at: Float(firstTime))), Double(sigma(at: 1))) }
}

/// The noise levels of improved DDPM's cosine schedule (Nichol & Dhariwal 2021, arXiv 2102.09672).
struct DiscreteNoiseLevels: Sendable {
  /// u of the official implementation: steps + 1 levels, falling to 0.
  let table: [Float]

  var steps: Int { table.count - 1 }

  init(table: [Float]) { self.table = table }

  /// The schedule of `steps` levels: u[j-1] = sqrt((u[j]^2 + 1) / max(abar(j-1) / abar(j), C_1) - 1) from u[steps] = 0,
  /// with abar(j) = sin^2(pi/2 j / steps / (1 + C_2)).
  init(steps: Int, c1: Double, c2: Double) {
    func alphaBar(_ j: Int) -> Float {
      let sine = Float(sin(Double(Float(0.5 * Double.pi) * Float(j) / Float(steps) / Float(c2 + 1))))
      return sine * sine
    }
    var levels = [Float](repeating: 0, count: steps + 1)
    for j in stride(from: steps, to: 0, by: -1) {
      let ratio = max(alphaBar(j - 1) / alphaBar(j), Float(c1))
      levels[j - 1] = ((levels[j] * levels[j] + 1) / ratio - 1).squareRoot()
    }
    table = levels
  }

  /// The place of the nearest level, by the official search: float32 squared distances |a|^2 - 2 a b + |b|^2, the first
  /// of equal ones. Rounding decides between levels that are about equally near.
  func index(of sigma: Float) -> Int {
    var (nearest, least) = (0, Float.infinity)
    for (index, level) in table.enumerated() {
      let distance = max(-2 * sigma * level + sigma * sigma + level * level, 0)
      if distance < least { (nearest, least) = (index, distance) }
    }
    return nearest
  }

  /// The lowest level that is not 0, and the highest.
  var sigmaRange: (Double, Double) { (Double(table[steps - 1]), Double(table[0])) }
}
