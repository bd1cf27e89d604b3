/// Rearranging NHWC images into the rows of a matrix, so that convolution becomes matrix multiplication.
public protocol PatchKernels: SendableMetatype {
  /// Gathers the receptive fields of `count` output pixels: matrix[r, (ky, kx, c)].
  ///
  /// - Parameters:
  ///   - images: [N, height, width, pixel].
  ///   - first: index of the first output pixel, counted over (n, y, x) of the output.
  ///   - count: output pixels to gather.
  ///   - matrix: [count, depth], written.
  static func gather(_ images: Source, _ shape: PatchShape, first: Int, count: Int, into matrix: Target)

  /// The transpose of a matrix, in blocks that stay in the nearest cache.
  /// - Parameters:
  ///   - matrix: [rows, columns], rows `stride` apart.
  ///   - transposed: [columns, rows], rows `outStride` apart, written.
  static func transpose(
    rows: Int, columns: Int, _ matrix: Source, stride: Int, into transposed: Target, stride outStride: Int)
}

/// Where the receptive fields of a convolution lie in NHWC images.
public struct PatchShape: Sendable {
  /// Height and width of an image, and channels that are read.
  public let height: Int, width: Int, channels: Int
  /// Floats from one pixel to the next; more than `channels` where they are a part of the image's.
  public let pixel: Int
  /// Height and width of the kernel.
  public let kernelHeight: Int, kernelWidth: Int
  /// Pixels from one receptive field to the next, in both directions.
  public let stride: Int
  /// Zeros above and below, and left and right of each image; negative padding crops.
  public let verticalPadding: Int, horizontalPadding: Int

  /// A square kernel that moves pixel by pixel over whole images.
  public init(height: Int, width: Int, channels: Int, kernel: Int, padding: Int) {
    self.init(
      height: height, width: width, channels: channels, pixel: channels, kernelHeight: kernel, kernelWidth: kernel,
      stride: 1, verticalPadding: padding, horizontalPadding: padding)
  }

  /// Any kernel.
  public init(
    height: Int, width: Int, channels: Int, pixel: Int, kernelHeight: Int, kernelWidth: Int, stride: Int,
    verticalPadding: Int, horizontalPadding: Int
  ) {
    (self.height, self.width, self.channels, self.pixel) = (height, width, channels, pixel)
    (self.kernelHeight, self.kernelWidth, self.stride) = (kernelHeight, kernelWidth, stride)
    (self.verticalPadding, self.horizontalPadding) = (verticalPadding, horizontalPadding)
  }

  /// Height of the output.
  public var outHeight: Int { (height + 2 * verticalPadding - kernelHeight) / stride + 1 }
  /// Width of the output.
  public var outWidth: Int { (width + 2 * horizontalPadding - kernelWidth) / stride + 1 }
  /// Numbers of one receptive field.
  public var depth: Int { kernelHeight * kernelWidth * channels }
  /// Whether the receptive fields are the pixels themselves, in order.
  public var isPointwise: Bool {
    kernelHeight == 1 && kernelWidth == 1 && stride == 1 && verticalPadding == 0 && horizontalPadding == 0
  }
}
