import KernelInterface

/// Minimal filtering of Winograd and Toom-Cook (Lavin & Gray 2016, arXiv 1509.09308) in one direction: `outputs` results of
/// a kernel of `taps` taps from `points` inputs with `points` multiplications.
///
/// Each function transforms one line of vectors; a tile has a tiling down its columns and one along its rows. A line is
/// read and written with a stride, in vectors.
protocol WinogradTiling {
  /// Results along one side of a tile.
  static var outputs: Int { get }
  /// Taps of the kernel along this side.
  static var taps: Int { get }
  /// B^T: `points` inputs to `points` values.
  static func input(_ x: some VectorReader, _ y: some VectorWriter)
  /// A^T: `points` values to `outputs` results.
  static func output(_ x: some VectorReader, _ y: some VectorWriter)
  /// G: the taps to `points` values.
  static func weight(_ x: some VectorReader, _ y: some VectorWriter)
}

/// A tiling for kernels of three taps that also carries gradients of weights.
protocol WinogradGradientTiling: WinogradTiling {
  /// A: `outputs` gradients of results to `points` values.
  static func outputAdjoint(_ x: some VectorReader, _ y: some VectorWriter)
  /// G^T: `points` values to the gradients of three taps.
  static func weightAdjoint(_ x: some VectorReader, _ y: some VectorWriter)
}

extension WinogradTiling {
  /// Inputs along one side of a tile.
  @inline(__always) static var points: Int { outputs + taps - 1 }
}

/// Where a transform takes the vectors of a line from.
protocol VectorReader {
  subscript(_ i: Int) -> Vector { get }
}

/// Where a transform puts the vectors of a line.
protocol VectorWriter {
  func write(_ v: Vector, _ i: Int)
}

/// Vectors in working memory.
struct Line: VectorReader, VectorWriter {
  let base: UnsafeMutablePointer<Vector>
  let stride: Int  // vectors
  @inline(__always) init(_ base: UnsafeMutablePointer<Vector>, _ stride: Int) {
    (self.base, self.stride) = (base, stride)
  }
  @inline(__always) subscript(_ i: Int) -> Vector { base[i * stride] }
  @inline(__always) func write(_ v: Vector, _ i: Int) { base[i * stride] = v }
}

/// Eight neighbouring floats each, at a stride.
struct FloatLine: VectorReader {
  let base: Source
  let stride: Int  // floats
  @inline(__always) init(_ base: Source, _ stride: Int) { (self.base, self.stride) = (base, stride) }
  @inline(__always) subscript(_ i: Int) -> Vector { load(base + i * stride) }
}

/// The same, to be written.
struct MutableFloatLine: VectorWriter {
  let base: Target
  let stride: Int  // floats
  @inline(__always) init(_ base: Target, _ stride: Int) { (self.base, self.stride) = (base, stride) }
  @inline(__always) func write(_ v: Vector, _ i: Int) { store(v, base + i * stride) }
}

/// Eight channels of pixels that lie anywhere.
struct PixelLine: VectorReader {
  let pixels: UnsafePointer<Source>
  let stride: Int  // pixels
  let channel: Int
  @inline(__always) init(_ pixels: UnsafePointer<Source>, _ stride: Int, channel: Int) {
    (self.pixels, self.stride, self.channel) = (pixels, stride, channel)
  }
  @inline(__always) subscript(_ i: Int) -> Vector { load(pixels[i * stride] + channel) }
}

/// The last channels of pixels, fewer than eight.
struct PixelTailLine: VectorReader {
  let pixels: UnsafePointer<Source>
  let stride: Int  // pixels
  let channel: Int
  let count: Int
  @inline(__always) init(_ pixels: UnsafePointer<Source>, _ stride: Int, channel: Int, count: Int) {
    (self.pixels, self.stride, self.channel, self.count) = (pixels, stride, channel, count)
  }
  @inline(__always) subscript(_ i: Int) -> Vector { loadTail(pixels[i * stride] + channel, count) }
}

/// Six vectors in registers.
struct Six: VectorReader {
  let first: Vector, second: Vector, third: Vector, fourth: Vector, fifth: Vector, sixth: Vector

  @inline(__always)
  init(_ first: Vector, _ second: Vector, _ third: Vector, _ fourth: Vector, _ fifth: Vector, _ sixth: Vector) {
    (self.first, self.second, self.third) = (first, second, third)
    (self.fourth, self.fifth, self.sixth) = (fourth, fifth, sixth)
  }

