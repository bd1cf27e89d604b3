import Compute

/// Adam over the parameters of one network (Kingma & Ba 2015, arXiv 1412.6980), without weight decay.
///
/// Parameters that never had a gradient are left alone and have no state.
public struct Adam: Sendable {
  /// Decay of the first moment; with 0 none is kept.
  public let beta1: Double
  /// Decay of the second moment.
  public let beta2: Double
  /// Added to the root of the second moment.
  public let epsilon: Double
  /// State of each parameter; nil before its first step.
  package var moments: [Moments?]

  /// What Adam knows of one parameter.
  package struct Moments: Sendable {
    package var step: Int
    package var first: Tensor?
    package var second: Tensor

    package init(step: Int, first: Tensor?, second: Tensor) {
      (self.step, self.first, self.second) = (step, first, second)
    }
  }

  /// - Parameter count: how many parameters the network has.
  public init(count: Int, beta1: Double, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
    moments = Array(repeating: nil, count: count)
  }

  /// Updates the parameters that have a gradient. Gradients that are not finite count as 0 (none) or +-1e5 (infinite).
  package mutating func step(_ parameters: inout [Tensor], gradients: [Tensor?], learningRate: Double) {
    precondition(
      parameters.count == gradients.count && parameters.count == moments.count,
      "parameters, gradients and moments differ")
    for index in parameters.indices {
      guard let gradient = gradients[index] else { continue }
      var state =
        moments[index]
        ?? Moments(
          step: 0, first: beta1 == 0 ? nil : Tensor(shape: gradient.shape), second: Tensor(shape: gradient.shape))
      moments[index] = nil  // so that the tensors have one owner and are updated in place
      state.step += 1
      adamStep(
        &parameters[index], gradient: gradient, firstMoment: &state.first, secondMoment: &state.second,
        step: state.step,
        learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon)
      moments[index] = state
    }
  }
}
