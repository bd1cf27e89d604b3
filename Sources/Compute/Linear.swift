import KernelInterface

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
  let y = Tensor(uninitialized: [x.shape[0], weight.shape[1]])
  multiplyRows(
    x, weight, adjoint: false, ConvolutionEpilogue(bias: bias?.pointer, residual: nil, scale: 1), into: y)
  return y
}

/// Rows by a matrix [inputs, outputs], or by its transpose: a convolution of images of one pixel.
private func multiplyRows(
  _ x: Tensor, _ weight: Tensor, adjoint: Bool, _ epilogue: ConvolutionEpilogue, into y: Tensor
) {
  let shape = ConvolutionShape(
    images: x.shape[0], height: 1, width: 1, inputs: x.shape[1], outputs: y.shape[1], kernel: 1, padding: 0)
  let prepared = productWeights(weight.reshaped([1, 1] + weight.shape), shape, adjoint: adjoint)
  withExtendedLifetime(prepared) {
    productConvolution(
      shape, depthBlock: shape.depth, x.pointer, packed: prepared.pointer, epilogue, into: y.mutable)
  }
}

/// The gradient of `linear` with respect to x: dy weight^T, [rows, inputs].
public func linearInputGradient(_ dy: Tensor, weight: Tensor) -> Tensor {
  let dx = Tensor(uninitialized: [dy.shape[0], weight.shape[0]])
  multiplyRows(dy, weight, adjoint: true, ConvolutionEpilogue(bias: nil, residual: nil, scale: 1), into: dx)
  return dx
}

/// The gradient of `linear` with respect to the weight: x^T dy, [inputs, outputs].
public func linearWeightGradient(_ x: Tensor, _ dy: Tensor) -> Tensor {
  let (rows, inputs, outputs) = (x.shape[0], x.shape[1], dy.shape[1])
  let dw = Tensor(uninitialized: [inputs, outputs])
  MatrixProduct.multiply(
    rows: inputs, columns: outputs, depth: rows, x.pointer, inputs, transposeA: true, dy.pointer, outputs,
    into: dw.mutable, outputs)
  return dw
}
