import CVector
import KernelInterface

/// As many float32 lanes as a register of the instruction set that this folder is built for has: it is built once for each,
/// with SID_WIDE and SID_LANES=16 for AVX-512.
#if SID_WIDE
  typealias Vector = SIMD16<Float>
  typealias VectorBits = SIMD16<UInt32>
  typealias VectorKeys = SIMD16<UInt64>
#else
  typealias Vector = SIMD8<Float>
  typealias VectorBits = SIMD8<UInt32>
  typealias VectorKeys = SIMD8<UInt64>
#endif

/// Lanes of a vector.
@inline(__always) var lanes: Int { MemoryLayout<Vector>.size / MemoryLayout<Float>.size }

@inline(__always) func load(_ p: Source) -> Vector {
  UnsafeRawPointer(p).loadUnaligned(as: Vector.self)
}

@inline(__always) func load(_ p: Target) -> Vector {
  UnsafeRawPointer(p).loadUnaligned(as: Vector.self)
}

@inline(__always) func store(_ v: Vector, _ p: Target) {
  UnsafeMutableRawPointer(p).storeBytes(of: v, as: Vector.self)
}

/// The first `count` lanes from memory, fewer than all, the others zero.
@inline(__always) func loadTail(_ p: Source, _ count: Int) -> Vector {
  sid_load_part(p, Int32(truncatingIfNeeded: count))
}

/// Writes the first `count` lanes, fewer than all.
@inline(__always) func storeTail(_ v: Vector, _ p: Target, _ count: Int) {
  sid_store_part(p, v, Int32(truncatingIfNeeded: count))
}

/// The first `n` lanes.
@inline(__always) func read(_ p: Source, _ n: Int) -> Vector { n == lanes ? load(p) : loadTail(p, n) }

/// Writes the first `n` lanes.
@inline(__always) func write(_ v: Vector, _ p: Target, _ n: Int) {
  if n == lanes { store(v, p) } else { storeTail(v, p, n) }
}

/// a * b + c in one rounding.
@inline(__always) func multiplyAdd(_ a: Vector, _ b: Vector, _ c: Vector) -> Vector {
  sid_multiply_add(a, b, c)
}

/// max(x, 0); a number that is none stays none.
@inline(__always) func rectified(_ x: Vector) -> Vector {
  x.replacing(with: Vector(repeating: 0), where: x .< Vector(repeating: 0))
}

/// e^-x by reduction to |r| <= ln 2 / 2 and the minimax polynomial of Cephes' expf; relative error below 1.2e-7.
///
/// The argument is confined to [-88, 87], where the result is a normal number; what is no number stays none.
@_transparent func negativeExponential(_ x: Vector) -> Vector { confinedExponential(confined(x)) }

/// e^x; the argument is confined to [-87, 88].
@_transparent func exponential(_ x: Vector) -> Vector { negativeExponential(-x) }

/// x between -88 and 87. Each comparison and choice is one instruction, and hands on what is no number.
@_transparent func confined(_ x: Vector) -> Vector {
  let (low, high) = (Vector(repeating: -88), Vector(repeating: 87))
  let t = x.replacing(with: low, where: x .< low)
  return t.replacing(with: high, where: t .> high)
}

/// e^-t for -88 <= t <= 87.
@inline(__always) func confinedExponential(_ t: Vector) -> Vector {
  // Adding 1.5 * 2^23 + 127 rounds to a whole number and leaves it, as the exponent of a power of two, in the low bits.
  let magic = Vector(repeating: 12_583_039)
  let shifted = multiplyAdd(t, Vector(repeating: -1.442_695_041), magic)
  let n = shifted - magic
  // -r; ln 2 in two parts, so that n * ln 2 loses no digits.
  var r = multiplyAdd(n, Vector(repeating: 0.693_359_375), t)
  r = multiplyAdd(n, Vector(repeating: -2.121_944_4e-4), r)
  // Pairs of terms side by side: the chain of dependent operations is what takes the time.
  let square = r * r
  let high = multiplyAdd(Vector(repeating: -1.987_569_15e-4), r, Vector(repeating: 1.398_199_950_7e-3))
  let middle = multiplyAdd(Vector(repeating: -8.333_451_907_3e-3), r, Vector(repeating: 4.166_579_589_4e-2))
  let low = multiplyAdd(Vector(repeating: -1.666_666_545_9e-1), r, Vector(repeating: 5.000_000_120_1e-1))
  let p = multiplyAdd(multiplyAdd(multiplyAdd(high, square, middle), square, low), square, -r)
  let power = unsafeBitCast(
    unsafeBitCast(shifted, to: VectorBits.self) &<< VectorBits(repeating: 23), to: Vector.self)
  return multiplyAdd(p, power, power)
}

