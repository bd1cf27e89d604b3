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
  let counted = WorkCount.begin(.elementwise)
  defer { counted?.end() }
  precondition(x.shape[0] == factors.count, "\(factors.count) factors for \(x.shape)")
  let y = Tensor(uninitialized: x.shape)
  forEachRow(factors.count, floats: x.count / max(factors.count, 1)) { n, range in
    kernels.elementwise.scale(
      range.count, x.pointer + range.lowerBound, by: factors[n], into: y.mutable + range.lowerBound)
  }
  return y
}

/// Row n of the outermost axis: a * alpha[n] + b * beta[n].
public func combinedRows(_ a: Tensor, _ alpha: [Float], _ b: Tensor, _ beta: [Float]) -> Tensor {
  let counted = WorkCount.begin(.elementwise)
  defer { counted?.end() }
  precondition(
    a.shape == b.shape && a.shape[0] == alpha.count && alpha.count == beta.count, "\(a.shape) and \(b.shape)")
  let y = Tensor(uninitialized: a.shape)
  forEachRow(alpha.count, floats: a.count / max(alpha.count, 1)) { n, range in
    let i = range.lowerBound
    kernels.elementwise.combine(range.count, a.pointer + i, alpha[n], b.pointer + i, beta[n], into: y.mutable + i)
  }
  return y
}

/// Cuts rows of so many floats into tasks of a part of a row.
/// - Parameter body: is given the row and the elements, counted over all rows.
private func forEachRow(_ rows: Int, floats: Int, _ body: (Int, Range<Int>) -> Void) {
  let grain = evenGrain(rows * floats, floats: 1)
  let parts = max(1, (floats + grain - 1) / grain)
  Threads.forEach(rows * parts) { task in
    let (row, part) = task.quotientAndRemainder(dividingBy: parts)
    let first = row * floats + part * grain
    body(row, first..<min(first + grain, (row + 1) * floats))
  }
}

/// Channels `range` of an image, [N, H, W, range.count].
public func channels(_ x: Tensor, _ range: Range<Int>) -> Tensor {
  let counted = WorkCount.begin(.channels)
  defer { counted?.end() }
  let total = x.shape[3]
  let y = Tensor(uninitialized: Array(x.shape.dropLast()) + [range.count])
  forEachRange(x.count / total, floats: range.count) { rows in
    for r in rows {
      copyFloats(x.pointer + r * total + range.lowerBound, to: y.mutable + r * range.count, count: range.count)
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
  return elementwise(x.shape, .dropout) { range, y in
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
    let counted = WorkCount.begin(.loss)
    defer { counted?.end() }
    return [Bool](unsafeUninitializedCapacity: rows) { results, count in
      let results = results
      withUnsafeBufferPointer { x in
        forEachRange(rows, floats: size) { some in
          for row in some {
            WorkCount.note(floats: size)
            results.initializeElement(at: row, to: !x[row * size..<(row + 1) * size].contains(where: \.isNaN))
          }
        }
      }
      count = rows
    }
  }

  /// Adds another tensor of the same shape in place.
  public mutating func add(_ other: Tensor) {
    let counted = WorkCount.begin(.elementwise)
    defer { counted?.end() }
    precondition(shape == other.shape, "\(shape) += \(other.shape)")
    // Where the memory is shared, what is written elsewhere need not be copied there first.
    guard isUnique else {
      self = addScaled(self, other)
      return
    }
    withUnsafeMutableBufferPointer { target in
      guard let y = target.baseAddress else { return }
      let count = target.count
      let shared = UnsafeAddress(y)
      forEachRange(count) { range in
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
  let grain = max(grain, 1)
  let chunks = (count + grain - 1) / grain
  Threads.forEach(chunks) { chunk in
    body(chunk * grain..<min(count, (chunk + 1) * grain))
  }
}

/// Cuts `count` items of so many floats into ranges and runs them on the threads, where results do not depend on the cut.
package func forEachRange(_ count: Int, floats: Int = 1, _ body: (Range<Int>) -> Void) {
  forEachRange(count, grain: evenGrain(count, floats: floats), body)
}

/// Items of a task, where results do not depend on the cut: enough tasks for all threads to end together, none smaller than
/// what is worth handing to a thread, none larger than what stays in cache. The fewer threads there are, the less it gains to
/// hand out little.
///
/// - Parameters:
///   - count: items.
///   - floats: of one item.
///   - most: items of a task at most, beside that.
func evenGrain(_ count: Int, floats: Int, most: Int = .max) -> Int {
  let floats = max(floats, 1)
  let (least, largest) = (max(max(2048, (1 << 15) / Threads.count) / floats, 1), max((1 << 15) / floats, 1))
  // Whole cache lines: no two threads write one.
  let step = min(max(16 / floats, 1), least)
  let share = (count + 4 * Threads.count - 1) / (4 * Threads.count)
  return min(max((share + step - 1) / step * step, least), largest, max(most, 1))
}

/// Items of a task that should have `most` of them where there are enough for all threads, and not less than `least`.
func grain(_ count: Int, least: Int, most: Int) -> Int {
  min(most, max(least, (count + 4 * Threads.count - 1) / (4 * Threads.count)))
}

private func elementwise(
  _ shape: [Int], _ kind: LayerKind = .elementwise, _ body: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
) -> Tensor {
  let counted = WorkCount.begin(kind)
  defer { counted?.end() }
  let y = Tensor(uninitialized: shape)
  forEachRange(y.count) { range in body(range, y.mutable + range.lowerBound) }
  return y
}

/// Labels as networks take them: [N, classes] with a one in each row.
/// - Precondition: every label is below `classes`.
public func oneHot(_ labels: [Int], classes: Int) -> Tensor {
  var values = [Float](repeating: 0, count: labels.count * classes)
  for (row, label) in labels.enumerated() { values[row * classes + label] = 1 }
  return Tensor(values, shape: [labels.count, classes])
}
