import KernelInterface

/// What a pooling window of 3x3 pixels takes of its pixels.
package enum PoolingKind: Sendable {
  /// The largest number; `padding` pixels on each side belong to no image.
  case maximum(stride: Int, padding: Int)
  /// max(mean, 0), stride 1, over the pixels that are in the image.
  case rectifiedAverage

  private var stride: Int { if case .maximum(let stride, _) = self { stride } else { 1 } }
  private var padding: Int { if case .maximum(_, let padding) = self { padding } else { 1 } }

  /// Height or width of the result for a height or width.
  package func outputSide(_ side: Int) -> Int { (side + 2 * padding - 3) / stride + 1 }

  /// Pools all channels of a slice into as many of another tensor, which nobody else sees yet.
  package func callAsFunction(_ x: ChannelSlice, into y: ChannelSlice) {
    let size = x.tensor.shape
    precondition(x.channels.count == y.channels.count, "\(x.channels) into \(y.channels)")
    let shape = PoolingShape(
      height: size[1], width: size[2], channels: x.channels.count, inputPixel: x.pixel, outputPixel: y.pixel,
      stride: stride, padding: padding)
    precondition(
      y.tensor.shape.dropLast() == [size[0], shape.outHeight, shape.outWidth], "\(size) into \(y.tensor.shape)")
    forEachPart(images: size[0], rows: shape.outHeight) { image, rows in
      let from = x.pointer + image * size[1] * size[2] * x.pixel
      let to = y.mutable + image * shape.outHeight * shape.outWidth * y.pixel
      switch self {
      case .maximum: kernels.pooling.maximum(shape, rows: rows, from, into: to)
      case .rectifiedAverage: kernels.pooling.rectifiedAverage(shape, rows: rows, from, into: to)
      }
    }
  }
}

/// The mean over all pixels.
/// - Parameter x: [N, height, width, channels].
/// - Returns: [N, channels].
package func meanOverPixels(_ x: Tensor) -> Tensor {
  let counted = WorkCount.begin(.pooling)
  defer { counted?.end() }
  let (images, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
  let y = Tensor(uninitialized: [images, channels])
  Threads.forEach(images) { image in
    kernels.pooling.mean(
      pixels: pixels, channels: channels, x.pointer + image * pixels * channels, into: y.mutable + image * channels)
  }
  return y
}

/// Images of bytes, resized bilinearly: value * scale + offset.
///
/// - Parameters:
///   - bytes: of whole images, in image, row, column, channel order.
///   - shape: height, width and channels of the images; one channel becomes three equal ones.
///   - places: where in an image of `size` pixels the results lie along an axis; what is outside is confined to the edge.
/// - Returns: [N, places, places, 3].
package func resizedImages(
  _ bytes: ArraySlice<UInt8>, shape: [Int], scale: Float, offset: Float, places: (_ size: Int) -> [Double]
) -> Tensor {
  let counted = WorkCount.begin(.pooling)
  defer { counted?.end() }
  precondition(shape.count == 3 && (shape[2] == 1 || shape[2] == 3), "images of \(shape)")
  let imageBytes = shape.reduce(1, *)
  let images = bytes.count / imageBytes
  let vertical = BilinearAxis(size: shape[0], places: places(shape[0]))
  let horizontal = BilinearAxis(size: shape[1], places: places(shape[1]))
  let (height, width) = (places(shape[0]).count, places(shape[1]).count)
  let y = Tensor(uninitialized: [images, height, width, 3])
  bytes.withUnsafeBufferPointer { source in
    guard let base = source.baseAddress else { return }
    forEachPart(images: images, rows: height) { image, rows in
      kernels.pooling.resize(
        vertical, horizontal, channels: shape[2], width: shape[1], rows: rows, base + image * imageBytes, scale: scale,
        offset: offset, into: y.mutable + image * height * width * 3)
    }
  }
  return y
}

/// Rows of each image in up to four parts.
private func forEachPart(images: Int, rows: Int, _ body: (_ image: Int, _ rows: Range<Int>) -> Void) {
  let counted = WorkCount.begin(.pooling)
  defer { counted?.end() }
  let parts = min(rows, 4)
  Threads.forEach(images * parts) { chunk in
    let (image, part) = chunk.quotientAndRemainder(dividingBy: parts)
    body(image, part * rows / parts..<(part + 1) * rows / parts)
  }
}