/// 1 / (1 + e^-x).
@inline(__always) func sigmoid(_ x: Vector) -> Vector {
  Vector(repeating: 1) / (Vector(repeating: 1) + negativeExponential(x))
}

/// dy * d (x sigmoid(x)) / dx = dy s (1 + x (1 - s)), s the sigmoid.
// Transparent, since `@inline(__always)` does not hold for what is as long as this, and a call for every vector takes as
// long as the vector's work.
@_transparent func gradientOfSiLU(_ x: Vector, _ dy: Vector) -> Vector {
  let one = Vector(repeating: 1)
  let t = confined(x)
  let e = confinedExponential(t)
  let s = one / (one + e)
  // 1 - s = e s, and x e with x confined, so that it stays finite.
  return (dy * s) * multiplyAdd(t * e, s, one)
}

/// Runs `vector` over whole groups of as many elements as a vector has and `tail` over the rest.
@inline(__always) func forEachVector(_ count: Int, _ vector: (Int) -> Void, tail: (Int, Int) -> Void) {
  let whole = count & ~(lanes &- 1)
  var i = 0
  while i < whole {
    vector(i)
    i &+= lanes
  }
  if whole < count { tail(whole, count &- whole) }
}

/// Applies a function of vectors to `count` elements; unused lanes of the last group hold zeros.
@inline(__always) func map(_ count: Int, _ a: Source, into y: Target, _ f: (Vector) -> Vector) {
  forEachVector(count) { i in
    store(f(load(a + i)), y + i)
  } tail: { i, n in
    storeTail(f(loadTail(a + i, n)), y + i, n)
  }
}

/// The same for two inputs.
@inline(__always) func map(_ count: Int, _ a: Source, _ b: Source, into y: Target, _ f: (Vector, Vector) -> Vector) {
  forEachVector(count) { i in
    store(f(load(a + i), load(b + i)), y + i)
  } tail: { i, n in
    storeTail(f(loadTail(a + i, n), loadTail(b + i, n)), y + i, n)
  }
}

/// The same for three inputs.
@inline(__always) func map(
  _ count: Int, _ a: Source, _ b: Source, _ c: Source, into y: Target, _ f: (Vector, Vector, Vector) -> Vector
) {
  forEachVector(count) { i in
    store(f(load(a + i), load(b + i), load(c + i)), y + i)
  } tail: { i, n in
    storeTail(f(loadTail(a + i, n), loadTail(b + i, n), loadTail(c + i, n)), y + i, n)
  }
}

/// Calls `body` with the start of each group of as many elements as a vector has and its length, less for the last.
@inline(__always) func forEachGroup(_ count: Int, _ body: (Int, Int) -> Void) {
  let whole = count & ~(lanes &- 1)
  var i = 0
  while i < whole {
    body(i, lanes)
    i &+= lanes
  }
  if whole < count { body(whole, count &- whole) }
}

/// Calls `body` with the start of each group of four rows and its length (4, or less for the last).
@inline(__always) func forEachRowGroup(_ rows: Int, _ body: (Int, Int) -> Void) {
  let whole = rows & ~3
  var row = 0
  while row < whole {
    body(row, 4)
    row &+= 4
  }
  if whole < rows { body(whole, rows &- whole) }
}
