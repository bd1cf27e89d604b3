/// One pass over a parameter for each of the optimizer's and the average's updates.
public enum OptimizerKernel {
  /// Adam (Kingma & Ba 2015, arXiv 1412.6980) with bias correction, without weight decay.
  ///
  /// Gradients that are not finite are replaced first: none by 0, infinities by +-1e5.
  /// - Parameters:
  ///   - firstMoment: nil for beta1 = 0, where the first moment is the gradient itself.
  ///   - stepSize: learning rate / (1 - beta1^k).
  ///   - rootCorrection: 1 / sqrt(1 - beta2^k).
  public static func adam(
    _ count: Int, parameter: Target, gradient: Source, firstMoment: Target?, secondMoment: Target,
    beta1: Double, beta2: Double, stepSize: Double, rootCorrection: Double, epsilon: Double
  ) {
    // 1 - beta is taken in double precision: in float32, 1 - 0.999 is off by more than a part in 10^5.
    let b1 = Vector(repeating: Float(beta1)), c1 = Vector(repeating: Float(1 - beta1))
    let b2 = Vector(repeating: Float(beta2)), c2 = Vector(repeating: Float(1 - beta2))
    let step = Vector(repeating: Float(-stepSize)), root = Vector(repeating: Float(rootCorrection))
    let eps = Vector(repeating: Float(epsilon))
    for8(count) { i, n in
      let g = finite(read(gradient + i, n))
      var m = g
      if let firstMoment {
        m = multiplyAdd(read(Source(firstMoment) + i, n), b1, g * c1)
        write(m, firstMoment + i, n)
      }
      let v = multiplyAdd(read(Source(secondMoment) + i, n), b2, g * g * c2)
      write(v, secondMoment + i, n)
      let denominator = multiplyAdd(v.squareRoot(), root, eps)
      write(multiplyAdd(m / denominator, step, read(Source(parameter) + i, n)), parameter + i, n)
    }
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
