import CVector

/// One pass over a parameter for the optimizer's and the average's updates.
public enum OptimizerKernel {
  /// Adam (Kingma & Ba 2015, arXiv 1412.6980) with bias correction, without weight decay, as one step does it.
  ///
  /// Gradients that are not finite are replaced first: none by 0, infinities by +-1e5.
  public struct Adam {
    let b1: Vector, c1: Vector, b2: Vector, c2: Vector
    let step: Vector, root: Vector, epsilon: Vector

    /// - Parameters:
    ///   - stepSize: learning rate / (1 - beta1^k).
    ///   - rootCorrection: 1 / sqrt(1 - beta2^k).
    public init(beta1: Double, beta2: Double, stepSize: Double, rootCorrection: Double, epsilon: Double) {
      // 1 - beta is taken in double precision: in float32, 1 - 0.999 is off by more than a part in 10^5.
      (b1, c1) = (Vector(repeating: Float(beta1)), Vector(repeating: Float(1 - beta1)))
      (b2, c2) = (Vector(repeating: Float(beta2)), Vector(repeating: Float(1 - beta2)))
      (step, root) = (Vector(repeating: Float(-stepSize)), Vector(repeating: Float(rootCorrection)))
      self.epsilon = Vector(repeating: Float(epsilon))
    }

    /// The new parameter and moments.
    @inline(__always)
    func update(_ p: Vector, gradient: Vector, first: Vector?, second: Vector) -> (p: Vector, m: Vector, v: Vector) {
      let g = finite(gradient)
      let m = first.map { multiplyAdd($0, b1, g * c1) } ?? g
      let v = multiplyAdd(second, b2, g * g * c2)
      return (multiplyAdd(m / multiplyAdd(sid_sqrt8(v), root, epsilon), step, p), m, v)
    }
  }

  /// Updates parameter and moments, and an average of the parameter if there is one, in place.
  ///
  /// - Parameters:
  ///   - firstMoment: nil for beta1 = 0, where the first moment is the gradient itself.
  ///   - average: becomes value + beta * (average - value), of the new value.
  public static func adam(
    _ adam: Adam, _ count: Int, parameter: Target, gradient: Source, firstMoment: Target?, secondMoment: Target,
    average: (target: Target, beta: Float)?
  ) {
    let beta = Vector(repeating: average?.beta ?? 0)
    for8(count) { i, n in
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

  /// Whether `adam` would leave every element of the parameter finite. Changes nothing.
  public static func staysFinite(
    _ adam: Adam, _ count: Int, parameter: Source, gradient: Source, firstMoment: Source?, secondMoment: Source
  ) -> Bool {
    // x - x is zero for finite numbers and none for all others; so it is for the zeros of unused lanes.
    var sum = Vector(repeating: 0)
    for8(count) { i, n in
      let p = adam.update(
        read(parameter + i, n), gradient: read(gradient + i, n), first: firstMoment.map { read($0 + i, n) },
        second: read(secondMoment + i, n)
      ).p
      sum += p - p
    }
    return sum.sum() == 0
  }

  /// In place: average = value + beta * (average - value).
  public static func average(_ count: Int, _ average: Target, value: Source, beta: Float) {
    let b = Vector(repeating: beta)
    map(count, average, value, into: average) { multiplyAdd(b, $0 - $1, $1) }
  }

  @inline(__always) static func finite(_ g: Vector) -> Vector {
    var r = g.replacing(with: Vector(repeating: 0), where: g .!= g)
    r = r.replacing(with: Vector(repeating: 1e5), where: r .== Vector(repeating: .infinity))
    return r.replacing(with: Vector(repeating: -1e5), where: r .== Vector(repeating: -.infinity))
  }
}
