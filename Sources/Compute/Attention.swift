import Kernels

/// Self-attention: softmax(q k^T / sqrt(channels per head)) v for each head.
///
/// - Parameters:
///   - qkv: [N, H, W, 3 C]; the channels are q, k and v, C each, heads one after another within each.
///   - heads: C divisible by it.
/// - Returns: [N, H, W, C].
public func attention(_ qkv: Tensor, heads: Int) -> Tensor {
  let shape = AttentionShape(qkv, heads: heads)
  let y = Tensor(uninitialized: [qkv.shape[0], qkv.shape[1], qkv.shape[2], shape.channels])
  Threads.forEach(shape.images * heads) { chunk in
    let (n, head) = (chunk / heads, chunk % heads)
    withScratch(shape.pixels * shape.pixels) { weights in
      attentionWeights(qkv, shape, image: n, head: head, into: weights)
      BLAS.multiply(
        rows: shape.pixels, columns: shape.headChannels, depth: shape.pixels, weights, shape.pixels,
        shape.operand(qkv, image: n, head: head, part: 2), 3 * shape.channels,
        into: y.mutable + n * shape.pixels * shape.channels + head * shape.headChannels, shape.channels)
    }
  }
  return y
}

/// The gradient of `attention` with respect to q, k and v; the attention weights are computed again.
/// - Parameter dy: [N, H, W, C].
/// - Returns: [N, H, W, 3 C].
public func attentionGradient(_ qkv: Tensor, heads: Int, _ dy: Tensor) -> Tensor {
  let shape = AttentionShape(qkv, heads: heads)
  precondition(dy.count * 3 == qkv.count, "gradient \(dy.shape) of \(qkv.shape)")
  let result = Tensor(uninitialized: qkv.shape)
  let (pixels, width, stride) = (shape.pixels, shape.headChannels, 3 * shape.channels)
  Threads.forEach(shape.images * heads) { chunk in
    let (n, head) = (chunk / heads, chunk % heads)
    let gradient = dy.pointer + n * pixels * shape.channels + head * width
    let target = result.mutable + n * pixels * stride + head * width
    withScratch(2 * pixels * pixels) { weights in
      let dWeights = weights + pixels * pixels
      attentionWeights(qkv, shape, image: n, head: head, into: weights)
      // dv = w^T dy, dw = dy v^T, then through the softmax to q k^T.
      BLAS.multiply(
        rows: pixels, columns: width, depth: pixels, weights, pixels, transposeA: true, gradient, shape.channels,
        into: target + 2 * shape.channels, stride)
      BLAS.multiply(
        rows: pixels, columns: pixels, depth: width, gradient, shape.channels,
        shape.operand(qkv, image: n, head: head, part: 2), stride, transposeB: true, into: dWeights, pixels)
      SoftmaxKernel.gradient(rows: pixels, columns: pixels, scale: shape.scale, y: weights, dWeights)
      BLAS.multiply(
        rows: pixels, columns: width, depth: pixels, dWeights, pixels,
        shape.operand(qkv, image: n, head: head, part: 1), stride,
        into: target, stride)
      BLAS.multiply(
        rows: pixels, columns: width, depth: pixels, dWeights, pixels, transposeA: true,
        shape.operand(qkv, image: n, head: head, part: 0), stride, into: target + shape.channels, stride)
    }
  }
  return result
}

private struct AttentionShape {
  let images: Int
  let pixels: Int
  let channels: Int
  let heads: Int

  init(_ qkv: Tensor, heads: Int) {
    precondition(qkv.shape.count == 4 && qkv.shape[3] % (3 * heads) == 0, "\(heads) heads of \(qkv.shape)")
    images = qkv.shape[0]
    pixels = qkv.shape[1] * qkv.shape[2]
    channels = qkv.shape[3] / 3
    self.heads = heads
  }

  var headChannels: Int { channels / heads }
  var scale: Float { 1 / Float(headChannels).squareRoot() }

  /// Rows of q (part 0), k (1) or v (2) of one image and head; their stride is 3 * channels.
  func operand(_ qkv: Tensor, image: Int, head: Int, part: Int) -> UnsafePointer<Float> {
    qkv.pointer + image * pixels * 3 * channels + part * channels + head * headChannels
  }
}

private func attentionWeights(
  _ qkv: Tensor, _ shape: AttentionShape, image: Int, head: Int, into weights: UnsafeMutablePointer<Float>
) {
  BLAS.multiply(
    rows: shape.pixels, columns: shape.pixels, depth: shape.headChannels,
    shape.operand(qkv, image: image, head: head, part: 0), 3 * shape.channels,
    shape.operand(qkv, image: image, head: head, part: 1), 3 * shape.channels, transposeB: true, into: weights,
    shape.pixels)
  SoftmaxKernel.forward(rows: shape.pixels, columns: shape.pixels, scale: shape.scale, weights)
}
