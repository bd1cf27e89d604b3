import KernelInterface

/// Convolution of NHWC images by a square kernel, stride 1.
///
/// Weights are [kernel, kernel, inputs, outputs]. `ConvolutionPlan` says which kernel computes it; whichever it is, the
/// bytes of an image do not depend on its neighbours in the batch.
public struct ConvolutionShape: Sendable, Equatable {
  /// Images, height and width of the input.
  public let images: Int, height: Int, width: Int
  /// Channels of input and output.
  public let inputs: Int, outputs: Int
  /// Height and width of the kernel.
  public let kernel: Int
  /// Zeros around each image.
  public let padding: Int

  /// - Precondition: the kernel fits into the padded image.
  public init(images: Int, height: Int, width: Int, inputs: Int, outputs: Int, kernel: Int, padding: Int) {
    precondition(
      height + 2 * padding >= kernel && width + 2 * padding >= kernel, "kernel \(kernel) on \(height)x\(width)")
    (self.images, self.height, self.width, self.inputs, self.outputs) = (images, height, width, inputs, outputs)
    (self.kernel, self.padding) = (kernel, padding)
  }

  /// Height of the output.
  public var outHeight: Int { height + 2 * padding - kernel + 1 }
  /// Width of the output.
  public var outWidth: Int { width + 2 * padding - kernel + 1 }
  /// Floating-point operations of a forward pass.
  public var flops: Int { 2 * images * outHeight * outWidth * kernel * kernel * inputs * outputs }

  var pixels: Int { images * outHeight * outWidth }
  var depth: Int { kernel * kernel * inputs }
  /// The shape that carries a gradient of the output back to the input.
  var adjoint: ConvolutionShape {
    ConvolutionShape(
      images: images, height: outHeight, width: outWidth, inputs: outputs, outputs: inputs, kernel: kernel,
      padding: kernel - 1 - padding)
  }
  var patches: PatchShape {
    PatchShape(height: height, width: width, channels: inputs, kernel: kernel, padding: padding)
  }
}

/// y = (x * weight + bias + residual) * scale.
///
/// - Parameters:
///   - x: [N, H, W, inputs].
///   - weight: [kernel, kernel, inputs, outputs].
///   - bias: [outputs].
///   - residual: the shape of the result.
///   - padding: zeros around each image, kernel / 2 unless given.
/// - Returns: [N, H', W', outputs].
public func convolution(
  _ x: Tensor, weight: Tensor, bias: Tensor? = nil, residual: Tensor? = nil, scale: Float = 1, padding: Int? = nil
) -> Tensor {
  let counted = WorkCount.begin(weight.shape[0] > 1 ? .convolution : .pointwise)
  defer { counted?.end() }
  let shape = convolutionShape(x, weight: weight, padding: padding)
  precondition(bias.map { $0.count == shape.outputs } ?? true, "bias \(bias?.shape ?? []) of \(shape.outputs) outputs")
  let y = Tensor(uninitialized: [shape.images, shape.outHeight, shape.outWidth, shape.outputs])
  precondition(residual.map { $0.shape == y.shape } ?? true, "residual \(residual?.shape ?? []) of \(y.shape)")
  let epilogue = ConvolutionEpilogue(bias: bias?.pointer, residual: residual?.pointer, scale: scale)
  convolve(x, weight, shape, adjoint: false, epilogue, into: y)
  return y
}

/// Computes a convolution by the kernel that the plan names.
/// - Parameter adjoint: whether it carries a gradient back; `shape` is that of the gradient's convolution then.
private func convolve(
  _ x: Tensor, _ weight: Tensor, _ shape: ConvolutionShape, adjoint: Bool, _ epilogue: ConvolutionEpilogue,
  into y: Tensor
) {
  switch ConvolutionPlan(shape, mode: KernelSet.mode) {
  case .winograd(let size):
    let tiles = WinogradShape(shape, size)
    let prepared = winogradWeights(weight, tiles, adjoint: adjoint)
    withExtendedLifetime(prepared) {
      winogradConvolution(
        images: shape.images, tiles, x.pointer, packed: prepared.pointer, epilogue, into: y.mutable)
    }
  case .product: multiply(depthBlock: shape.depth)
  case .tapwise: multiply(depthBlock: max(shape.inputs, 32))
  }
  func multiply(depthBlock: Int) {
    let prepared = productWeights(weight, shape, adjoint: adjoint)
    func multiply(_ terms: [PixelTerms]) {
      withExtendedLifetime(prepared) {
        productConvolution(
          shape, depthBlock: depthBlock, terms, packed: prepared.pointer, epilogue, into: y.mutable)
      }
    }
    guard shape.patches.isPointwise else {
      return multiply([PixelTerms(pointer: x.pointer, pixel: shape.inputs, terms: 0..<shape.depth)])
    }
    x.withChannelParts { parts in
      multiply(parts.map { PixelTerms(pointer: $0.pointer, pixel: $0.channels.count, terms: $0.channels) })
    }
  }
}

