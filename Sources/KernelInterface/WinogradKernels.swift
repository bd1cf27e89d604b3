/// What follows a convolution: y = (x * weight + bias + residual) * scale, and max(y, 0) if it rectifies.
public struct ConvolutionEpilogue {
  /// [outputs].
  public let bias: Source?
  /// The shape of the whole result.
  public let residual: Source?
  /// Factor of everything.
  public let scale: Float
  /// Whether negative results become zero.
  public let rectifies: Bool

  /// Nothing is copied: the memory must outlive the convolution.
  public init(bias: Source?, residual: Source?, scale: Float, rectifies: Bool = false) {
    (self.bias, self.residual, self.scale, self.rectifies) = (bias, residual, scale, rectifies)
  }
}

/// The transforms around the products of a Winograd convolution of NHWC images, and the products.
///
/// Tiles are numbered over (image, row, column). No result depends on how tiles are gathered into calls.
public protocol WinogradKernels: SendableMetatype {
  /// Floats of working memory that each function here needs.
  static func scratchCount(_ shape: WinogradShape) -> Int

  /// Transforms weights into panels: packed[position][panel][input][column].
  ///
  /// - Parameters:
  ///   - weight: [kernelHeight, kernelWidth, rows, outputs], from the first of `rows` on.
  ///   - tapStride: floats from one tap to the next.
  ///   - rows: the inputs to transform; disjoint ranges may run on different threads.
  static func transformWeights(
    _ shape: WinogradShape, _ weight: Source, tapStride: Int, rows: Range<Int>, into packed: Target)

  /// Transforms the inputs of tiles: v[position][tile][input].
  ///
  /// - Parameters:
  ///   - x: all images, [N, height, width, inputs].
  ///   - tiles: which tiles.
  ///   - v: the place of the first of them. Where the channels do not fill vectors, less than a vector behind the last
  ///     tile is overwritten.
  ///   - stride: floats from one position to the next: `inputStride(tiles:)` of all tiles that are multiplied together.
  static func transformInputs(
    _ shape: WinogradShape, _ x: Source, tiles: Range<Int>, into v: Target, stride: Int, scratch: Target)

  /// Multiplies transformed inputs by the packed weights of some panels: m[position][tile][column].
  static func multiply(
    _ shape: WinogradShape, tiles: Int, _ v: Source, packed: Source, panels: Range<Int>, into m: Target)

  /// Transforms products back and finishes the results.
  ///
  /// - Parameters:
  ///   - m: as `multiply` leaves it.
  ///   - y: all results, [N, outHeight, outWidth, outputs].
  static func transformOutputs(
    _ shape: WinogradShape, tiles: Range<Int>, _ m: Source, panels: Range<Int>, _ epilogue: ConvolutionEpilogue,
    into y: Target, scratch: Target)

  /// The gradient of transformed weights by some tiles, for one row of positions or all: products of transformed inputs
  /// and gradients, summed over the tiles. For 3x3 kernels of whole images.
  ///
  /// - Parameters:
  ///   - x: [N, height, width, inputs].
  ///   - dy: [N, outHeight, outWidth, outputs].
  ///   - row: which row of positions, below `points`; nil for all.
  ///   - panels: which panels of the outputs.
  ///   - v: working memory, tiles.count * gradientInputStride floats for each position, and 16.
  ///   - d: working memory, panels.count * tiles.count * panelColumns floats for each position.
  ///   - sums: [positions, inputs, gradientColumns].
  ///   - accumulate: whether to add to `sums`, or to replace them.
  static func accumulateWeightGradient(
    _ shape: WinogradShape, _ x: Source, _ dy: Source, row: Int?, tiles: Range<Int>, panels: Range<Int>, v: Target,
    d: Target, sums: Target, accumulate: Bool, scratch: Target)

  /// Transforms the gradient of transformed weights, [positions, inputs, gradientColumns], to that of the weights,
  /// [3, 3, inputs, outputs], for some inputs.
  /// - Parameter tapStride: floats from one tap of the result to the next.
  static func transformWeightGradient(
    _ shape: WinogradShape, _ sums: Source, rows: Range<Int>, tapStride: Int, into dw: Target)
}