  @inline(__always) subscript(_ i: Int) -> Vector {
    switch i {
    case 0: first
    case 1: second
    case 2: third
    case 3: fourth
    case 4: fifth
    default: sixth
    }
  }
}

/// Three vectors in registers.
struct Three: VectorReader {
  let first: Vector, second: Vector, third: Vector

  @inline(__always) init(_ first: Vector, _ second: Vector, _ third: Vector) {
    (self.first, self.second, self.third) = (first, second, third)
  }

  @inline(__always) subscript(_ i: Int) -> Vector {
    switch i {
    case 0: first
    case 1: second
    default: third
    }
  }
}

/// Keeps one element of a line and drops the others, which are then not computed.
struct OneOf: VectorWriter {
  let target: UnsafeMutablePointer<Vector>
  let index: Int
  @inline(__always) init(_ target: UnsafeMutablePointer<Vector>, index: Int) {
    (self.target, self.index) = (target, index)
  }
  @inline(__always) func write(_ v: Vector, _ i: Int) { if i == index { target.pointee = v } }
}

@inline(__always) func constant(_ value: Float) -> Vector { Vector(repeating: value) }

/// F(4x4, 3x3) with the points 0, +-3/4, +-3/2 and infinity: 36 multiplications where the definition has 144.
///
/// The usual points 0, +-1, +-2 give twice the rounding error: the powers of these lie closer together, and all constants
/// of the input's transform are still exact.
enum WinogradTiling4: WinogradGradientTiling {
  @inline(__always) static var outputs: Int { 4 }
  @inline(__always) static var taps: Int { 3 }

  private static var a: Float { 0.75 }
  private static var b: Float { 1.5 }

  @inline(__always) static func input(_ x: some VectorReader, _ y: some VectorWriter) {
    y.write(zeroInput(x), 0)
    let (plusA, minusA) = inputsA(x)
    y.write(plusA, 1)
    y.write(minusA, 2)
    let (plusB, minusB) = inputsB(x)
    y.write(plusB, 3)
    y.write(minusB, 4)
    y.write(infiniteInput(x), 5)
  }

  /// The value at 0.
  @inline(__always) static func zeroInput(_ x: some VectorReader) -> Vector { outer(x[0], x[2], x[4]) }

  /// The value at infinity.
  @inline(__always) static func infiniteInput(_ x: some VectorReader) -> Vector { outer(x[1], x[3], x[5]) }

  /// The values at 3/4 and -3/4.
  @inline(__always) static func inputsA(_ x: some VectorReader) -> (Vector, Vector) { pair(x, a, -b * b) }

  /// The values at 3/2 and -3/2.
  @inline(__always) static func inputsB(_ x: some VectorReader) -> (Vector, Vector) { pair(x, b, -a * a) }

  @inline(__always) private static func outer(_ first: Vector, _ middle: Vector, _ last: Vector) -> Vector {
    multiplyAdd(middle, constant(-(a * a + b * b)), multiplyAdd(first, constant(a * a * b * b), last))
  }

  @inline(__always)
  private static func pair(_ x: some VectorReader, _ point: Float, _ other: Float) -> (Vector, Vector) {
    let even = multiplyAdd(x[2], constant(other), x[4])
    let odd = multiplyAdd(x[1], constant(other), x[3])
    return (multiplyAdd(odd, constant(point), even), multiplyAdd(odd, constant(-point), even))
  }

  @_transparent static func output(_ x: some VectorReader, _ y: some VectorWriter) {
    let results = outputs(x)
    y.write(results.0, 0)
    y.write(results.1, 1)
    y.write(results.2, 2)
    y.write(results.3, 3)
  }

  /// The four results of a line.
  @inline(__always) static func outputs(_ x: some VectorReader) -> (Vector, Vector, Vector, Vector) {
    let (x1, x2, x3, x4) = (x[1], x[2], x[3], x[4])
    let (evenA, oddA, evenB, oddB) = (x1 + x2, x1 - x2, x3 + x4, x3 - x4)
    return (
      x[0] + evenA + evenB, multiplyAdd(oddB, constant(b), oddA * constant(a)),
      multiplyAdd(evenB, constant(b * b), evenA * constant(a * a)),
      multiplyAdd(oddB, constant(b * b * b), multiplyAdd(oddA, constant(a * a * a), x[5]))
    )
  }

