/// Separable depthwise filtering with a change of resolution by two, of rows of one NHWC image.
public protocol ResamplingKernels: SendableMetatype {
  /// out[oy, ox, c] = sum over i, j of taps[i] taps[j] x[2 oy + i - padding, 2 ox + j - padding, c], zeros outside.
  /// - Parameters:
  ///   - rows: of the output.
  ///   - y: the whole output, of which these rows are written.
  static func reduce(_ s: ResamplingShape, rows: Range<Int>, _ x: Source, into y: Target)

  /// The adjoint of `reduce`: every input pixel is spread over the output with the weights of the filter.
  ///
  /// out[y, x, c] = sum over the pixels (iy, ix) with y = 2 iy + i - padding, x = 2 ix + j - padding.
  static func spread(_ s: ResamplingShape, rows: Range<Int>, _ x: Source, into y: Target)
}

/// Two resolutions and the filter between them.
public struct ResamplingShape {
  /// Of the input.
  public let height: Int, width: Int, channels: Int
  /// Width of the output.
  public let outWidth: Int
  /// The filter in one direction.
  public let taps: [Float]
  /// Zeros around the larger of the two images.
  public let padding: Int

  /// Everything by name.
  public init(height: Int, width: Int, channels: Int, outWidth: Int, taps: [Float], padding: Int) {
    (self.height, self.width, self.channels) = (height, width, channels)
    (self.outWidth, self.taps, self.padding) = (outWidth, taps, padding)
  }
}
