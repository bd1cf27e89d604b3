import CVector
import KernelInterface

enum Elementwise: ElementwiseKernels {
  static func addScaled(_ count: Int, _ a: Source, _ b: Source, scale: Float, into y: Target) {
    let s = Vector(repeating: scale)
    map(count, a, b, into: y) { ($0 + $1) * s }
  }

  static func scale(_ count: Int, _ a: Source, by scale: Float, into y: Target) {
    let s = Vector(repeating: scale)
    map(count, a, into: y) { $0 * s }
  }

  static func combine(_ count: Int, _ a: Source, _ alpha: Float, _ b: Source, _ beta: Float, into y: Target) {
    let s = Vector(repeating: alpha)
    let t = Vector(repeating: beta)
    map(count, a, b, into: y) { multiplyAdd($0, s, $1 * t) }
  }

  static func silu(_ count: Int, _ x: Source, into y: Target) {
    map(count, x, into: y) { $0 * sigmoid($0) }
  }

  static func siluGradient(_ count: Int, _ x: Source, _ dy: Source, into dx: Target) {
    map(count, x, dy, into: dx) { gradientOfSiLU($0, $1) }
  }

  static func relu(_ count: Int, _ x: Source, into y: Target) {
    map(count, x, into: y) { rectified($0) }
  }

  static func finish(
    rows: Int, columns: Int, _ x: Source, bias: Source?, residual: Source?, scale: Float, into y: Target
  ) {
    let s = Vector(repeating: scale)
    for r in 0..<rows {
      let offset = r &* columns
      switch (bias, residual) {
      case (nil, nil): if scale != 1 || x != Source(y) { map(columns, x + offset, into: y + offset) { $0 * s } }
      case (let b?, nil): map(columns, x + offset, b, into: y + offset) { ($0 + $1) * s }
      case (nil, let q?): map(columns, x + offset, q + offset, into: y + offset) { ($0 + $1) * s }
      case (let b?, let q?): map(columns, x + offset, b, q + offset, into: y + offset) { ($0 + $1 + $2) * s }
      }
    }
  }

  static func finishPart(
    rows: Int, columns: Int, _ x: Source, _ xStride: Int, bias: Source, rectifies: Bool, into y: Target, _ yStride: Int
  ) {
    for r in 0..<rows {
      let (from, to) = (x + r &* xStride, y + r &* yStride)
      if rectifies {
        map(columns, from, bias, into: to) { rectified($0 + $1) }
      } else {
        map(columns, from, bias, into: to) { $0 + $1 }
      }
    }
  }

  @inline(__always) static func addColumnSums(rows: Int, columns: Int, _ x: Source, to sums: Target) {
    addColumnSums(rows: rows, columns: columns, x, stride: columns, to: sums)
  }

  static func addColumnSums(rows: Int, columns: Int, _ x: Source, stride: Int, to sums: Target) {
    forEachRowGroup(rows) { row, count in
      let group = x + row &* stride
      forEachGroup(columns) { c, n in
        if count == 4 {
          let first = read(group + c, n) + read(group + (stride &+ c), n)
          let second = read(group + (2 &* stride &+ c), n) + read(group + (3 &* stride &+ c), n)
          write(read(Source(sums) + c, n) + (first + second), sums + c, n)
        } else {
          var sum = read(Source(sums) + c, n)
          for r in 0..<count { sum += read(group + (r &* stride &+ c), n) }
          write(sum, sums + c, n)
        }
      }
    }
  }

  static func allFinite(_ count: Int, _ x: Source) -> Bool {
    // x - x is zero for finite numbers and none for all others.
    var sum = Vector(repeating: 0)
    var rest: Float = 0
    forEachVector(count) { i in
      let v = load(x + i)
      sum += v - v
    } tail: { i, n in
      for j in 0..<n { rest += x[i + j] - x[i + j] }
    }
    return sid_sum(sum) == 0 && rest == 0
  }
}
