/// Resampling of one NHWC image under an affine map, without aliasing: reflected borders, twice the resolution by the
/// low-pass filter of the sym6 wavelet, bilinear samples of that, half the resolution by the same filter (Karras et al.
/// 2020, arXiv 2006.06676, appendix B; EDM uses it, arXiv 2206.00364, appendix F.2).
public protocol WarpKernels: SendableMetatype {
  /// - Parameters:
  ///   - x: the image, [H, W, C].
  ///   - y: the output, of the same shape.
  ///   - scratch: `scratchFloats` floats.
  static func apply(_ s: WarpShape, _ x: Source, into y: Target, scratch: Target)
}

/// The filter of `WarpKernels`.
public enum WarpFilter {
  /// Its length.
  public static let tapCount = 12
  /// Pixels that it needs on each side of an image at its own resolution.
  public static let reach = tapCount / 2
}

/// One direction of an image with its borders, and the part of its doubled resolution that is looked at.
///
/// Positions in the doubled image count from the first pixel of the image itself; the borders are around them.
public struct WarpAxis: Sendable {
  /// Pixels.
  public let size: Int
  /// Reflected pixels on each side, less than `size`; beyond them are zeros.
  public let before: Int, after: Int
  /// Whether the image is mirrored first.
  public let isFlipped: Bool
  /// The positions in the doubled image that are computed.
  public let box: Range<Int>

  /// - Parameter reached: the least and the greatest position in the doubled image that is looked at.
  public init(size: Int, before: Int, after: Int, isFlipped: Bool, reached: ClosedRange<Double>) {
    (self.size, self.before, self.after, self.isFlipped) = (size, before, after, isFlipped)
    // One zero on each side is enough for all the zeros beyond it.
    let (lowest, highest) = (Double(-2 * before - 1), Double(2 * (size + after)))
    let first = Int(min(max(reached.lowerBound.rounded(.down), lowest), highest))
    let last = Int(min(max(reached.upperBound.rounded(.down), lowest), highest))
    // The last sample lies between `last` and the next pixel.
    box = first..<last + 3
  }

  /// Positions in the box between which samples may lie.
  public var limits: (low: Double, high: Double) { (Double(box.lowerBound), Double(box.upperBound - 2)) }
}

/// Where the samples of the doubled output lie: column j and row i at (xx j + xy i + x, yx j + yy i + y).
public struct WarpPositions: Sendable {
  /// Coefficients of the first coordinate.
  public let xx: Double, xy: Double, x: Double
  /// Coefficients of the second.
  public let yx: Double, yy: Double, y: Double

  /// - Parameters: the coefficients of the map, in positions of the doubled image.
  public init(xx: Double, xy: Double, x: Double, yx: Double, yy: Double, y: Double) {
    (self.xx, self.xy, self.x, self.yx, self.yy, self.y) = (xx, xy, x, yx, yy, y)
  }
}

/// What is done to one image.
public struct WarpShape: Sendable {
  /// The two directions.
  public let horizontal: WarpAxis, vertical: WarpAxis
  /// Floats of a pixel.
  public let channels: Int
  /// Where the output looks.
  public let positions: WarpPositions

  /// Everything by name.
  public init(horizontal: WarpAxis, vertical: WarpAxis, channels: Int, positions: WarpPositions) {
    (self.horizontal, self.vertical, self.channels, self.positions) = (horizontal, vertical, channels, positions)
  }

  /// Columns of the doubled output with what the filter needs around it.
  public var sampledWidth: Int { 2 * (horizontal.size + WarpFilter.reach) }
  /// Rows of the same.
  public var sampledHeight: Int { 2 * (vertical.size + WarpFilter.reach) }
  /// A pixel is read and written four floats at a time, so lines end in three more.
  public var slack: Int { 4 }
  /// Floats of the image with twice the rows.
  public var columnsFloats: Int { horizontal.size * vertical.box.count * channels + slack }
  /// Floats of the doubled image.
  public var doubledFloats: Int { horizontal.box.count * vertical.box.count * channels + slack }
  /// Floats of the samples.
  public var sampledFloats: Int { sampledWidth * sampledHeight * channels + slack }
  /// Floats of a line.
  public var lineFloats: Int { sampledWidth * channels + slack }

  /// Floats of memory that `apply` works in.
  public var scratchFloats: Int { columnsFloats + doubledFloats + sampledFloats + lineFloats }
}
