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
    Self.perform([prepare(&parameter, gradient: gradient, firstMoment: &firstMoment, secondMoment: &secondMoment)])
  }

  /// The same, and in the same pass average = value + beta * (average - value) of the new value.
  public func callAsFunction(
    _ parameter: inout Tensor, gradient: Tensor, firstMoment: inout Tensor?, secondMoment: inout Tensor,
    average: inout Tensor, beta: Double
  ) {
    var update = prepare(&parameter, gradient: gradient, firstMoment: &firstMoment, secondMoment: &secondMoment)
    update.follow(&average, beta: beta)
    Self.perform([update])
  }

  /// Whether the step would leave every element of the parameter a finite number. Changes nothing.
  /// - Parameters:
  ///   - firstMoment: nil for beta1 = 0.
  public func staysFinite(_ parameter: Tensor, gradient: Tensor, firstMoment: Tensor?, secondMoment: Tensor) -> Bool {
    Self.firstNotFinite([
      Trial(step: self, parameter: parameter, gradient: gradient, firstMoment: firstMoment, secondMoment: secondMoment)
    ]) == nil
  }

  private func check(_ parameter: Tensor, _ gradient: Tensor, _ firstMoment: Tensor?, _ secondMoment: Tensor) {
    precondition(
      parameter.count == gradient.count && secondMoment.count == gradient.count, "moments of \(parameter.shape)")
    precondition(beta1 == 0 || firstMoment?.count == gradient.count, "beta1 \(beta1) needs a first moment")
  }

  /// A parameter whose update is computed without being stored.
  package struct Trial {
    fileprivate let step: AdamStep
    fileprivate let parameter: Tensor, gradient: Tensor, firstMoment: Tensor?, secondMoment: Tensor

    /// - Parameter firstMoment: nil for beta1 = 0.
    package init(step: AdamStep, parameter: Tensor, gradient: Tensor, firstMoment: Tensor?, secondMoment: Tensor) {
      step.check(parameter, gradient, firstMoment, secondMoment)
      (self.step, self.parameter, self.gradient) = (step, parameter, gradient)
      (self.firstMoment, self.secondMoment) = (step.beta1 == 0 ? nil : firstMoment, secondMoment)
    }
  }

  /// The first of some parameters whose step would not leave every element a finite number, or nil. Changes nothing.
  package static func firstNotFinite(_ trials: [Trial]) -> Int? {
    let first = Atomic<Int>(.max)
    let coefficients = trials.map(\.step.kernel)
    forEachPiece(trials.map(\.parameter.count)) { index, range in
      let (trial, i) = (trials[index], range.lowerBound)
      let isFinite = kernels.optimizer.staysFinite(
        coefficients[index], range.count, parameter: trial.parameter.pointer + i, gradient: trial.gradient.pointer + i,
        firstMoment: trial.firstMoment.map { $0.pointer + i }, secondMoment: trial.secondMoment.pointer + i)
      if !isFinite { first.min(index, ordering: .relaxed) }
    }
    let found = first.load(ordering: .relaxed)
    return found == .max ? nil : found
  }

  /// A parameter and its moments, ready to be updated in place. Valid until one of their tensors is copied, changed or freed.
  package struct Update {
    fileprivate let step: AdamStep
    fileprivate let count: Int
    fileprivate let parameter: UnsafeAddress, gradient: Tensor, firstMoment: UnsafeAddress?, secondMoment: UnsafeAddress
    fileprivate var average: (address: UnsafeAddress, beta: Float)?

    /// In the same pass, average = value + beta * (average - value) of the new value.
    package mutating func follow(_ average: inout Tensor, beta: Double) {
      precondition(average.count == count, "average \(average.shape) of \(count) elements")
      self.average = (average.uniquePointer(), Float(beta))
    }
  }

  /// Makes the tensors their owner's own.
  package func prepare(
    _ parameter: inout Tensor, gradient: Tensor, firstMoment: inout Tensor?, secondMoment: inout Tensor
  ) -> Update {
    check(parameter, gradient, firstMoment, secondMoment)
    return Update(
      step: self, count: parameter.count, parameter: parameter.uniquePointer(), gradient: gradient,
      firstMoment: beta1 == 0 ? nil : firstMoment?.uniquePointer(), secondMoment: secondMoment.uniquePointer())
  }

  /// Updates parameters and moments in place, all in one pass.
  package static func perform(_ updates: [Update]) {
    let coefficients = updates.map(\.step.kernel)
    forEachPiece(updates.map(\.count)) { index, range in
      let (update, i) = (updates[index], range.lowerBound)
      kernels.optimizer.adam(
        coefficients[index], range.count, parameter: update.parameter.pointer + i,
        gradient: update.gradient.pointer + i, firstMoment: update.firstMoment.map { $0.pointer + i },
        secondMoment: update.secondMoment.pointer + i,
        average: update.average.map { ($0.address.pointer + i, $0.beta) })
    }
  }

  /// Cuts several tensors, as if they lay one behind the other, into tasks of about the same size.
  private static func forEachPiece(_ counts: [Int], _ body: (_ index: Int, Range<Int>) -> Void) {
    // In cache lines: each tensor begins at a whole one.
    let line = 16
    var ends: [Int] = []
    for count in counts { ends.append((ends.last ?? 0) + (count + line - 1) / line) }
    forEachRange(ends.last ?? 0, floats: line) { lines in
      var index = ends.partitioningIndex { $0 > lines.lowerBound }
      while index < counts.count {
        let start = index == 0 ? 0 : ends[index - 1]
        guard start < lines.upperBound else { return }
        let first = max(lines.lowerBound - start, 0) * line
        body(index, first..<min((lines.upperBound - start) * line, counts[index]))
        index += 1
      }
    }
  }
}

extension [Int] {
  /// The first place in a rising array whose element fulfils a condition that all after it fulfil.
  fileprivate func partitioningIndex(where isBehind: (Int) -> Bool) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

/// In place: average = value + beta * (average - value).
public func updateAverage(_ average: inout Tensor, toward value: Tensor, beta: Double) {
  precondition(average.shape == value.shape, "average \(average.shape) of \(value.shape)")
  let count = average.count
  let target = average.uniquePointer()
  forEachRange(count) { range in
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
