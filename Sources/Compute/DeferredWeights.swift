import KernelInterface

/// Weights of a convolution that stay where they are stored, [outputs, inputs, taps], until somebody needs them.
///
/// A layer that keeps its weights transformed, or transforms them for every call, has no use for them in memory as well:
/// a fifth of what sampling would take, and most of the time that a network file takes to load.
package struct DeferredWeights: Sendable {
  let outputs: Int
  let inputs: Int
  let taps: Int
  private let readOutputs: @Sendable (Range<Int>, UnsafeMutablePointer<Float>) -> Void

  var count: Int { outputs * inputs * taps }

  /// - Parameters:
  ///   - outputs, inputs, taps: the stored shape.
  ///   - read: fills memory with the weights of some outputs; may be called by several threads at once. What cannot be
  ///     read becomes NaN, which the images show.
  package init(
    outputs: Int, inputs: Int, taps: Int, read: @escaping @Sendable (Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) {
    (self.outputs, self.inputs, self.taps) = (outputs, inputs, taps)
    readOutputs = read
  }

  /// Reads all, in stored order.
  func read(into elements: UnsafeMutablePointer<Float>) {
    forEachRange(outputs, grain: 64) { readOutputs($0, elements + $0.lowerBound * inputs * taps) }
  }

  /// Brings the weights of some inputs into memory's order, [taps, inputs, outputs].
  func arrange(_ elements: UnsafePointer<Float>, inputs some: Range<Int>, into target: UnsafeMutablePointer<Float>) {
    kernels.transpose.convolution(
      outputs: outputs, inputs: some, totalInputs: inputs, taps: taps, elements, into: target)
  }

  /// Reads all into memory's order.
  func arrange(into target: UnsafeMutablePointer<Float>) {
    withScratch(count) { elements in
      read(into: elements)
      arrange(elements, inputs: 0..<inputs, into: target)
    }
  }

  /// Whether all are finite; on the calling thread.
  var isFinite: Bool {
    let row = inputs * taps
    let grain = max(1, (1 << 16) / max(row, 1))
    return withScratch(min(grain, outputs) * row) { elements in
      stride(from: 0, to: outputs, by: grain).allSatisfy { first in
        let some = first..<min(first + grain, outputs)
        readOutputs(some, elements)
        return kernels.elementwise.allFinite(some.count * row, elements)
      }
    }
  }
}
