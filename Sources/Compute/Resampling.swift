import KernelInterface

/// A separable depthwise filter that halves or doubles the resolution, with its padding.
public struct ResamplingFilter: Sendable, Equatable {
  /// One-dimensional taps, normalized to sum 1.
  public let taps: [Float]

  /// - Parameter filter: unnormalized taps, for example [1, 1] (nearest and mean) or [1, 3, 3, 1].
  /// - Precondition: the taps do not sum to zero.
  public init(_ filter: [Float]) {
    let sum = filter.reduce(0, +)
    precondition(sum != 0, "resampling filter \(filter) sums to zero")
    taps = filter.map { $0 / sum }
  }

  /// Zeros around an image when nothing else is asked: (length - 1) / 2.
  public var padding: Int { (taps.count - 1) / 2 }

  var doubled: [Float] { taps.map { 2 * $0 } }
}

/// Depthwise filtering with stride 2: [N, H, W, C] to half the resolution.
/// - Parameter padding: zeros around each image; the filter's own unless given.
public func downsample(_ x: Tensor, _ filter: ResamplingFilter, padding: Int? = nil) -> Tensor {
  let padding = padding ?? filter.padding
  let (height, width) = (x.shape[1], x.shape[2])
  let out = [
    x.shape[0], (height + 2 * padding - filter.taps.count) / 2 + 1, (width + 2 * padding - filter.taps.count) / 2 + 1,
    x.shape[3],
  ]
  return reduce(x, to: out, taps: filter.taps, padding: padding)
}

/// The gradient of `downsample`: a gradient [N, H', W', C] spread to the shape of its input.
public func downsampleGradient(_ dy: Tensor, _ filter: ResamplingFilter, inputShape: [Int], padding: Int? = nil)
  -> Tensor
{
  spread(dy, to: inputShape, taps: filter.taps, padding: padding ?? filter.padding)
}

/// Transposed depthwise filtering with stride 2: [N, H, W, C] to twice the resolution, mean preserved.
/// - Parameter padding: what is cut off at each border; the filter's own unless given.
public func upsample(_ x: Tensor, _ filter: ResamplingFilter, padding: Int? = nil) -> Tensor {
  let padding = padding ?? filter.padding
  let grow = filter.taps.count - 2 - 2 * padding
  let out = [x.shape[0], 2 * x.shape[1] + grow, 2 * x.shape[2] + grow, x.shape[3]]
  return spread(x, to: out, taps: filter.doubled, padding: padding)
}

/// The gradient of `upsample`.
public func upsampleGradient(_ dy: Tensor, _ filter: ResamplingFilter, inputShape: [Int], padding: Int? = nil)
  -> Tensor
{
  reduce(dy, to: inputShape, taps: filter.doubled, padding: padding ?? filter.padding)
}

private func reduce(_ x: Tensor, to shape: [Int], taps: [Float], padding: Int) -> Tensor {
  resample(x, to: shape, taps: taps, padding: padding, kernels.resampling.reduce)
}

private func spread(_ x: Tensor, to shape: [Int], taps: [Float], padding: Int) -> Tensor {
  resample(x, to: shape, taps: taps, padding: padding, kernels.resampling.spread)
}

/// Filters all images, a few rows of the result at a time.
private func resample(
  _ x: Tensor, to shape: [Int], taps: [Float], padding: Int,
  _ kernel: (ResamplingShape, Range<Int>, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
) -> Tensor {
  let counted = WorkCount.begin(.resampling)
  defer { counted?.end() }
  let y = Tensor(uninitialized: shape)
  let (source, target) = (x.shape.dropFirst().reduce(1, *), shape.dropFirst().reduce(1, *))
  let filter = ResamplingShape(
    height: x.shape[1], width: x.shape[2], channels: x.shape[3], outWidth: shape[2], taps: taps, padding: padding)
  let rows = min(
    shape[1],
    evenGrain(shape[0] * shape[1], floats: shape[2] * shape[3], most: max(1, 16384 / max(shape[2] * shape[3], 1))))
  let parts = (shape[1] + rows - 1) / rows
  Threads.forEach(shape[0] * parts) { chunk in
    let (n, part) = (chunk / parts, chunk % parts)
    kernel(
      filter, part * rows..<min((part + 1) * rows, shape[1]), x.pointer + n * source, y.mutable + n * target)
  }
  return y
}
