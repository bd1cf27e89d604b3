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

/// Rearranging NHWC images into the rows of a matrix, so that convolution becomes matrix multiplication.
public enum Patches {
  /// Gathers the receptive fields of `count` output pixels: matrix[r, (ky, kx, c)].
  ///
  /// - Parameters:
  ///   - images: [N, height, width, pixel].
  ///   - first: index of the first output pixel, counted over (n, y, x) of the output.
  ///   - count: output pixels to gather.
  ///   - matrix: [count, depth], written.
  public static func gather(_ images: Source, _ shape: PatchShape, first: Int, count: Int, into matrix: Target) {
    let (height, width, channels) = (shape.height, shape.width, shape.channels)
    let (kernelWidth, pixel) = (shape.kernelWidth, shape.pixel)
    let (outHeight, outWidth) = (shape.outHeight, shape.outWidth)
    let perImage = outHeight * outWidth
    var n = first / perImage
    var oy = (first % perImage) / outWidth
    var ox = first % outWidth
    let tapRow = kernelWidth * channels
    let isDense = pixel == channels
    var row = matrix
    for _ in 0..<count {
      let image = images + n * height * width * pixel
      let x = ox * shape.stride - shape.horizontalPadding
      for ky in 0..<shape.kernelHeight {
        let y = oy * shape.stride + ky - shape.verticalPadding
        if y < 0 || y >= height {
          row.update(repeating: 0, count: tapRow)
        } else if isDense && x >= 0 && x + kernelWidth <= width {
          copy(image + (y * width + x) * channels, to: row, count: tapRow)
        } else {
          for kx in 0..<kernelWidth {
            let column = x + kx
            if column < 0 || column >= width {
              (row + kx * channels).update(repeating: 0, count: channels)
            } else {
              copy(image + (y * width + column) * pixel, to: row + kx * channels, count: channels)
            }
          }
        }
        row += tapRow
      }
      ox += 1
      if ox == outWidth {
        ox = 0
        oy += 1
        if oy == outHeight {
          oy = 0
          n += 1
        }
      }
    }
  }

  /// Short copies; the library's memmove costs more than the move at these lengths.
  @inline(__always) static func copy(_ source: Source, to target: Target, count: Int) {
    forEachVector(count) { i in
      store(load(source + i), target + i)
    } tail: { i, n in
      for j in 0..<n { target[i + j] = source[i + j] }
    }
  }

  /// The transpose of a matrix, in blocks that stay in the nearest cache.
  /// - Parameters:
  ///   - matrix: [rows, columns].
  ///   - transposed: [columns, rows], written.
  public static func transpose(rows: Int, columns: Int, _ matrix: Source, into transposed: Target) {
    let block = 16
    for top in stride(from: 0, to: rows, by: block) {
      for left in stride(from: 0, to: columns, by: block) {
        for row in top..<min(top + block, rows) {
          for column in left..<min(left + block, columns) {
            transposed[column * rows + row] = matrix[row * columns + column]
          }
        }
      }
    }
  }
}
