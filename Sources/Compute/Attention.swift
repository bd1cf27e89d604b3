import KernelInterface

/// Self-attention: softmax(q k^T / sqrt(channels per head)) v for each head.
///
/// The weights of a block of queries are computed, used and forgotten; there is never a matrix of pixels by pixels.
/// - Parameters:
///   - qkv: [N, H, W, 3 C]; the channels are q, k and v, C each, heads one after another within each.
///   - heads: C divisible by it.
/// - Returns: [N, H, W, C].
public func attention(_ qkv: Tensor, heads: Int) -> Tensor {
  let counted = WorkCount.begin(.attention)
  defer { counted?.end() }
  let shape = AttentionShape(qkv, heads: heads)
  let y = Tensor(uninitialized: [qkv.shape[0], qkv.shape[1], qkv.shape[2], shape.channels])
  let packedCount = shape.transposedCount + shape.matrixCount
  func pack(_ chunk: Int, into keys: UnsafeMutablePointer<Float>) {
    shape.packTransposed(shape.operand(qkv, chunk, .key), into: keys)
    shape.pack(shape.operand(qkv, chunk, .value), into: keys + shape.transposedCount)
  }
  func attend(_ chunk: Int, block: Int, _ keys: UnsafePointer<Float>) {
    let queries = shape.queries(block: block)
    let out = y.mutable + shape.position(chunk, pixel: queries.lowerBound)
    withScratch(shape.blockRows * (shape.stripStride + shape.columns + 1)) { weights in
      let product = weights + shape.blockRows * shape.stripStride
      let reciprocals = product + shape.blockRows * shape.columns
      shape.exponentials(
        shape.operand(qkv, chunk, .query), queries, keys: keys, into: weights, reciprocals: reciprocals)
      shape.multiply(queries.count, weights, keys + shape.transposedCount, into: product)
      kernels.softmax.scaleRows(
        rows: queries.count, columns: shape.headChannels, product, stride: shape.columns, by: reciprocals, into: out,
        stride: shape.channels)
    }
  }
  // Many heads: each by itself, with its keys and values in cache. Few: their blocks of queries side by side.
  let chunks = shape.images * heads
  if shape.blocks == 1 || chunks >= 16 && Threads.areBusy(tasks: chunks) {
    Threads.forEach(chunks) { chunk in
      withScratch(packedCount) { keys in
        pack(chunk, into: keys)
        for block in 0..<shape.blocks { attend(chunk, block: block, keys) }
      }
    }
  } else {
    let packed = Tensor(uninitialized: [chunks, packedCount])
    Threads.forEach(chunks) { pack($0, into: packed.mutable + $0 * packedCount) }
    Threads.forEach(chunks * shape.blocks) { index in
      let chunk = index / shape.blocks
      attend(chunk, block: index % shape.blocks, packed.pointer + chunk * packedCount)
    }
  }
  return y
}

