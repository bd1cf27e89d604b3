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
  public package(set) var epsilon: Double
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

  /// Updates the parameters that have a gradient, unless that would take one of them out of the finite.
  ///
  /// Every update is computed without being stored first, so that no copy of weights and moments is needed to undo it.
  /// Gradients that are not finite count as 0 (none) or +-1e5 (infinite); then every element is cut to the limit, if there is
  /// one.
  /// - Returns: the first parameter that would not be finite, or nil. If there is one, nothing has changed.
  @discardableResult
  package mutating func step(
    _ parameters: inout [Tensor], gradients: [Tensor?], learningRate: Double, gradientLimit: Float? = nil
  ) -> Int? {
    var none: [Tensor] = []
    return step(
      &parameters, gradients: gradients, learningRate: learningRate, gradientLimit: gradientLimit, average: &none,
      beta: 0
    ) { _ in false }
  }

  /// The same, and in the same pass average = value + beta * (average - value) for the parameters that `isAveraged`.
  package mutating func step(
    _ parameters: inout [Tensor], gradients: [Tensor?], learningRate: Double, gradientLimit: Float? = nil,
    average: inout [Tensor], beta: Double,
    isAveraged: (Int) -> Bool
  ) -> Int? {
    precondition(
      parameters.count == gradients.count && parameters.count == moments.count,
      "parameters, gradients and moments differ")
    let counted = WorkCount.begin(.optimizer)
    defer { counted?.end() }
    var started: [Int: Moments] = [:]
    var (tried, trials): ([Int], [AdamStep.Trial]) = ([], [])
    for index in parameters.indices {
      guard let gradient = gradients[index] else { continue }
      let state = moments[index] ?? newMoments(gradient.shape)
      if moments[index] == nil { started[index] = state }
      tried.append(index)
      trials.append(
        AdamStep.Trial(
          step: next(state, learningRate, gradientLimit), parameter: parameters[index], gradient: gradient,
          firstMoment: state.first, secondMoment: state.second))
    }
    let broken = AdamStep.firstNotFinite(trials).map { tried[$0] }
    let still = parameters.indices.first { gradients[$0] == nil && !parameters[$0].isFinite }
    if let first = [broken, still].compactMap({ $0 }).min() { return first }
    trials = []
    var updates: [AdamStep.Update] = []
    for index in parameters.indices {
      guard let gradient = gradients[index] else {
        if isAveraged(index) { updateAverage(&average[index], toward: parameters[index], beta: beta) }
        continue
      }
      guard var state = moments[index] ?? started.removeValue(forKey: index) else { continue }
      moments[index] = nil  // so that the tensors have one owner and are updated in place
      let step = next(state, learningRate, gradientLimit)
      state.step = step.step
      var update = step.prepare(
        &parameters[index], gradient: gradient, firstMoment: &state.first, secondMoment: &state.second)
      if isAveraged(index) { update.follow(&average[index], beta: beta) }
      updates.append(update)
      moments[index] = state
    }
    AdamStep.perform(updates)
    return nil
  }

  private func newMoments(_ shape: [Int]) -> Moments {
    Moments(step: 0, first: beta1 == 0 ? nil : Tensor(shape: shape), second: Tensor(shape: shape))
  }

  private func next(_ state: Moments, _ learningRate: Double, _ gradientLimit: Float?) -> AdamStep {
    AdamStep(
      step: state.step + 1, learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon,
      gradientLimit: gradientLimit)
  }
}
