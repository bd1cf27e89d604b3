import Kernels

/// y = (patches of x by the packed weights + bias + residual) * scale.
///
/// - Parameters:
///   - depthBlock: how many terms are summed before they join the total. The channels of one tap round less than all taps
///     in one chain: the rounding of small gradients was seen to be a third.
///   - packed: the panels of [kernel * kernel * inputs, outputs].
func productConvolution(
  _ shape: ConvolutionShape, depthBlock: Int, _ x: UnsafePointer<Float>, packed: UnsafePointer<Float>,
  _ epilogue: ConvolutionEpilogue, into y: UnsafeMutablePointer<Float>
) {
  let rows = productBlockRows(shape)
  let blocks = (shape.pixels + rows - 1) / rows
  let columns = MatrixMultiply.panels(shape.outputs) * MatrixMultiply.panelColumns
  let isWhole = columns == shape.outputs
  let patchCount = shape.isPointwise ? 0 : rows * shape.depth
  Threads.forEach(blocks) { block in
    let first = block * rows
    let count = min(rows, shape.pixels - first)
    let out = y + first * shape.outputs
    withScratch(patchCount + (isWhole ? 0 : rows * columns)) { memory in
      var operand = x + first * shape.inputs
      if !shape.isPointwise {
        Patches.gather(
          x, height: shape.height, width: shape.width, channels: shape.inputs, kernel: shape.kernel,
          padding: shape.padding, first: first, count: count, into: memory)
        operand = UnsafePointer(memory)
      }
      let product = isWhole ? out : memory + patchCount
      for start in stride(from: 0, to: shape.depth, by: depthBlock) {
        MatrixMultiply.multiply(
          rows: count, columns: columns, depth: min(depthBlock, shape.depth - start), operand + start, shape.depth,
          packed: packed + start * MatrixMultiply.panelColumns, packedDepth: shape.depth, into: product, columns,
          accumulate: start > 0)
      }
      if !isWhole {
        for row in 0..<count { (out + row * shape.outputs).update(from: product + row * columns, count: shape.outputs) }
      }
      Elementwise.finish(
        rows: count, columns: shape.outputs, out, bias: epilogue.bias,
        residual: epilogue.residual.map { $0 + first * shape.outputs }, scale: epilogue.scale, into: out)
    }
  }
}

/// Rows of one block: what stays in the second cache, cut so that the threads end together. Results do not depend on it.
private func productBlockRows(_ shape: ConvolutionShape) -> Int {
  let step = MatrixMultiply.rowBlock
  let most = max(step, min(96, (64 << 10) / max(shape.depth, 1)) / step * step)
  let share = (shape.pixels + 4 * Threads.count - 1) / (4 * Threads.count)
  return min(most, max(step, (share + step - 1) / step * step))
}

/// Weights in panels, for `productConvolution`.
/// - Parameter adjoint: for the gradient with respect to the input; `shape` is that of the gradient's convolution then.
func productWeights(_ weight: Tensor, _ shape: ConvolutionShape, adjoint: Bool) -> PreparedWeights {
  let count = MatrixMultiply.packedCount(depth: shape.depth, columns: shape.outputs)
  return .of(weight, .product(adjoint: adjoint), count: count) { packed in
    if adjoint {
      withScratch(weight.count) { rotated in
        rotateWeights(weight, into: rotated)
        MatrixMultiply.pack(
          depth: shape.depth, columns: shape.outputs, rotated, stride: shape.outputs, into: packed)
      }
    } else {
      MatrixMultiply.pack(
        depth: shape.depth, columns: shape.outputs, weight.pointer, stride: shape.outputs, into: packed)
    }
  }
}
