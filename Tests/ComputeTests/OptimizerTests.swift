import Compute
import Foundation
import Testing

@Suite("Adam and the average of weights")
struct OptimizerTests {
  @Test("One pass equals the formula in double precision, with and without a first moment", arguments: [0.0, 0.9])
  func formula(beta1: Double) {
    let shape = [3, 12_347]
    var parameter = randomTensor(shape, 500)
    var average = randomTensor(shape, 501)
    var first: Tensor? = beta1 == 0 ? nil : Tensor(shape: shape)
    var second = Tensor(shape: shape)
    var p = parameter.values.map(Double.init)
    var e = average.values.map(Double.init)
    var (m, v) = (p.map { _ in 0.0 }, p.map { _ in 0.0 })
    let (rate, beta2, epsilon, beta) = (1e-2, 0.999, 1e-8, 0.97)
    for step in 1...3 {
      var gradient = randomTensor(shape, 502 + UInt64(step))
      gradient.withUnsafeMutableBufferPointer { ($0[5], $0[6], $0[7]) = (.nan, .infinity, -.infinity) }
      let adam = AdamStep(step: step, learningRate: rate, beta1: beta1, beta2: beta2, epsilon: epsilon)
      #expect(adam.staysFinite(parameter, gradient: gradient, firstMoment: first, secondMoment: second))
      adam(
        &parameter, gradient: gradient, firstMoment: &first, secondMoment: &second, average: &average, beta: beta)
      for (i, value) in gradient.values.enumerated() {
        let g = value.isNaN ? 0 : value.isInfinite ? (value > 0 ? 1e5 : -1e5) : Double(value)
        m[i] = beta1 * m[i] + (1 - beta1) * g
        v[i] = beta2 * v[i] + (1 - beta2) * g * g
        let root = (v[i] / (1 - pow(beta2, Double(step)))).squareRoot()
        p[i] -= rate / (1 - pow(beta1, Double(step))) * m[i] / (root + epsilon)
        e[i] = p[i] + beta * (e[i] - p[i])
      }
      #expect(zip(parameter.values, p).allSatisfy { abs(Double($0) - $1) <= 2e-6 })
      #expect(zip(average.values, e).allSatisfy { abs(Double($0) - $1) <= 2e-6 })
    }
  }

  @Test("Within a limit a gradient is what it was cut to, and a limit that nothing reaches changes no bit")
  func limit() {
    let shape = [3, 12_347]
    var gradient = randomTensor(shape, 530)
    gradient.withUnsafeMutableBufferPointer { ($0[5], $0[6], $0[7]) = (.nan, .infinity, -.infinity) }
    let cut = Tensor(gradient.values.map { $0.isNaN ? 0 : min(max($0, -0.5), 0.5) }, shape: shape)
    func stepped(_ gradient: Tensor, limit: Float?) -> [Float] {
      let adam = AdamStep(
        step: 2, learningRate: 1e-2, beta1: 0, beta2: 0.999, epsilon: 1e-8, gradientLimit: limit)
      var (p, none, v) = (randomTensor(shape, 531), Tensor?.none, Tensor(shape: shape, repeating: 0.1))
      adam(&p, gradient: gradient, firstMoment: &none, secondMoment: &v)
      return p.values + v.values
    }
    #expect(stepped(gradient, limit: 0.5) == stepped(cut, limit: nil))
    #expect(stepped(gradient, limit: 2e5) == stepped(gradient, limit: nil))
    #expect(stepped(gradient, limit: 0.5) != stepped(gradient, limit: nil))
  }

  @Test("The update alone and the average alone give the bits of the common pass")
  func parts() {
    let shape = [70_001]
    let (start, gradient, mean) = (randomTensor(shape, 510), randomTensor(shape, 511), randomTensor(shape, 512))
    let adam = AdamStep(step: 4, learningRate: 1e-3, beta1: 0, beta2: 0.999, epsilon: 1e-8)
    var together = (p: start, none: Tensor?.none, v: Tensor(shape: shape, repeating: 0.1), average: mean)
    adam(
      &together.p, gradient: gradient, firstMoment: &together.none, secondMoment: &together.v,
      average: &together.average, beta: 0.9)
    var apart = (p: start, none: Tensor?.none, v: Tensor(shape: shape, repeating: 0.1), average: mean)
    adam(&apart.p, gradient: gradient, firstMoment: &apart.none, secondMoment: &apart.v)
    updateAverage(&apart.average, toward: apart.p, beta: 0.9)
    #expect(together.p.values == apart.p.values && together.v.values == apart.v.values)
    #expect(together.average.values == apart.average.values)
    #expect(start.values != together.p.values)
  }

  @Test("A step out of the finite is seen before it is taken", arguments: [0, 7, 40_000, 70_000])
  func overflow(position: Int) {
    let shape = [70_001]
    let gradient = randomTensor(shape, 520)
    var parameter = randomTensor(shape, 521)
    let second = Tensor(shape: shape)
    let sensible = AdamStep(step: 1, learningRate: 1e-3, beta1: 0, beta2: 0.999, epsilon: 1e-8)
    #expect(sensible.staysFinite(parameter, gradient: gradient, firstMoment: nil, secondMoment: second))
    parameter.withUnsafeMutableBufferPointer { $0[position] = .nan }
    #expect(!sensible.staysFinite(parameter, gradient: gradient, firstMoment: nil, secondMoment: second))
    let absurd = AdamStep(
      step: 1, learningRate: Double(Float.greatestFiniteMagnitude), beta1: 0, beta2: 0.999, epsilon: 1e-8)
    let zero = Tensor(shape: shape)
    #expect(absurd.staysFinite(zero, gradient: zero, firstMoment: nil, secondMoment: second))
    parameter.withUnsafeMutableBufferPointer { $0[position] = .greatestFiniteMagnitude }
    var pull = zero
    pull.withUnsafeMutableBufferPointer { $0[position] = -1 }
    #expect(!absurd.staysFinite(parameter, gradient: pull, firstMoment: nil, secondMoment: second))
  }
}
