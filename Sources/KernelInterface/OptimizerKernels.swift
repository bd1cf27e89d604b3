/// One pass over a parameter for the optimizer's and the average's updates.
public protocol OptimizerKernels: SendableMetatype {
  /// Updates parameter and moments, and an average of the parameter if there is one, in place.
  ///
  /// Gradients that are not finite are replaced first: none by 0, infinities by +-1e5; then all are brought within the limit.
  /// - Parameters:
  ///   - firstMoment: nil for beta1 = 0, where the first moment is the gradient itself.
  ///   - average: becomes value + beta * (average - value), of the new value.
  static func adam(
    _ adam: AdamCoefficients, _ count: Int, parameter: Target, gradient: Source, firstMoment: Target?,
    secondMoment: Target, average: (target: Target, beta: Float)?)

  /// Whether `adam` would leave every element of the parameter finite. Changes nothing.
  static func staysFinite(
    _ adam: AdamCoefficients, _ count: Int, parameter: Source, gradient: Source, firstMoment: Source?,
    secondMoment: Source
  ) -> Bool

  /// In place: average = value + beta * (average - value).
  static func average(_ count: Int, _ average: Target, value: Source, beta: Float)
}

/// Adam (Kingma & Ba 2015, arXiv 1412.6980) with bias correction, without weight decay, as one step does it.
public struct AdamCoefficients: Sendable {
  /// beta1 and 1 - beta1.
  public let beta1: Float, rest1: Float
  /// beta2 and 1 - beta2.
  public let beta2: Float, rest2: Float
  /// What the quotient of the moments is multiplied by before it is added.
  public let step: Float
  /// What the root of the second moment is multiplied by, and what is added to that.
  public let rootCorrection: Float, epsilon: Float
  /// The largest size of an element of the gradient; larger ones are cut to it.
  public let gradientLimit: Float

  /// - Parameters:
  ///   - stepSize: learning rate / (1 - beta1^k).
  ///   - rootCorrection: 1 / sqrt(1 - beta2^k).
  ///   - gradientLimit: the largest size of an element of the gradient.
  public init(
    beta1: Double, beta2: Double, stepSize: Double, rootCorrection: Double, epsilon: Double,
    gradientLimit: Float = .infinity
  ) {
    // 1 - beta is taken in double precision: in float32, 1 - 0.999 is off by more than a part in 10^5.
    (self.beta1, rest1) = (Float(beta1), Float(1 - beta1))
    (self.beta2, rest2) = (Float(beta2), Float(1 - beta2))
    (step, self.rootCorrection, self.epsilon) = (Float(-stepSize), Float(rootCorrection), Float(epsilon))
    self.gradientLimit = gradientLimit
  }
}
