import Kernels

/// y = x weight + bias.
///
/// - Parameters:
///   - x: [rows, inputs].
///   - weight: [inputs, outputs].
///   - bias: [outputs].
/// - Returns: [rows, outputs]; each row's bytes depend on that row alone.
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil) -> Tensor {
  precondition(
    x.shape.count == 2 && weight.shape.count == 2 && x.shape[1] == weight.shape[0], "\(x.shape) by \(weight.shape)")
  let (rows, inputs, outputs) = (x.shape[0], x.shape[1], weight.shape[1])
  let y = Tensor(uninitialized: [rows, outputs])
  let block = 16
  let blocks = (rows + block - 1) / block
  Threads.forEach(blocks) { index in
    let first = index * block
    let count = min(block, rows - first)
    withScratch(block * (inputs + outputs)) { padded in
      padded.update(from: x.pointer + first * inputs, count: count * inputs)
      (padded + count * inputs).update(repeating: 0, count: (block - count) * inputs)
      let product = padded + block * inputs
      BLAS.multiply(
        rows: block, columns: outputs, depth: inputs, padded, inputs, weight.pointer, outputs, into: product, outputs)
      Elementwise.finish(
        rows: count, columns: outputs, product, bias: bias?.pointer, residual: nil, scale: 1,
        into: y.mutable + first * outputs)
    }
  }
  return y
}

/// The gradient of `linear` with respect to x: dy weight^T, [rows, inputs].
public func linearInputGradient(_ dy: Tensor, weight: Tensor) -> Tensor {
  let (rows, outputs, inputs) = (dy.shape[0], dy.shape[1], weight.shape[0])
  let dx = Tensor(uninitialized: [rows, inputs])
  BLAS.multiply(
    rows: rows, columns: inputs, depth: outputs, dy.pointer, outputs, weight.pointer, outputs, transposeB: true,
    into: dx.mutable, inputs)
  return dx
}

/// The gradient of `linear` with respect to the weight: x^T dy, [inputs, outputs].
public func linearWeightGradient(_ x: Tensor, _ dy: Tensor) -> Tensor {
  let (rows, inputs, outputs) = (x.shape[0], x.shape[1], dy.shape[1])
  let dw = Tensor(uninitialized: [inputs, outputs])
  BLAS.multiply(
    rows: inputs, columns: outputs, depth: rows, x.pointer, inputs, transposeA: true, dy.pointer, outputs,
    into: dw.mutable, outputs)
  return dw
}