/// The gradient of `attention` with respect to q, k and v; the attention weights are computed again, block by block.
/// - Parameter dy: [N, H, W, C].
/// - Returns: [N, H, W, 3 C].
public func attentionGradient(_ qkv: Tensor, heads: Int, _ dy: Tensor) -> Tensor {
  let counted = WorkCount.begin(.attentionGradient)
  defer { counted?.end() }
  let shape = AttentionShape(qkv, heads: heads)
  precondition(dy.count * 3 == qkv.count, "gradient \(dy.shape) of \(qkv.shape)")
  let result = Tensor(uninitialized: qkv.shape)
  let (pixels, width, stride) = (shape.pixels, shape.headChannels, 3 * shape.channels)
  let strip = shape.blockRows * shape.stripStride
  let blockCount = shape.blockRows * shape.columns
  let sumCount = pixels * shape.columns
  Threads.forEach(shape.images * heads) { chunk in
    let (q, k, v) = (
      shape.operand(qkv, chunk, .query), shape.operand(qkv, chunk, .key), shape.operand(qkv, chunk, .value)
    )
    func target(_ part: AttentionShape.Part) -> UnsafeMutablePointer<Float> {
      result.mutable + shape.offset(chunk, part)
    }
    withScratch(2 * shape.transposedCount + shape.matrixCount + 2 * sumCount + 2 * strip + 2 * blockCount + 96) {
      keysTransposed in
      let valuesTransposed = keysTransposed + shape.transposedCount
      let keys = valuesTransposed + shape.transposedCount
      let (dKeys, dValues) = (keys + shape.matrixCount, keys + shape.matrixCount + sumCount)
      let weights = dValues + sumCount
      let dWeights = weights + strip
      let (packedBlock, product) = (dWeights + strip, dWeights + strip + blockCount)
      let reciprocals = product + blockCount
      shape.packTransposed(k, into: keysTransposed)
      shape.packTransposed(v, into: valuesTransposed)
      shape.pack(k, into: keys)
      // Gradients of keys and values are summed over the blocks, in order.
      for block in 0..<shape.blocks {
        let queries = shape.queries(block: block)
        let (first, rows) = (queries.lowerBound, queries.count)
        let gradient = dy.pointer + shape.position(chunk, pixel: first)
        func addTransposed(_ strip: UnsafePointer<Float>, to sum: UnsafeMutablePointer<Float>) {
          kernels.matrix.multiplyTransposed(
            rows: pixels, columns: width, depth: rows, strip, shape.stripStride, packed: packedBlock, into: sum,
            shape.columns, accumulate: block > 0)
        }
        shape.exponentials(q, queries, keys: keysTransposed, into: weights, reciprocals: reciprocals)
        // dw = dy v^T, then through the softmax to q k^T; dv = w^T dy.
        kernels.matrix.multiply(
          rows: rows, columns: pixels, depth: width, gradient, shape.channels, packed: valuesTransposed,
          into: dWeights, shape.stripStride)
        kernels.softmax.gradient(
          rows: rows, columns: pixels, scale: shape.scale, weights: weights, reciprocals: reciprocals, dWeights,
          stride: shape.stripStride)
        kernels.matrix.pack(depth: rows, columns: width, gradient, stride: shape.channels, into: packedBlock)
        addTransposed(weights, to: dValues)
        kernels.matrix.pack(depth: rows, columns: width, q + first * stride, stride: stride, into: packedBlock)
        addTransposed(dWeights, to: dKeys)
        shape.multiply(rows, dWeights, keys, into: product)
        shape.copy(rows, product, to: target(.query) + first * stride)
      }
      shape.copy(pixels, dKeys, to: target(.key))
      shape.copy(pixels, dValues, to: target(.value))
    }
  }
  return result
}

/// Floats that a thread works on for one head of an image: packed keys and values, and a block's weights.
/// - Parameter isGradient: for the gradient, which packs more and sums over blocks.
public func attentionScratchFloats(pixels: Int, headChannels: Int, isGradient: Bool) -> Int {
  let shape = AttentionShape(images: 1, pixels: pixels, channels: headChannels, heads: 1)
  let packed = shape.transposedCount + shape.matrixCount
  let block = shape.blockRows * (shape.stripStride + shape.columns)
  return isGradient ? packed + shape.transposedCount + 2 * pixels * shape.columns + 2 * block : packed + block
}

private struct AttentionShape {
  enum Part: Int { case query, key, value }

  let images: Int
  let pixels: Int
  let channels: Int
  let heads: Int

  init(images: Int, pixels: Int, channels: Int, heads: Int) {
    (self.images, self.pixels, self.channels, self.heads) = (images, pixels, channels, heads)
  }

  init(_ qkv: Tensor, heads: Int) {
    precondition(
      heads > 0 && qkv.shape.count == 4 && qkv.shape[3] % (3 * heads) == 0, "\(heads) heads of \(qkv.shape)")
    self.init(images: qkv.shape[0], pixels: qkv.shape[1] * qkv.shape[2], channels: qkv.shape[3] / 3, heads: heads)
  }