/// The gradient of a convolution with respect to its input.
///
/// - Parameters:
///   - dy: gradient of the unscaled output, [N, H', W', outputs].
///   - weight: [kernel, kernel, inputs, outputs].
/// - Returns: [N, H, W, inputs].
public func convolutionInputGradient(_ dy: Tensor, weight: Tensor, padding: Int? = nil) -> Tensor {
  let counted = WorkCount.begin(weight.shape[0] > 1 ? .convolutionInputGradient : .pointwiseInputGradient)
  defer { counted?.end() }
  let kernel = weight.shape[0]
  let padding = padding ?? kernel / 2
  let shape = ConvolutionShape(
    images: dy.shape[0], height: dy.shape[1] + kernel - 1 - 2 * padding, width: dy.shape[2] + kernel - 1 - 2 * padding,
    inputs: weight.shape[2], outputs: weight.shape[3], kernel: kernel, padding: padding)
  precondition(dy.shape[3] == shape.outputs, "gradient \(dy.shape) of \(shape.outputs) outputs")
  let dx = Tensor(uninitialized: [shape.images, shape.height, shape.width, shape.inputs])
  convolve(
    dy, weight, shape.adjoint, adjoint: true, ConvolutionEpilogue(bias: nil, residual: nil, scale: 1), into: dx)
  return dx
}

/// The gradient of a convolution with respect to its weight.
///
/// - Parameters:
///   - x: [N, H, W, inputs].
///   - dy: gradient of the unscaled output, [N, H', W', outputs].
///   - kernel: height and width of the kernel.
/// - Returns: [kernel, kernel, inputs, outputs].
public func convolutionWeightGradient(_ x: Tensor, _ dy: Tensor, kernel: Int, padding: Int? = nil) -> Tensor {
  let counted = WorkCount.begin(kernel > 1 ? .convolutionWeightGradient : .pointwiseWeightGradient)
  defer { counted?.end() }
  let shape = ConvolutionShape(
    images: x.shape[0], height: x.shape[1], width: x.shape[2], inputs: x.shape[3], outputs: dy.shape[3], kernel: kernel,
    padding: padding ?? kernel / 2)
  let result = Tensor(uninitialized: [kernel, kernel, shape.inputs, shape.outputs])
  if case .winograd(let size) = ConvolutionPlan(shape, mode: KernelSet.mode) {
    winogradWeightGradient(
      images: shape.images, WinogradShape(shape, size), x.pointer, dy.pointer, into: result.mutable)
    return result
  }
  productWeightGradient(
    shape.patches, pixels: shape.pixels, outputs: shape.outputs, x.pointer, dy.pointer, into: result)
  return result
}

/// Sums over all axes but the last: the gradient of a bias.
/// - Returns: [channels].
public func sumOverPixels(_ dy: Tensor) -> Tensor {
  let counted = WorkCount.begin(.biasGradient)
  defer { counted?.end() }
  let channels = dy.shape.last ?? 1
  var rows = dy.count / max(channels, 1)
  // Levels of sums keep the float32 error small: blocks of rows first, then blocks of those. Whatever the threads, the levels
  // are the same.
  var (sums, blockRows) = (dy, 64)
  repeat {
    let blocks = max(1, (rows + blockRows - 1) / blockRows)
    sums = columnSums(sums, rows: rows, channels: channels, blocks: blocks, blockRows: blockRows)
    (rows, blockRows) = (blocks, 16)
  } while rows > 1
  return sums.reshaped([channels])
}

/// The sums over the rows of each block, [blocks, channels]. Each task has some blocks, or some columns of one.
private func columnSums(_ x: Tensor, rows: Int, channels: Int, blocks: Int, blockRows: Int) -> Tensor {
  let sums = Tensor(uninitialized: [blocks, channels])
  let grain = evenGrain(blocks * channels, floats: min(rows, blockRows))
  let columns = min(channels, max(16, (grain + 15) / 16 * 16))
  let shares = (channels + columns - 1) / max(columns, 1)
  let together = max(1, grain / max(channels, 1))
  Threads.forEach((blocks + together - 1) / together * shares) { task in
    let (group, share) = task.quotientAndRemainder(dividingBy: shares)
    let first = share * columns
    let count = min(columns, channels - first)
    for block in group * together..<min((group + 1) * together, blocks) {
      let target = sums.mutable + block * channels + first
      target.update(repeating: 0, count: count)
      kernels.elementwise.addColumnSums(
        rows: min(blockRows, rows - block * blockRows), columns: count,
        x.pointer + block * blockRows * channels + first, stride: channels, to: target)
    }
  }
  return sums
}

private func convolutionShape(_ x: Tensor, weight: Tensor, padding: Int?) -> ConvolutionShape {
  precondition(
    x.shape.count == 4 && weight.shape.count == 4 && weight.shape[2] == x.shape[3]
      && weight.shape[0] == weight.shape[1],
    "convolution of \(x.shape) by \(weight.shape)")
  return ConvolutionShape(
    images: x.shape[0], height: x.shape[1], width: x.shape[2], inputs: x.shape[3], outputs: weight.shape[3],
    kernel: weight.shape[0],
    padding: padding ?? weight.shape[0] / 2)
}
