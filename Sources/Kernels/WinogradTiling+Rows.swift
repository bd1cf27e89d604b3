import KernelInterface

/// One result of one tap: the direction in which a kernel of one row or column does nothing.
enum WinogradIdentity: WinogradTiling {
  @inline(__always) static var outputs: Int { 1 }
  @inline(__always) static var taps: Int { 1 }
  @inline(__always) static func input(_ x: some VectorReader, _ y: some VectorWriter) { y.write(x[0], 0) }
  @inline(__always) static func output(_ x: some VectorReader, _ y: some VectorWriter) { y.write(x[0], 0) }
  @inline(__always) static func weight(_ x: some VectorReader, _ y: some VectorWriter) { y.write(x[0], 0) }
}

/// F(2x2, 5x5) at the points of F(4x4, 3x3): 36 multiplications where the definition has 100.
enum WinogradTiling2of5: WinogradTiling {
  @inline(__always) static var outputs: Int { 2 }
  @inline(__always) static var taps: Int { 5 }

  private static var a: Float { 0.75 }
  private static var b: Float { 1.5 }

  @inline(__always) static func input(_ x: some VectorReader, _ y: some VectorWriter) { WinogradTiling4.input(x, y) }

  @inline(__always) static func output(_ x: some VectorReader, _ y: some VectorWriter) {
    y.write(x[0] + (x[1] + x[2]) + (x[3] + x[4]), 0)
    y.write(multiplyAdd(x[3] - x[4], constant(b), multiplyAdd(x[1] - x[2], constant(a), x[5])), 1)
  }

  @inline(__always) static func weight(_ x: some VectorReader, _ y: some VectorWriter) {
    let nearA = 1 / (2 * a * a * (a * a - b * b))
    let nearB = 1 / (2 * b * b * (b * b - a * a))
    y.write(x[0] * constant(1 / (a * a * b * b)), 0)
    pair(x, y, point: a, divisor: nearA, 1)
    pair(x, y, point: b, divisor: nearB, 3)
    y.write(x[4], 5)
  }

  @inline(__always)
  private static func pair(
    _ x: some VectorReader, _ y: some VectorWriter, point p: Float, divisor: Float, _ position: Int
  ) {
    let even = multiplyAdd(x[4], constant(p * p * p * p), multiplyAdd(x[2], constant(p * p), x[0]))
    let odd = multiplyAdd(x[3], constant(p * p), x[1]) * constant(p)
    y.write((even + odd) * constant(divisor), position)
    y.write((even - odd) * constant(divisor), position + 1)
  }
}

/// F(4, 7) with the points 0, +-3/8, +-7/8, +-5/4, +-2 and infinity: 10 multiplications where the definition has 28.
///
/// Of all sets of four pairs among simple fractions from 1/4 to 3 this one had the smallest rounding error: 1.5e-6 of the
/// results' root mean square, seven times that of the definition and less than that of F(4x4, 3x3). All constants of the
/// input's transform are exact.
enum WinogradTiling4of7: WinogradTiling {
  @inline(__always) static var outputs: Int { 4 }
  @inline(__always) static var taps: Int { 7 }

  private static var a: Float { 0.375 }
  private static var b: Float { 0.875 }
  private static var c: Float { 1.25 }
  private static var d: Float { 2 }

  @inline(__always) static func input(_ x: some VectorReader, _ y: some VectorWriter) {
    let (x0, x1, x2, x3, x4) = (x[0], x[1], x[2], x[3], x[4])
    let (x5, x6, x7, x8, x9) = (x[5], x[6], x[7], x[8], x[9])
    // The product of (t - q) over all four squares q, by powers of t.
    let (e3, e2, e1, e0) = symmetric(a * a, b * b, c * c, d * d)
    y.write(line(x0, x2, x4, x6, x8, e3, e2, e1, e0), 0)
    y.write(line(x1, x3, x5, x7, x9, e3, e2, e1, e0), 9)
    pair(x1, x2, x3, x4, x5, x6, x7, x8, y, point: a, b * b, c * c, d * d, 1)
    pair(x1, x2, x3, x4, x5, x6, x7, x8, y, point: b, a * a, c * c, d * d, 3)
    pair(x1, x2, x3, x4, x5, x6, x7, x8, y, point: c, a * a, b * b, d * d, 5)
    pair(x1, x2, x3, x4, x5, x6, x7, x8, y, point: d, a * a, b * b, c * c, 7)
  }

