import KernelInterface
import Synchronization

/// One step of Adam (Kingma & Ba 2015, arXiv 1412.6980), bias-corrected, without weight decay.
///
/// Gradients that are not finite are replaced first: what is no number by 0, infinities by +-1e5. Then every element is cut to
/// the limit, if there is one.
public struct AdamStep: Sendable {
  /// The number of the step, from 1.
  public let step: Int
  private let beta1: Double, beta2: Double, learningRate: Double, epsilon: Double
  private let gradientLimit: Float?

  /// - Parameters:
  ///   - step: from 1.
  ///   - gradientLimit: the largest size of an element of the gradient; nil for none.
  public init(
    step: Int, learningRate: Double, beta1: Double, beta2: Double, epsilon: Double, gradientLimit: Float? = nil
  ) {
    precondition(step > 0, "step \(step) of Adam")
    (self.step, self.learningRate, self.gradientLimit) = (step, learningRate, gradientLimit)
    (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
  }

  private var kernel: AdamCoefficients {
    AdamCoefficients(
      beta1: beta1, beta2: beta2, stepSize: learningRate / (1 - power(beta1, step)),
      rootCorrection: 1 / (1 - power(beta2, step)).squareRoot(), epsilon: epsilon,
      gradientLimit: gradientLimit ?? .infinity)
  }

  /// Updates a parameter and its moments in place, in one pass.
  /// - Parameters:
  ///   - firstMoment: nil for beta1 = 0, where it equals the gradient.
  public func callAsFunction(
    _ parameter: inout Tensor, gradient: Tensor, firstMoment: inout Tensor?, secondMoment: inout Tensor
  ) {
    check(parameter, gradient, firstMoment, secondMoment)
    update(&parameter, gradient, &firstMoment, &secondMoment, average: nil)
  }

  /// The same, and in the same pass average = value + beta * (average - value) of the new value.
  public func callAsFunction(
    _ parameter: inout Tensor, gradient: Tensor, firstMoment: inout Tensor?, secondMoment: inout Tensor,
    average: inout Tensor, beta: Double
  ) {
    check(parameter, gradient, firstMoment, secondMoment)
    precondition(average.count == parameter.count, "average \(average.shape) of \(parameter.shape)")
    update(&parameter, gradient, &firstMoment, &secondMoment, average: (average.uniquePointer(), Float(beta)))
  }

  /// Whether the step would leave every element of the parameter a finite number. Changes nothing.
  /// - Parameters:
  ///   - firstMoment: nil for beta1 = 0.
  public func staysFinite(_ parameter: Tensor, gradient: Tensor, firstMoment: Tensor?, secondMoment: Tensor) -> Bool {
    check(parameter, gradient, firstMoment, secondMoment)
    let kernel = kernel
    let first = beta1 == 0 ? nil : firstMoment
    let isBroken = Atomic<Bool>(false)
    forEachRange(parameter.count, grain: 1 << 15) { range in
      let i = range.lowerBound
      let isFinite = kernels.optimizer.staysFinite(
        kernel, range.count, parameter: parameter.pointer + i, gradient: gradient.pointer + i,
        firstMoment: first.map { $0.pointer + i }, secondMoment: secondMoment.pointer + i)
      if !isFinite { isBroken.store(true, ordering: .relaxed) }
    }
    return !isBroken.load(ordering: .relaxed)
  }

  private func check(_ parameter: Tensor, _ gradient: Tensor, _ firstMoment: Tensor?, _ secondMoment: Tensor) {
    precondition(
      parameter.count == gradient.count && secondMoment.count == gradient.count, "moments of \(parameter.shape)")
    precondition(beta1 == 0 || firstMoment?.count == gradient.count, "beta1 \(beta1) needs a first moment")
  }

  private func update(
    _ parameter: inout Tensor, _ gradient: Tensor, _ firstMoment: inout Tensor?, _ secondMoment: inout Tensor,
    average: (address: UnsafeAddress, beta: Float)?
  ) {
    let kernel = kernel
    let count = parameter.count
    let value = parameter.uniquePointer()
    let second = secondMoment.uniquePointer()
    let first = beta1 == 0 ? nil : firstMoment?.uniquePointer()
    forEachRange(count, grain: 1 << 15) { range in
      let i = range.lowerBound
      kernels.optimizer.adam(
        kernel, range.count, parameter: value.pointer + i, gradient: gradient.pointer + i,
        firstMoment: first.map { $0.pointer + i }, secondMoment: second.pointer + i,
        average: average.map { ($0.address.pointer + i, $0.beta) })
    }
  }
}

/// In place: average = value + beta * (average - value).
public func updateAverage(_ average: inout Tensor, toward value: Tensor, beta: Double) {
  precondition(average.shape == value.shape, "average \(average.shape) of \(value.shape)")
  let count = average.count
  let target = average.uniquePointer()
  forEachRange(count, grain: 1 << 15) { range in
    kernels.optimizer.average(
      range.count, target.pointer + range.lowerBound, value: value.pointer + range.lowerBound, beta: Float(beta))
  }
}

extension Tensor {
  /// The address of the elements after making them this tensor's own.
  mutating func uniquePointer() -> UnsafeAddress {
    withUnsafeMutableBufferPointer { UnsafeAddress($0.baseAddress.unsafelyUnwrapped) }
  }
}

/// base^exponent by repeated squaring, the same on every system.
func power(_ base: Double, _ exponent: Int) -> Double {
  var (result, factor, rest) = (1.0, base, exponent)
  while rest > 0 {
    if rest & 1 == 1 { result *= factor }
    factor *= factor
    rest >>= 1
  }
  return result
}
