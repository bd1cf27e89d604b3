import KernelInterface

/// y = (patches of x by the packed weights + bias + residual) * scale.
///
/// - Parameters:
///   - depthBlock: how many terms are summed before they join the total. The channels of one tap round less than all taps
///     in one chain: the rounding of small gradients was seen to be a third.
///   - x: the images; of a 1x1 kernel, their channels in one or more parts.
///   - packed: the panels of [kernel * kernel * inputs, outputs].
func productConvolution(
  _ shape: ConvolutionShape, depthBlock: Int, _ x: [PixelTerms], packed: UnsafePointer<Float>,
  _ epilogue: ConvolutionEpilogue, into y: UnsafeMutablePointer<Float>
) {
  forEachProduct(
    shape.patches, images: shape.images, outputs: shape.outputs, depthBlock: depthBlock, x, packed: packed, directly: y
  ) { first, count, product, columns in
    let out = y + first * shape.outputs
    if product != out {
      for row in 0..<count { copyFloats(product + row * columns, to: out + row * shape.outputs, count: shape.outputs) }
    }
    kernels.elementwise.finish(
      rows: count, columns: shape.outputs, out, bias: epilogue.bias,
      residual: epilogue.residual.map { $0 + first * shape.outputs }, scale: epilogue.scale, into: out)
  }
}

/// Neighbouring terms of a product, and where every pixel has them.
struct PixelTerms {
  let pointer: UnsafePointer<Float>
  /// Floats from one pixel to the next.
  let pixel: Int
  /// Which terms of the sums they are.
  let terms: Range<Int>
}

/// Multiplies receptive fields by packed weights, block by block on all threads.
///
/// - Parameters:
///   - x: the images; of a 1x1 kernel, their channels in one or more parts, over which the sums go on.
///   - directly: where the products of [pixels, outputs] go if their rows fill whole panels; otherwise, and without it, they
///     go to memory that lives as long as `finish`.
///   - finish: is called for each block with its first pixel, the number of its pixels, and products whose rows are as
///     many floats apart as the last argument says.
func forEachProduct(
  _ shape: PatchShape, images: Int, outputs: Int, depthBlock: Int, _ x: [PixelTerms],
  packed: UnsafePointer<Float>, directly y: UnsafeMutablePointer<Float>? = nil,
  finish: (Int, Int, UnsafeMutablePointer<Float>, Int) -> Void
) {
  let pixels = images * shape.outHeight * shape.outWidth
  let rows = productBlockRows(pixels: pixels, depth: shape.depth)
  let columns = kernels.panels(outputs) * kernels.panelColumns
  let whole = columns == outputs ? y : nil
  let patchCount = shape.isPointwise ? 0 : rows * shape.depth
  Threads.forEach((pixels + rows - 1) / rows) { block in
    let first = block * rows
    let count = min(rows, pixels - first)
    withScratch(patchCount + (whole == nil ? rows * columns : 0)) { memory in
      let product = whole.map { $0 + first * outputs } ?? memory + patchCount
      for part in x {
        var (operand, row) = (part.pointer + first * part.pixel, part.pixel)
        if !shape.isPointwise {
          kernels.patches.gather(part.pointer, shape, first: first, count: count, into: memory)
          (operand, row) = (UnsafePointer(memory), shape.depth)
        }
        for start in stride(from: 0, to: part.terms.count, by: depthBlock) {
          let term = part.terms.lowerBound + start
          kernels.matrix.multiply(
            rows: count, columns: columns, depth: min(depthBlock, part.terms.count - start), operand + start, row,
            packed: packed + term * kernels.panelColumns, packedDepth: shape.depth, into: product, columns,
            term == 0 ? .new : start == 0 ? .resuming : .joining)
        }
      }
      finish(first, count, product, columns)
    }
  }
}

/// Rows of one block: what stays in the second cache, cut so that the threads end together. Results do not depend on it.
private func productBlockRows(pixels: Int, depth: Int) -> Int {
  let step = kernels.rowBlock
  let most = max(step, min(96, (64 << 10) / max(depth, 1)) / step * step)
  let share = (pixels + 4 * Threads.count - 1) / (4 * Threads.count)
  return min(most, max(step, (share + step - 1) / step * step))
}

/// Weights in panels, for `productConvolution`.
/// - Parameter adjoint: for the gradient with respect to the input; `shape` is that of the gradient's convolution then.
func productWeights(_ weight: Tensor, _ shape: ConvolutionShape, adjoint: Bool) -> PreparedWeights {
  productWeights(weight, depth: shape.depth, outputs: shape.outputs, adjoint: adjoint)
}

/// The same for a kernel of any shape.
func productWeights(_ weight: Tensor, depth: Int, outputs: Int, adjoint: Bool) -> PreparedWeights {
  let count = kernels.packedCount(depth: depth, columns: outputs)
  return .of(weight, .product(adjoint: adjoint), count: count) { packed in
    func pack(_ source: UnsafePointer<Float>) {
      // Panels, or parts of one.
      let width = kernels.panelColumns
      let rows = min(depth, evenGrain(kernels.panels(outputs) * depth, floats: 2 * width))
      let parts = (depth + rows - 1) / max(rows, 1)
      Threads.forEach(kernels.panels(outputs) * parts) { task in
        let (first, row) = (task / parts * width, task % parts * rows)
        kernels.matrix.pack(
          depth: min(rows, depth - row), columns: min(width, outputs - first), source + row * outputs + first,
          stride: outputs, into: packed + first * depth + row * width)
      }
    }
    if adjoint {
      withScratch(weight.count) { rotated in
        rotateWeights(weight, into: rotated)
        pack(rotated)
      }
    } else {
      pack(weight.pointer)
    }
  }
}
