import KernelInterface

/// (a + b) * scale.
public func addScaled(_ a: Tensor, _ b: Tensor, scale: Float = 1) -> Tensor {
  precondition(a.shape == b.shape, "\(a.shape) + \(b.shape)")
  return elementwise(a.shape) { range, y in
    kernels.elementwise.addScaled(
      range.count, a.pointer + range.lowerBound, b.pointer + range.lowerBound, scale: scale, into: y)
  }
}

/// x * scale.
public func scaled(_ x: Tensor, by scale: Float) -> Tensor {
  elementwise(x.shape) { range, y in
    kernels.elementwise.scale(range.count, x.pointer + range.lowerBound, by: scale, into: y)
  }
}

/// x * sigmoid(x).
public func silu(_ x: Tensor) -> Tensor {
  elementwise(x.shape) { range, y in
    kernels.elementwise.silu(range.count, x.pointer + range.lowerBound, into: y)
  }
}

/// The gradient of `silu` at `x`.
public func siluGradient(_ x: Tensor, _ dy: Tensor) -> Tensor {
  elementwise(x.shape) { range, dx in
    kernels.elementwise.siluGradient(range.count, x.pointer + range.lowerBound, dy.pointer + range.lowerBound, into: dx)
  }
}

/// max(x, 0).
public func relu(_ x: Tensor) -> Tensor {
  elementwise(x.shape) { range, y in
    kernels.elementwise.relu(range.count, x.pointer + range.lowerBound, into: y)
  }
}

/// Row n of the outermost axis times `factors[n]`.
public func scaledRows(_ x: Tensor, by factors: [Float]) -> Tensor {
  precondition(x.shape[0] == factors.count, "\(factors.count) factors for \(x.shape)")
  let size = x.count / max(factors.count, 1)
  let y = Tensor(uninitialized: x.shape)
  Threads.forEach(factors.count) { n in
    kernels.elementwise.scale(size, x.pointer + n * size, by: factors[n], into: y.mutable + n * size)
  }
  return y
}

/// Row n of the outermost axis: a * alpha[n] + b * beta[n].
public func combinedRows(_ a: Tensor, _ alpha: [Float], _ b: Tensor, _ beta: [Float]) -> Tensor {
  precondition(
    a.shape == b.shape && a.shape[0] == alpha.count && alpha.count == beta.count, "\(a.shape) and \(b.shape)")
  let size = a.count / max(alpha.count, 1)
  let y = Tensor(uninitialized: a.shape)
  Threads.forEach(alpha.count) { n in
    kernels.elementwise.combine(
      size, a.pointer + n * size, alpha[n], b.pointer + n * size, beta[n], into: y.mutable + n * size)
  }
  return y
}

/// Joins two images of the same size along their channels: [N, H, W, A] and [N, H, W, B] to [N, H, W, A + B].
public func concatenateChannels(_ a: Tensor, _ b: Tensor) -> Tensor {
  precondition(a.shape.dropLast() == b.shape.dropLast(), "\(a.shape) beside \(b.shape)")
  let (left, right) = (a.shape[3], b.shape[3])
  let y = Tensor(uninitialized: Array(a.shape.dropLast()) + [left + right])
  let rows = a.count / left
  forEachRange(rows, grain: rowGrain(left + right)) { range in
    for r in range {
      (y.mutable + r * (left + right)).update(from: a.pointer + r * left, count: left)
      (y.mutable + r * (left + right) + left).update(from: b.pointer + r * right, count: right)
    }
  }
  return y
}

/// Rows of `width` floats that are worth handing to a thread.
private func rowGrain(_ width: Int) -> Int { max(1, (1 << 15) / max(width, 1)) }

/// Channels `range` of an image, [N, H, W, range.count].
public func channels(_ x: Tensor, _ range: Range<Int>) -> Tensor {
  let total = x.shape[3]
  let y = Tensor(uninitialized: Array(x.shape.dropLast()) + [range.count])
  forEachRange(x.count / total, grain: rowGrain(range.count)) { rows in
    for r in rows {
      (y.mutable + r * range.count).update(from: x.pointer + r * total + range.lowerBound, count: range.count)
    }
  }
  return y
}

/// Dropout: each element survives with probability 1 - probability and is then scaled by its inverse.
///
/// The mask is a function of `key` and the element's index, the first image of `x` being number `firstImage`; so it does
/// not depend on how a batch is cut. The same call on a gradient is the operation's gradient.
public func dropout(_ x: Tensor, probability: Float, key: UInt64, firstImage: Int = 0) -> Tensor {
  precondition(probability >= 0 && probability < 1, "dropout probability \(probability)")
  let offset = firstImage * (x.count / max(x.shape[0], 1))
  return elementwise(x.shape) { range, y in
    kernels.dropout.apply(
      range.count, x.pointer + range.lowerBound, key: key, first: offset + range.lowerBound, probability: probability,
      into: y)
  }
}

extension Tensor {
  /// Whether every element is a finite number.
  public var isFinite: Bool { deferred?.isFinite ?? kernels.elementwise.allFinite(count, pointer) }

  /// Of each row (the first dimension's elements), whether it holds nothing that is no number.
  public var rowsWithoutNaN: [Bool] {
    let rows = shape.first ?? 0
    let size = count / max(rows, 1)
    return withUnsafeBufferPointer { x in
      (0..<rows).map { row in !x[row * size..<(row + 1) * size].contains(where: \.isNaN) }
    }
  }

  /// Adds another tensor of the same shape in place.
  public mutating func add(_ other: Tensor) {
    precondition(shape == other.shape, "\(shape) += \(other.shape)")
    withUnsafeMutableBufferPointer { target in
      guard let y = target.baseAddress else { return }
      let count = target.count
      let shared = UnsafeAddress(y)
      forEachRange(count, grain: 1 << 15) { range in
        kernels.elementwise.addScaled(
          range.count, shared.pointer + range.lowerBound, other.pointer + range.lowerBound, scale: 1,
          into: shared.pointer + range.lowerBound)
      }
    }
  }
}

/// Memory that chunks of one operation write disjoint parts of.
package struct UnsafeAddress: @unchecked Sendable {
  package let pointer: UnsafeMutablePointer<Float>
  package init(_ pointer: UnsafeMutablePointer<Float>) { self.pointer = pointer }
}

/// Cuts `count` items into ranges of `grain` and runs them on the threads.
package func forEachRange(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
  let chunks = (count + grain - 1) / grain
  Threads.forEach(chunks) { chunk in
    body(chunk * grain..<min(count, (chunk + 1) * grain))
  }
}

private func elementwise(_ shape: [Int], _ body: (Range<Int>, UnsafeMutablePointer<Float>) -> Void) -> Tensor {
  let y = Tensor(uninitialized: shape)
  forEachRange(y.count, grain: 1 << 15) { range in body(range, y.mutable + range.lowerBound) }
  return y
}