  /// Coefficients below the first of (t - p)(t - q)(t - r)(t - s).
  @inline(__always)
  private static func symmetric(_ p: Float, _ q: Float, _ r: Float, _ s: Float) -> (Float, Float, Float, Float) {
    let (sum, product) = (p + q, p * q)
    let (otherSum, otherProduct) = (r + s, r * s)
    return (
      -(sum + otherSum), product + otherProduct + sum * otherSum, -(product * otherSum + otherProduct * sum),
      product * otherProduct
    )
  }

  @inline(__always)
  private static func line(
    _ x0: Vector, _ x1: Vector, _ x2: Vector, _ x3: Vector, _ x4: Vector, _ e3: Float, _ e2: Float, _ e1: Float,
    _ e0: Float
  ) -> Vector {
    let low = multiplyAdd(x1, constant(e1), x0 * constant(e0))
    return low + multiplyAdd(x2, constant(e2), multiplyAdd(x3, constant(e3), x4))
  }

  /// The positions of +point and -point; p, q and r are the squares of the other points.
  @inline(__always)
  private static func pair(
    _ x1: Vector, _ x2: Vector, _ x3: Vector, _ x4: Vector, _ x5: Vector, _ x6: Vector, _ x7: Vector, _ x8: Vector,
    _ y: some VectorWriter, point: Float, _ p: Float, _ q: Float, _ r: Float, _ position: Int
  ) {
    let (e2, e1, e0) = (constant(-(p + q + r)), constant(p * q + p * r + q * r), constant(-(p * q * r)))
    let even = multiplyAdd(x4, e1, multiplyAdd(x6, e2, x8))
    let odd = multiplyAdd(x3, e1, multiplyAdd(x5, e2, x7))
    let (wholeEven, wholeOdd) = (multiplyAdd(x2, e0, even), multiplyAdd(x1, e0, odd))
    y.write(multiplyAdd(wholeOdd, constant(point), wholeEven), position)
    y.write(multiplyAdd(wholeOdd, constant(-point), wholeEven), position + 1)
  }

  @inline(__always) static func output(_ x: some VectorReader, _ y: some VectorWriter) {
    let (x1, x2, x3, x4) = (x[1], x[2], x[3], x[4])
    let (x5, x6, x7, x8) = (x[5], x[6], x[7], x[8])
    let (evenA, evenB, evenC, evenD) = (x1 + x2, x3 + x4, x5 + x6, x7 + x8)
    let (oddA, oddB, oddC, oddD) = (x1 - x2, x3 - x4, x5 - x6, x7 - x8)
    y.write(x[0] + (evenA + evenB) + (evenC + evenD), 0)
    y.write(sum(oddA, oddB, oddC, oddD, a, b, c, d), 1)
    y.write(sum(evenA, evenB, evenC, evenD, a * a, b * b, c * c, d * d), 2)
    y.write(x[9] + sum(oddA, oddB, oddC, oddD, a * a * a, b * b * b, c * c * c, d * d * d), 3)
  }

  @inline(__always)
  private static func sum(
    _ x0: Vector, _ x1: Vector, _ x2: Vector, _ x3: Vector, _ a: Float, _ b: Float, _ c: Float, _ d: Float
  ) -> Vector {
    let low = multiplyAdd(x1, constant(b), x0 * constant(a))
    return low + multiplyAdd(x3, constant(d), x2 * constant(c))
  }

  @inline(__always) static func weight(_ x: some VectorReader, _ y: some VectorWriter) {
    y.write(x[0] * constant(1 / (a * a * b * b * c * c * d * d)), 0)
    weightPair(x, y, point: a, b, c, d, 1)
    weightPair(x, y, point: b, a, c, d, 3)
    weightPair(x, y, point: c, a, b, d, 5)
    weightPair(x, y, point: d, a, b, c, 7)
    y.write(x[6], 9)
  }

  /// The divisor is the product of the distances from a point to the other points.
  @inline(__always)
  private static func weightPair(
    _ x: some VectorReader, _ y: some VectorWriter, point: Float, _ q: Float, _ r: Float, _ s: Float, _ position: Int
  ) {
    let p = point * point
    let divisor = 2 * p * (p - q * q) * (p - r * r) * (p - s * s)
    let square = constant(p)
    let even = multiplyAdd(multiplyAdd(multiplyAdd(x[6], square, x[4]), square, x[2]), square, x[0])
    let odd = multiplyAdd(multiplyAdd(x[5], square, x[3]), square, x[1]) * constant(point)
    y.write((even + odd) * constant(1 / divisor), position)
    y.write((even - odd) * constant(1 / divisor), position + 1)
  }
}
