/// Windows of 3x3 pixels of NHWC images, rows of one image at a time. What lies outside the image is left out.
public protocol PoolingKernels: SendableMetatype {
  /// The largest number of each window.
  /// - Parameters:
  ///   - rows: of the output.
  ///   - x: one image.
  ///   - y: the whole output of the image, of which these rows are written.
  static func maximum(_ s: PoolingShape, rows: Range<Int>, _ x: Source, into y: Target)

  /// max(mean, 0), the mean over the pixels of the window that are in the image.
  static func rectifiedAverage(_ s: PoolingShape, rows: Range<Int>, _ x: Source, into y: Target)

  /// The mean over all pixels of one image, per channel.
  /// - Parameter x: [pixels, channels].
  static func mean(pixels: Int, channels: Int, _ x: Source, into y: Target)

  /// Bilinear resizing of bytes: y = value * scale + offset of some rows of one image.
  ///
  /// - Parameters:
  ///   - vertical, horizontal: of the two directions.
  ///   - channels: of the bytes; one is repeated for all three of the result.
  ///   - rows: of the result.
  ///   - x: [height, width, channels].
  ///   - y: [vertical places, horizontal places, 3], of which these rows are written.
  static func resize(
    _ vertical: BilinearAxis, _ horizontal: BilinearAxis, channels: Int, width: Int, rows: Range<Int>,
    _ x: UnsafePointer<UInt8>, scale: Float, offset: Float, into y: Target)
}

/// The images that are pooled, and how the window moves.
public struct PoolingShape: Sendable {
  /// Of the input, and channels that are pooled.
  public let height: Int, width: Int, channels: Int
  /// Floats from one pixel to the next.
  public let inputPixel: Int, outputPixel: Int
  /// Pixels from one window to the next, and pixels by which the first begins above and left of the image.
  public let stride: Int, padding: Int

  /// Everything by name.
  public init(height: Int, width: Int, channels: Int, inputPixel: Int, outputPixel: Int, stride: Int, padding: Int) {
    (self.height, self.width, self.channels) = (height, width, channels)
    (self.inputPixel, self.outputPixel, self.stride, self.padding) = (inputPixel, outputPixel, stride, padding)
    outHeight = (height + 2 * padding - 3) / stride + 1
    outWidth = (width + 2 * padding - 3) / stride + 1
  }

  /// Height and width of the output.
  public let outHeight: Int, outWidth: Int
}

/// The two neighbours of each place along one axis of an image, and the weight of the second.
public struct BilinearAxis: Sendable {
  /// Pixels, one for each place.
  public let first: [Int32], second: [Int32]
  /// Weights of the second neighbours.
  public let weight: [Float]

  /// - Parameters:
  ///   - size: pixels of the image.
  ///   - places: where the results lie, in pixels of the image, confined to it.
  public init(size: Int, places: [Double]) {
    let confined = places.map { min(max($0, 0), Double(size - 1)) }
    first = confined.map { Int32($0) }
    second = first.map { min($0 + 1, Int32(size - 1)) }
    weight = zip(confined, first).map { Float($0 - Double($1)) }
  }
}
