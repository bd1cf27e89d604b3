import Kernels

/// One Adam step in place (Kingma & Ba 2015, arXiv 1412.6980), bias-corrected, without weight decay.
///
/// Gradients that are not finite are replaced first: what is no number by 0, infinities by +-1e5.
/// - Parameters:
///   - firstMoment: nil for beta1 = 0, where it equals the gradient.
///   - step: the number of this step, from 1.
public func adamStep(
  _ parameter: inout Tensor, gradient: Tensor, firstMoment: inout Tensor?, secondMoment: inout Tensor, step: Int,
  learningRate: Double, beta1: Double, beta2: Double, epsilon: Double
) {
  precondition(
    parameter.count == gradient.count && secondMoment.count == gradient.count, "moments of \(parameter.shape)")
  precondition(beta1 == 0 || firstMoment?.count == gradient.count, "beta1 \(beta1) needs a first moment")
  let stepSize = learningRate / (1 - power(beta1, step))
  let rootCorrection = 1 / (1 - power(beta2, step)).squareRoot()
  let count = parameter.count
  let value = parameter.uniquePointer()
  let second = secondMoment.uniquePointer()
  let first = beta1 == 0 ? nil : firstMoment?.uniquePointer()
  forEachRange(count, grain: 1 << 15) { range in
    let i = range.lowerBound
    OptimizerKernel.adam(
      range.count, parameter: value.pointer + i, gradient: gradient.pointer + i,
      firstMoment: first.map { $0.pointer + i },
      secondMoment: second.pointer + i, beta1: beta1, beta2: beta2, stepSize: stepSize, rootCorrection: rootCorrection,
      epsilon: epsilon)
  }
}

/// In place: average = value + beta * (average - value).
public func updateAverage(_ average: inout Tensor, toward value: Tensor, beta: Double) {
  precondition(average.shape == value.shape, "average \(average.shape) of \(value.shape)")
  let count = average.count
  let target = average.uniquePointer()
  forEachRange(count, grain: 1 << 15) { range in
    OptimizerKernel.average(
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
