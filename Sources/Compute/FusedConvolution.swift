import KernelInterface

/// Neighbouring channels of NHWC images: what a branch of a network reads, or writes of a concatenation.
package struct ChannelSlice: Sendable {
  /// [N, height, width, channels].
  package let tensor: Tensor
  /// The channels.
  package let channels: Range<Int>

  /// - Parameter channels: all of them unless given.
  package init(_ tensor: Tensor, _ channels: Range<Int>? = nil) {
    let all = 0..<(tensor.shape.last ?? 0)
    precondition(tensor.shape.count == 4 && all.contains(channels ?? all), "channels of \(tensor.shape)")
    (self.tensor, self.channels) = (tensor, channels ?? all)
  }

  /// Floats from one pixel to the next.
  var pixel: Int { tensor.shape[3] }
  var pointer: UnsafePointer<Float> { tensor.pointer + channels.lowerBound }
  /// For the operation that creates the tensor.
  var mutable: UnsafeMutablePointer<Float> { tensor.mutable + channels.lowerBound }
}

extension Range<Int> {
  fileprivate func contains(_ other: Range<Int>) -> Bool {
    lowerBound <= other.lowerBound && other.upperBound <= upperBound
  }
}

/// A convolution of a network that is not trained, with its bias and max(x, 0): any kernel, any stride, from channels of
/// one tensor to channels of others.
///
/// An image's bytes do not depend on its neighbours in the batch.
package struct FusedConvolution: Sendable {
  /// [kernel height, kernel width, inputs, outputs].
  package let weight: Tensor
  /// [outputs].
  package let bias: Tensor
  /// Pixels from one receptive field to the next.
  package let stride: Int
  /// Zeros above and below, and left and right of each image.
  package let padding: (vertical: Int, horizontal: Int)

  /// Where some of the outputs go.
  package struct Part {
    let target: ChannelSlice
    let rectifies: Bool

    /// - Parameters:
    ///   - target: as many channels as outputs go there, of a tensor that nobody else sees yet.
    ///   - rectifies: whether negative results become zero.
    package init(_ target: ChannelSlice, rectifies: Bool = true) {
      (self.target, self.rectifies) = (target, rectifies)
    }
  }

  /// - Parameters:
  ///   - weight: [kernel height, kernel width, inputs, outputs].
  ///   - bias: [outputs].
  package init(weight: Tensor, bias: Tensor, stride: Int = 1, padding: (vertical: Int, horizontal: Int) = (0, 0)) {
    precondition(weight.shape.count == 4 && bias.count == weight.shape[3], "\(weight.shape) and \(bias.shape)")
    (self.weight, self.bias, self.stride, self.padding) = (weight, bias, stride, padding)
  }

  /// Output channels.
  package var outputs: Int { weight.shape[3] }

  private func shape(height: Int, width: Int, pixel: Int) -> PatchShape {
    PatchShape(
      height: height, width: width, channels: weight.shape[2], pixel: pixel, kernelHeight: weight.shape[0],
      kernelWidth: weight.shape[1], stride: stride, verticalPadding: padding.vertical,
      horizontalPadding: padding.horizontal)
  }

  /// Height and width of the result for images of a size.
  package func outputSize(height: Int, width: Int) -> (height: Int, width: Int) {
    let shape = shape(height: height, width: width, pixel: weight.shape[2])
    return (shape.outHeight, shape.outWidth)
  }

  /// All outputs of an image, in a tensor of their own.
  package func callAsFunction(_ x: ChannelSlice) -> Tensor {
    let size = outputSize(height: x.tensor.shape[1], width: x.tensor.shape[2])
    let y = Tensor(uninitialized: [x.tensor.shape[0], size.height, size.width, outputs])
    self(x, into: [Part(ChannelSlice(y))])
    return y
  }

  /// Writes the outputs, in order, to the parts.
  package func callAsFunction(_ x: ChannelSlice, into parts: [Part]) {
    let counted = WorkCount.begin(weight.shape[0] * weight.shape[1] > 1 ? .convolution : .pointwise)
    defer { counted?.end() }
    let images = x.tensor.shape[0]
    let shape = shape(height: x.tensor.shape[1], width: x.tensor.shape[2], pixel: x.pixel)
    precondition(
      x.channels.count == shape.channels && parts.reduce(0) { $0 + $1.target.channels.count } == outputs
        && parts.allSatisfy { $0.target.tensor.shape.dropLast() == [images, shape.outHeight, shape.outWidth] },
      "\(x.tensor.shape) channels \(x.channels) by \(weight.shape)")
    if parts.count == 1, let filter = ConvolutionPlan.filter(shape, mode: KernelSet.mode) {
      filtered(x, WinogradShape(shape, outputs: outputs, filter), parts[0])
    } else {
      multiplied(x, shape, parts)
    }
  }

  private func filtered(_ x: ChannelSlice, _ shape: WinogradShape, _ part: Part) {
    var shape = shape
    shape.outputPixel = part.target.pixel
    let prepared = winogradWeights(weight, shape, adjoint: false)
    withExtendedLifetime(prepared) {
      winogradConvolution(
        images: x.tensor.shape[0], shape, x.pointer, packed: prepared.pointer,
        ConvolutionEpilogue(bias: bias.pointer, residual: nil, scale: 1, rectifies: part.rectifies),
        into: part.target.mutable)
    }
  }

  private func multiplied(_ x: ChannelSlice, _ shape: PatchShape, _ parts: [Part]) {
    let prepared = productWeights(weight, depth: shape.depth, outputs: outputs, adjoint: false)
    // Pieces of the sums that stay in the nearest cache round less than one long chain, too.
    let depthBlock = KernelSet.mode == .exact ? max(shape.channels, 32) : 128
    withExtendedLifetime(prepared) {
      forEachProduct(
        shape, images: x.tensor.shape[0], outputs: outputs, depthBlock: depthBlock,
        [PixelTerms(pointer: x.pointer, pixel: x.pixel, terms: 0..<shape.depth)], packed: prepared.pointer
      ) { first, count, product, columns in
        var offset = 0
        for part in parts {
          kernels.elementwise.finishPart(
            rows: count, columns: part.target.channels.count, product + offset, columns, bias: bias.pointer + offset,
            rectifies: part.rectifies, into: part.target.mutable + first * part.target.pixel, part.target.pixel)
          offset += part.target.channels.count
        }
      }
    }
  }
}
