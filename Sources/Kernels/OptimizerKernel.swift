import CVector
import KernelInterface

enum OptimizerKernel: OptimizerKernels {
  static func adam(
    _ adam: AdamCoefficients, _ count: Int, parameter: Target, gradient: Source, firstMoment: Target?,
    secondMoment: Target,
    average: (target: Target, beta: Float)?
  ) {
    let adam = AdamVectors(adam)
    let beta = Vector(repeating: average?.beta ?? 0)
    forEachGroup(count) { i, n in
      let (p, m, v) = adam.update(
        read(Source(parameter) + i, n), gradient: read(gradient + i, n),
        first: firstMoment.map { read(Source($0) + i, n) }, second: read(Source(secondMoment) + i, n))
      if let firstMoment { write(m, firstMoment + i, n) }
      write(v, secondMoment + i, n)
      write(p, parameter + i, n)
      if let average {
        write(multiplyAdd(beta, read(Source(average.target) + i, n) - p, p), average.target + i, n)
      }
    }
  }

  static func staysFinite(
    _ adam: AdamCoefficients, _ count: Int, parameter: Source, gradient: Source, firstMoment: Source?,
    secondMoment: Source
  ) -> Bool {
    let adam = AdamVectors(adam)
    // x - x is zero for finite numbers and none for all others; so it is for the zeros of unused lanes.
    var sum = Vector(repeating: 0)
    forEachGroup(count) { i, n in
      let p = adam.update(
        read(parameter + i, n), gradient: read(gradient + i, n), first: firstMoment.map { read($0 + i, n) },
        second: read(secondMoment + i, n)
      ).p
      sum += p - p
    }
    return sid_sum(sum) == 0
  }

  static func average(_ count: Int, _ average: Target, value: Source, beta: Float) {
    let b = Vector(repeating: beta)
    map(count, average, value, into: average) { multiplyAdd(b, $0 - $1, $1) }
  }

  @inline(__always) static func finite(_ g: Vector) -> Vector {
    var r = g.replacing(with: Vector(repeating: 0), where: g .!= g)
    r = r.replacing(with: Vector(repeating: 1e5), where: r .== Vector(repeating: .infinity))
    return r.replacing(with: Vector(repeating: -1e5), where: r .== Vector(repeating: -.infinity))
  }
}

/// Adam's coefficients in all lanes.
private struct AdamVectors {
  let b1: Vector, c1: Vector, b2: Vector, c2: Vector
  let step: Vector, root: Vector, epsilon: Vector
  let limit: Vector

  @inline(__always) init(_ adam: AdamCoefficients) {
    (b1, c1) = (Vector(repeating: adam.beta1), Vector(repeating: adam.rest1))
    (b2, c2) = (Vector(repeating: adam.beta2), Vector(repeating: adam.rest2))
    (step, root) = (Vector(repeating: adam.step), Vector(repeating: adam.rootCorrection))
    (epsilon, limit) = (Vector(repeating: adam.epsilon), Vector(repeating: adam.gradientLimit))
  }

  /// The new parameter and moments.
  @inline(__always)
  func update(_ p: Vector, gradient: Vector, first: Vector?, second: Vector) -> (p: Vector, m: Vector, v: Vector) {
    let finite = OptimizerKernel.finite(gradient)
    let g = finite.replacing(with: limit, where: finite .> limit).replacing(with: -limit, where: finite .< -limit)
    let m = first.map { multiplyAdd($0, b1, g * c1) } ?? g
    let v = multiplyAdd(second, b2, g * g * c2)
    return (multiplyAdd(m / multiplyAdd(sid_square_root(v), root, epsilon), step, p), m, v)
  }
}
