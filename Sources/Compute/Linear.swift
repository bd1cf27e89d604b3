import KernelInterface

/// y = x weight + bias.
///
/// - Parameters:
///   - x: [rows, inputs].
///   - weight: [inputs, outputs].
///   - bias: [outputs].
/// - Returns: [rows, outputs]; each row's bytes depend on that row alone.
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil) -> Tensor {
  let counted = WorkCount.begin(.linear)
  defer { counted?.end() }
  precondition(
    x.shape.count == 2 && weight.shape.count == 2 && x.shape[1] == weight.shape[0], "\(x.shape) by \(weight.shape)")
  let y = Tensor(uninitialized: [x.shape[0], weight.shape[1]])
  multiplyRows(
    x, weight, adjoint: false, ConvolutionEpilogue(bias: bias?.pointer, residual: nil, scale: 1), into: y)
  return y
}

/// Rows by a matrix [inputs, outputs], or by its transpose, cut by rows and by columns.
private func multiplyRows(
  _ x: Tensor, _ weight: Tensor, adjoint: Bool, _ epilogue: ConvolutionEpilogue, into y: Tensor
) {
  let (rows, depth, outputs) = (x.shape[0], x.shape[1], y.shape[1])
  let prepared = productWeights(
    weight.reshaped([1, 1] + weight.shape), depth: depth, outputs: outputs, adjoint: adjoint)
  let panels = kernels.panels(outputs)
  let (blockRows, shares) = linearCut(rows: rows, depth: depth, panels: panels)
  let blocks = (rows + blockRows - 1) / blockRows
  withExtendedLifetime(prepared) {
    Threads.forEach(blocks * shares) { task in
      let (block, share) = task.quotientAndRemainder(dividingBy: shares)
      let first = block * blockRows
      let count = min(blockRows, rows - first)
      let some = share * panels / shares..<(share + 1) * panels / shares
      let column = some.lowerBound * kernels.panelColumns
      let (padded, columns) = (
        some.count * kernels.panelColumns, min(some.upperBound * kernels.panelColumns, outputs) - column
      )
      withScratch(count * padded) { product in
        kernels.matrix.multiply(
          rows: count, columns: padded, depth: depth, x.pointer + first * depth, depth,
          packed: prepared.pointer + column * depth, into: product, padded)
        for row in 0..<count {
          let target = y.mutable + (first + row) * outputs + column
          kernels.elementwise.finish(
            rows: 1, columns: columns, product + row * padded, bias: epilogue.bias.map { $0 + column }, residual: nil,
            scale: epilogue.scale, into: target)
        }
      }
    }
  }
}

/// Rows of a block, and tasks that its panels are cut into, with which the threads end soonest. Results do not depend on it.
private func linearCut(rows: Int, depth: Int, panels: Int) -> (blockRows: Int, shares: Int) {
  let (step, threads) = (kernels.rowBlock, Threads.count)
  let most = min(96, (rows + step - 1) / step * step)
  var (best, least) = ((max(most, step), 1), Int.max)
  for blockRows in stride(from: max(most, step), through: step, by: -step) {
    let blocks = (rows + blockRows - 1) / blockRows
    for shares in 1...max(1, min(panels, 4 * threads / max(blocks, 1))) {
      let some = (panels + shares - 1) / shares
      // The rows are read again for each share, and handing out a task takes as long as some products.
      let work =
        min(blockRows, rows) * depth * (some * kernels.panelColumns + 4)
        + (blocks * shares > 1 ? (1 << 16) / threads : 0)
      let time = (blocks * shares + threads - 1) / threads * work
      if time < least / 32 * 31 { (best, least) = ((blockRows, shares), time) }
    }
  }
  return best
}

/// The gradient of `linear` with respect to x: dy weight^T, [rows, inputs].
public func linearInputGradient(_ dy: Tensor, weight: Tensor) -> Tensor {
  let counted = WorkCount.begin(.linearInputGradient)
  defer { counted?.end() }
  let dx = Tensor(uninitialized: [dy.shape[0], weight.shape[0]])
  multiplyRows(dy, weight, adjoint: true, ConvolutionEpilogue(bias: nil, residual: nil, scale: 1), into: dx)
  return dx
}

/// The gradient of `linear` with respect to the weight: x^T dy, [inputs, outputs].
public func linearWeightGradient(_ x: Tensor, _ dy: Tensor) -> Tensor {
  let counted = WorkCount.begin(.linearWeightGradient)
  defer { counted?.end() }
  let (rows, inputs, outputs) = (x.shape[0], x.shape[1], dy.shape[1])
  let dw = Tensor(uninitialized: [inputs, outputs])
  let pixels = PatchShape(height: 1, width: 1, channels: inputs, kernel: 1, padding: 0)
  productWeightGradient(pixels, pixels: rows, outputs: outputs, x.pointer, dy.pointer, into: dw)
  return dw
}
