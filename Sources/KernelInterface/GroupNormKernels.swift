/// Group normalization of NHWC images: sums over pixels, and what is done to every pixel.
///
/// Sums run in float32 over short stretches of pixels and in float64 over the stretches, so their error does not grow with
/// the image.
public protocol GroupNormKernels: SendableMetatype {
  /// Sums over pixels of each channel, in float64.
  typealias Sums = UnsafeMutablePointer<Double>

  /// Sums and squares of some pixels, read once from memory.
  ///
  /// Squares are taken around the mean of each stretch, where they lose nothing, and moved to zero in float64.
  /// - Parameters:
  ///   - x: [pixels, channels].
  ///   - sums: [channels], written: sums of x.
  ///   - squares: [channels], written: sums of x^2.
  ///   - scratch: [2 * channels] of working memory.
  static func statistics(pixels: Int, channels: Int, _ x: Source, sums: Sums, squares: Sums, scratch: Target)

  /// sums += other, of `count` channels.
  static func add(_ count: Int, _ other: Sums, to sums: Sums)

  /// Turns an image's sums of x and x^2 into the statistics of x + shift.
  ///
  /// - Parameters:
  ///   - sums, squares: [channels]; used up.
  ///   - shift: [channels].
  ///   - mean, reciprocalDeviation: [groups], written.
  ///   - centeredMean: [channels], written: the mean of each channel less that of its group.
  static func finishStatistics(
    pixels: Int, channels: Int, groups: Int, epsilon: Float, sums: Sums, squares: Sums, shift: Source?, mean: Target,
    reciprocalDeviation: Target, centeredMean: Target)

  /// Everything of an image in one multiplication and addition: x * gain + offset, [channels] each.
  static func fold(
    _ affine: GroupNormAffine, channels: Int, groups: Int, mean: Source, reciprocalDeviation: Source, gain: Target,
    offset: Target)

  /// In two: the normalized value is x * xScale + xOffset, and that * gain + offset the result.
  static func split(
    _ affine: GroupNormAffine, channels: Int, groups: Int, mean: Source, reciprocalDeviation: Source, xScale: Target,
    xOffset: Target, gain: Target, offset: Target)

  /// y = x * gain + offset per channel, through SiLU if `silu`.
  /// - Parameter yStride: floats from one pixel of y to the next.
  static func apply(
    pixels: Int, channels: Int, _ x: Source, gain: Source, offset: Source, silu: Bool, into y: Target, _ yStride: Int)

  /// First pass of the gradient: dz = dy * slope of what follows the normalization, and its sums per channel.
  ///
  /// - Parameters:
  ///   - x, dy: [pixels, channels].
  ///   - xScale, xOffset: [channels]; x * xScale + xOffset is the normalized value.
  ///   - activation: [channels] each; normalized value * gain + offset is what SiLU saw. nil: no SiLU, dz is dy.
  ///   - dz: [pixels, channels], written if SiLU is there.
  ///   - sumDz, sumDzX: [channels], written: sums over pixels of dz and of dz times the normalized value.
  ///   - scratch: [2 * channels] of working memory.
  static func reduceGradient(
    pixels: Int, channels: Int, _ x: Source, _ dy: Source, xScale: Source, xOffset: Source,
    activation: (gain: Source, offset: Source)?, dz: Target, sumDz: Sums, sumDzX: Sums, scratch: Target)

  /// From the sums of an image to its gradients and the coefficients of the second pass, each [channels].
  ///
  /// dx = r (w dz - mean(w dz) - x^ mean(w dz x^)), means over the group, x^ the normalized value, w = weight (scale + 1).
  static func finishSums(
    _ affine: GroupNormAffine, pixels: Int, channels: Int, groups: Int, reciprocalDeviation: Source,
    centeredMean: Source, xScale: Source, xOffset: Source, sumDz: Sums, sumDzX: Sums, dzScale: Target, xGain: Target,
    constant: Target, gradients: GroupNormChannelGradients)

  /// Second pass: dx = dz * dzScale + x * xGain + constant per channel; dx may be dz.
  static func finishGradient(
    pixels: Int, channels: Int, _ x: Source, _ dz: Source, dzScale: Source, xGain: Source, constant: Source,
    into dx: Target)
}

/// What surrounds the normalization of one image, each [channels]: a shift before it, weight and bias after it, then a
/// multiplication by scale + 1 and an addend.
public struct GroupNormAffine {
  /// Added to every pixel first.
  public let shift: Source?
  /// Factor of the normalized value.
  public let weight: Source
  /// Added after the factor.
  public let bias: Source
  /// Less one, the factor of all that, and what is added after it; both or none.
  public let scale: Source?, addend: Source?

  /// Everything but `shift` and `modulation` is always there.
  public init(shift: Source?, weight: Source, bias: Source, modulation: (scale: Source, addend: Source)?) {
    (self.shift, self.weight, self.bias) = (shift, weight, bias)
    (scale, addend) = (modulation?.scale, modulation?.addend)
  }
}

/// Where the gradients of an image's channels go, each [channels].
public struct GroupNormChannelGradients {
  /// Of what was added first, of weight and bias, and of the modulation.
  public let shift: Target, weight: Target, bias: Target, scale: Target, addend: Target

  /// Nothing is copied.
  public init(shift: Target, weight: Target, bias: Target, scale: Target, addend: Target) {
    (self.shift, self.weight, self.bias, self.scale, self.addend) = (shift, weight, bias, scale, addend)
  }
}

/// Pixels whose contributions to a normalization's sums are taken in float32 before they join the float64 sums.
public let groupNormStretch = 32