  // Divisors of the weights' transform: the products of the distances from a point to the other points.
  private static var zero: Float { 1 / (a * a * b * b) }
  private static var nearA: Float { 1 / (2 * a * a * (a * a - b * b)) }
  private static var nearB: Float { 1 / (2 * b * b * (b * b - a * a)) }

  @inline(__always) static func weight(_ x: some VectorReader, _ y: some VectorWriter) {
    let values = weights(x)
    y.write(values.first, 0)
    y.write(values.second, 1)
    y.write(values.third, 2)
    y.write(values.fourth, 3)
    y.write(values.fifth, 4)
    y.write(values.sixth, 5)
  }

  /// The six values of a line of taps.
  @inline(__always) static func weights(_ x: some VectorReader) -> Six {
    let (x0, x1, x2) = (x[0], x[1], x[2])
    let evenA = multiplyAdd(x2, constant(a * a * nearA), x0 * constant(nearA))
    let oddA = x1 * constant(a * nearA)
    let evenB = multiplyAdd(x2, constant(b * b * nearB), x0 * constant(nearB))
    let oddB = x1 * constant(b * nearB)
    return Six(x0 * constant(zero), evenA + oddA, evenA - oddA, evenB + oddB, evenB - oddB, x2)
  }

  @inline(__always) static func outputAdjoint(_ x: some VectorReader, _ y: some VectorWriter) {
    let (x0, x1, x2, x3) = (x[0], x[1], x[2], x[3])
    y.write(x0, 0)
    let evenA = multiplyAdd(x2, constant(a * a), x0)
    let oddA = multiplyAdd(x3, constant(a * a * a), x1 * constant(a))
    y.write(evenA + oddA, 1)
    y.write(evenA - oddA, 2)
    let evenB = multiplyAdd(x2, constant(b * b), x0)
    let oddB = multiplyAdd(x3, constant(b * b * b), x1 * constant(b))
    y.write(evenB + oddB, 3)
    y.write(evenB - oddB, 4)
    y.write(x3, 5)
  }

  @inline(__always) static func weightAdjoint(_ x: some VectorReader, _ y: some VectorWriter) {
    let (evenA, oddA) = ((x[1] + x[2]) * constant(nearA), (x[1] - x[2]) * constant(a * nearA))
    let (evenB, oddB) = ((x[3] + x[4]) * constant(nearB), (x[3] - x[4]) * constant(b * nearB))
    y.write(multiplyAdd(x[0], constant(zero), evenA + evenB), 0)
    y.write(oddA + oddB, 1)
    y.write(multiplyAdd(evenA, constant(a * a), multiplyAdd(evenB, constant(b * b), x[5])), 2)
  }
}

/// F(2x2, 3x3) with the points 0, +-1 and infinity: 16 multiplications where the definition has 36, and about the
/// rounding error of the definition.
enum WinogradTiling2: WinogradGradientTiling {
  @inline(__always) static var outputs: Int { 2 }
  @inline(__always) static var taps: Int { 3 }

  @inline(__always) static func input(_ x: some VectorReader, _ y: some VectorWriter) {
    let (x0, x1, x2, x3) = (x[0], x[1], x[2], x[3])
    y.write(x0 - x2, 0)
    y.write(x1 + x2, 1)
    y.write(x2 - x1, 2)
    y.write(x3 - x1, 3)
  }

  @inline(__always) static func output(_ x: some VectorReader, _ y: some VectorWriter) {
    let (even, odd) = (x[1] + x[2], x[1] - x[2])
    y.write(x[0] + even, 0)
    y.write(odd + x[3], 1)
  }

  @inline(__always) static func weight(_ x: some VectorReader, _ y: some VectorWriter) {
    let half = constant(0.5)
    let (even, odd) = ((x[0] + x[2]) * half, x[1] * half)
    y.write(x[0], 0)
    y.write(even + odd, 1)
    y.write(even - odd, 2)
    y.write(x[2], 3)
  }

  @inline(__always) static func outputAdjoint(_ x: some VectorReader, _ y: some VectorWriter) {
    let (x0, x1) = (x[0], x[1])
    y.write(x0, 0)
    y.write(x0 + x1, 1)
    y.write(x0 - x1, 2)
    y.write(x1, 3)
  }

  @inline(__always) static func weightAdjoint(_ x: some VectorReader, _ y: some VectorWriter) {
    let half = constant(0.5)
    let (even, odd) = ((x[1] + x[2]) * half, (x[1] - x[2]) * half)
    y.write(x[0] + even, 0)
    y.write(odd, 1)
    y.write(x[3] + even, 2)
  }
}