  var headChannels: Int { channels / heads }
  var scale: Float { 1 / Float(headChannels).squareRoot() }

  /// Queries of one block: few enough that their weights stay in the second-level cache.
  var blockRows: Int {
    let rows = kernels.rowBlock
    return min(pixels, max(2, min(16, 49152 / (pixels * rows))) * rows)
  }
  var blocks: Int { (pixels + blockRows - 1) / blockRows }
  func queries(block: Int) -> Range<Int> { block * blockRows..<min((block + 1) * blockRows, pixels) }

  /// From one row of weights to the next: no power of two, whose rows would share their places in the cache.
  var stripStride: Int { (kernels.panels(pixels) + 1) * kernels.panelColumns }
  /// Channels of a head in whole panels.
  var columns: Int { kernels.panels(headChannels) * kernels.panelColumns }
  /// Floats of packed [headChannels, pixels] and [pixels, headChannels] matrices.
  var transposedCount: Int { kernels.packedCount(depth: headChannels, columns: pixels) }
  var matrixCount: Int { kernels.packedCount(depth: pixels, columns: headChannels) }

  /// Where q, k or v of an image's head begin; `chunk` counts heads over all images. Rows are 3 * channels apart.
  func offset(_ chunk: Int, _ part: Part) -> Int {
    chunk / heads * pixels * 3 * channels + part.rawValue * channels + chunk % heads * headChannels
  }

  func operand(_ qkv: Tensor, _ chunk: Int, _ part: Part) -> UnsafePointer<Float> {
    qkv.pointer + offset(chunk, part)
  }

  /// Where a pixel's channels of a head are in [N, H, W, C].
  func position(_ chunk: Int, pixel: Int) -> Int {
    (chunk / heads * pixels + pixel) * channels + chunk % heads * headChannels
  }

  func pack(_ rows: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
    kernels.matrix.pack(depth: pixels, columns: headChannels, rows, stride: 3 * channels, into: packed)
  }

  func packTransposed(_ rows: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
    kernels.matrix.packTransposed(depth: headChannels, columns: pixels, rows, stride: 3 * channels, into: packed)
  }

  /// Attention weights of some queries, [queries, pixels], up to a factor for each row.
  func exponentials(
    _ q: UnsafePointer<Float>, _ queries: Range<Int>, keys: UnsafePointer<Float>,
    into weights: UnsafeMutablePointer<Float>, reciprocals: UnsafeMutablePointer<Float>
  ) {
    kernels.matrix.multiply(
      rows: queries.count, columns: pixels, depth: headChannels, q + queries.lowerBound * 3 * channels, 3 * channels,
      packed: keys, into: weights, stripStride)
    kernels.softmax.exponentials(
      rows: queries.count, columns: pixels, scale: scale, weights, stride: stripStride, reciprocals: reciprocals)
  }

  /// A strip [rows, pixels] by a packed [pixels, headChannels] matrix, in stretches of pixels that stay in cache.
  func multiply(
    _ rows: Int, _ strip: UnsafePointer<Float>, _ packed: UnsafePointer<Float>,
    into product: UnsafeMutablePointer<Float>
  ) {
    let stretch = 128
    for start in Swift.stride(from: 0, to: pixels, by: stretch) {
      kernels.matrix.multiply(
        rows: rows, columns: headChannels, depth: min(stretch, pixels - start), strip + start, stripStride,
        packed: packed + start * kernels.panelColumns, packedDepth: pixels, into: product, columns,
        start > 0 ? .joining : .new)
    }
  }

  /// Rows of whole panels to rows of q, k or v.
  func copy(_ rows: Int, _ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
    for r in 0..<rows { copyFloats(source + r * columns, to: target + r * 3 * channels, count: headChannels) }
  }
}
