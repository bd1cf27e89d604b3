import KernelInterface

/// What the gradient of a group normalization needs besides its inputs.
public struct GroupNormStatistics: Sendable {
  /// Mean of each image's groups, [N, groups], the shift included.
  public let mean: Tensor
  /// 1 / sqrt(variance + epsilon), [N, groups].
  public let reciprocalDeviation: Tensor
  /// Mean of each channel less the mean of its group, [N, C], the shift included.
  public let centeredChannelMean: Tensor
}

/// y = activation((normalize(x + shift) * weight + bias) * (scale + 1) + offset): Wu & He 2018, arXiv 1803.08494, with
/// biased variance; scale and offset, where an image has them, as in Dhariwal & Nichol 2021, arXiv 2105.05233.
///
/// - Parameters:
///   - x: [N, H, W, C], C divisible by `groups`.
///   - shift: [N, C], added to every pixel of its image first.
///   - weight: [C].
///   - bias: [C].
///   - modulation: [N, 2 C], scale and then offset of each image.
///   - silu: whether SiLU follows.
/// - Returns: [N, H, W, C], and the statistics for the gradient.
public func groupNorm(
  _ x: Tensor, shift: Tensor? = nil, weight: Tensor, bias: Tensor, modulation: Tensor? = nil, groups: Int,
  epsilon: Float, silu: Bool
) -> (y: Tensor, statistics: GroupNormStatistics) {
  let counted = WorkCount.begin(.groupNorm)
  defer { counted?.end() }
  let shape = GroupNormShape(x, groups: groups)
  let affine = GroupNormSurroundings(shape, shift: shift, weight: weight, bias: bias, modulation: modulation)
  let sums = GroupNormSums(shape, epsilon: epsilon)
  let (gain, offset) = (Tensor(uninitialized: shape.rows), Tensor(uninitialized: shape.rows))
  let y = Tensor(uninitialized: x.shape)
  x.withChannelParts { inputs in
    shape.forEachPart { n, part in
      sums.reduce(inputs, image: n, part: part)
    } finish: { n in
      sums.finish(image: n, shift: shift)
      affine.fold(sums.statistics, image: n, gain: gain, offset: offset)
    } apply: { n, part in
      let pixels = shape.pixels(image: n, part: part)
      for input in inputs {
        let first = n * shape.channels + input.channels.lowerBound
        kernels.groupNorm.apply(
          pixels: pixels.count, channels: input.channels.count,
          input.pointer + pixels.lowerBound * input.channels.count, gain: gain.pointer + first,
          offset: offset.pointer + first, silu: silu,
          into: y.mutable + pixels.lowerBound * shape.channels + input.channels.lowerBound, shape.channels)
      }
    }
  }
  return (y, sums.statistics)
}

/// The first half of `groupNorm` by itself: mean and deviation of each image's groups.
/// - Parameters: as those of `groupNorm`.
package func groupNormStatistics(_ x: Tensor, shift: Tensor? = nil, groups: Int, epsilon: Float) -> GroupNormStatistics
{
  let counted = WorkCount.begin(.groupNorm)
  defer { counted?.end() }
  let shape = GroupNormShape(x, groups: groups)
  precondition(shift.map { $0.shape == shape.rows } ?? true, "shift \(shift?.shape ?? []) for \(x.shape)")
  let sums = GroupNormSums(shape, epsilon: epsilon)
  x.withChannelParts { inputs in
    shape.forEachPart { n, part in
      sums.reduce(inputs, image: n, part: part)
    } finish: { n in
      sums.finish(image: n, shift: shift)
    }
  }
  return sums.statistics
}

/// The second half of `groupNorm` up to its activation as one multiplication and addition: x * gain + offset.
///
/// - Parameters: as those of `groupNorm`; `channels` of x.
/// - Returns: gain and offset of each image's channels, [N, C] both.
package func groupNormAffine(
  _ statistics: GroupNormStatistics, channels: Int, shift: Tensor? = nil, weight: Tensor, bias: Tensor,
  modulation: Tensor? = nil
) -> (gain: Tensor, offset: Tensor) {
  let counted = WorkCount.begin(.groupNorm)
  defer { counted?.end() }
  let (images, groups) = (statistics.mean.shape[0], statistics.mean.shape[1])
  let shape = GroupNormShape(images: images, pixels: 1, channels: channels, groups: groups)
  let affine = GroupNormSurroundings(shape, shift: shift, weight: weight, bias: bias, modulation: modulation)
  let (gain, offset) = (Tensor(uninitialized: shape.rows), Tensor(uninitialized: shape.rows))
  Threads.forEach(images) { affine.fold(statistics, image: $0, gain: gain, offset: offset) }
  return (gain, offset)
}

/// The gradients of `groupNorm`.
public struct GroupNormGradients: Sendable {
  /// [N, H, W, C].
  public let x: Tensor
  /// [N, C].
  public let shift: Tensor
  /// [C].
  public let weight: Tensor
  /// [C].
  public let bias: Tensor
  /// [N, 2 C].
  public let modulation: Tensor
}

/// The gradients of `groupNorm` with respect to all its inputs.
/// - Parameter dy: gradient of the result, [N, H, W, C].
public func groupNormGradient(
  _ x: Tensor, shift: Tensor? = nil, weight: Tensor, bias: Tensor, modulation: Tensor? = nil, groups: Int, silu: Bool,
  statistics: GroupNormStatistics, _ dy: Tensor
) -> GroupNormGradients {
  let counted = WorkCount.begin(.groupNormGradient)
  defer { counted?.end() }
  precondition(dy.shape == x.shape, "gradient \(dy.shape) of \(x.shape)")
  x.settle()
  let shape = GroupNormShape(x, groups: groups)
  let affine = GroupNormSurroundings(shape, shift: shift, weight: weight, bias: bias, modulation: modulation)
  let channels = shape.channels
  // Coefficients of each image's channels: those of the normalized value, of what SiLU saw, and of the second pass.
  let coefficients = Tensor(uninitialized: [shape.images, 7, channels])
  let partials = DoubleTensor(shape.images * shape.parts * 2 * channels)
  let dx = Tensor(uninitialized: x.shape)
  let dShift = Tensor(uninitialized: shape.rows)
  let (dWeight, dBias) = (Tensor(uninitialized: shape.rows), Tensor(uninitialized: shape.rows))
  let dModulation = Tensor(uninitialized: [shape.images, 2 * channels])

  let (mean, deviation) = (statistics.mean.pointer, statistics.reciprocalDeviation.pointer)
  func coefficient(_ image: Int, _ index: Int) -> UnsafeMutablePointer<Float> {
    coefficients.mutable + (image * 7 + index) * channels
  }
  func prepare(_ n: Int) {
    kernels.groupNorm.split(
      affine[n], channels: channels, groups: groups, mean: mean + n * groups,
      reciprocalDeviation: deviation + n * groups,
      xScale: coefficient(n, 0), xOffset: coefficient(n, 1), gain: coefficient(n, 2), offset: coefficient(n, 3))
  }
  shape.forEachPart(prepare: prepare) { n, part in
    let range = shape.elements(image: n, part: part)
    let sums = partials.pointer + (n * shape.parts + part) * 2 * channels
    withScratch(2 * channels) { scratch in
      kernels.groupNorm.reduceGradient(
        pixels: range.count / channels, channels: channels, x.pointer + range.lowerBound, dy.pointer + range.lowerBound,
        xScale: coefficient(n, 0), xOffset: coefficient(n, 1),
        activation: silu ? (Source(coefficient(n, 2)), Source(coefficient(n, 3))) : nil,
        dz: dx.mutable + range.lowerBound, sumDz: sums, sumDzX: sums + channels, scratch: scratch)
    }
  } finish: { n in
    let row = n * channels
    let sums = partials.pointer + n * shape.parts * 2 * channels
    shape.mergeParts(sums, columns: 2 * channels)
    kernels.groupNorm.finishSums(
      affine[n], pixels: shape.pixels, channels: channels, groups: groups, reciprocalDeviation: deviation + n * groups,
      centeredMean: statistics.centeredChannelMean.pointer + row, xScale: coefficient(n, 0),
      xOffset: coefficient(n, 1), sumDz: sums, sumDzX: sums + channels, dzScale: coefficient(n, 4),
      xGain: coefficient(n, 5), constant: coefficient(n, 6),
      gradients: GroupNormChannelGradients(
        shift: dShift.mutable + row, weight: dWeight.mutable + row, bias: dBias.mutable + row,
        scale: dModulation.mutable + 2 * row, addend: dModulation.mutable + 2 * row + channels))
  } apply: { n, part in
    let range = shape.elements(image: n, part: part)
    kernels.groupNorm.finishGradient(
      pixels: range.count / channels, channels: channels, x.pointer + range.lowerBound,
      (silu ? dx.pointer : dy.pointer) + range.lowerBound, dzScale: coefficient(n, 4), xGain: coefficient(n, 5),
      constant: coefficient(n, 6), into: dx.mutable + range.lowerBound)
  }
  return GroupNormGradients(
    x: dx, shift: dShift, weight: sumOverPixels(dWeight), bias: sumOverPixels(dBias), modulation: dModulation)
}

/// How a normalization is cut: every image into parts of about a quarter of a megabyte, whatever the batch.
private struct GroupNormShape {
  let images: Int
  let pixels: Int
  let channels: Int
  let groups: Int

  init(images: Int, pixels: Int, channels: Int, groups: Int) {
    precondition(groups > 0 && channels % groups == 0, "\(groups) groups of \(channels) channels")
    (self.images, self.pixels, self.channels, self.groups) = (images, pixels, channels, groups)
  }

  init(_ x: Tensor, groups: Int) {
    precondition(x.shape.count == 4, "[N, H, W, C] expected, found \(x.shape)")
    self.init(images: x.shape[0], pixels: x.shape[1] * x.shape[2], channels: x.shape[3], groups: groups)
  }

  /// Channels of a group.
  var width: Int { channels / groups }
  /// The shape of a number for each image and channel.
  var rows: [Int] { [images, channels] }
  /// Pixels of a part: whole stretches.
  var partPixels: Int { max(65536 / channels / groupNormStretch, 1) * groupNormStretch }
  var parts: Int { max((pixels + partPixels - 1) / partPixels, 1) }

  /// The pixels of one part of an image, counted over all images.
  func pixels(image: Int, part: Int) -> Range<Int> {
    let first = part * partPixels
    return image * pixels + first..<image * pixels + min(first + partPixels, pixels)
  }

  /// The elements of one part of an image of the whole tensor.
  func elements(image: Int, part: Int) -> Range<Int> {
    let pixels = pixels(image: image, part: part)
    return pixels.lowerBound * channels..<pixels.upperBound * channels
  }

  /// Adds the sums of all parts, [parts, columns], to the first, in order.
  func mergeParts(_ sums: UnsafeMutablePointer<Double>, columns: Int) {
    for part in 1..<parts { kernels.groupNorm.add(columns, sums + part * columns, to: sums) }
  }

  /// Runs, for every image, `prepare`, then `reduce` on all its parts, then `finish`, then `apply` on the parts.
  ///
  /// Many images: each by itself. Few: a few at a time, their parts side by side, so that there is work for every thread
  /// and an image is still in cache when it is read again. What is computed is the same.
  func forEachPart(
    prepare: (Int) -> Void = { _ in }, _ reduce: (Int, Int) -> Void, finish: (Int) -> Void,
    apply: (Int, Int) -> Void = { _, _ in }
  ) {
    if parts == 1 || images >= 16 && Threads.areBusy(tasks: images) {
      Threads.forEach(images) { n in
        prepare(n)
        for part in 0..<parts { reduce(n, part) }
        finish(n)
        for part in 0..<parts { apply(n, part) }
      }
      return
    }
    let together = max(max(32, Threads.count) / parts, 1)
    for first in stride(from: 0, to: images, by: together) {
      let count = min(together, images - first)
      for n in first..<first + count { prepare(n) }
      // Whoever sums an image's last part finishes it.
      let areReduced = (0..<count).map { _ in Latch(parts) }
      Threads.forEach(count * parts) { task in
        reduce(first + task / parts, task % parts)
        if areReduced[task / parts].countDown() { finish(first + task / parts) }
      }
      Threads.forEach(count * parts) { apply(first + $0 / parts, $0 % parts) }
    }
  }
}

/// Sums over the pixels of images, and the statistics that follow from them.
private struct GroupNormSums {
  let shape: GroupNormShape
  let epsilon: Float
  let statistics: GroupNormStatistics
  private let partials: DoubleTensor  // [N, parts, 2, C]: sums and squares

  init(_ shape: GroupNormShape, epsilon: Float) {
    self.shape = shape
    self.epsilon = epsilon
    partials = DoubleTensor(shape.images * shape.parts * 2 * shape.channels)
    let groups = [shape.images, shape.groups]
    statistics = GroupNormStatistics(
      mean: Tensor(uninitialized: groups), reciprocalDeviation: Tensor(uninitialized: groups),
      centeredChannelMean: Tensor(uninitialized: shape.rows))
  }

  /// Sums one part of an image.
  func reduce(_ x: [ChannelPart], image: Int, part: Int) {
    let pixels = shape.pixels(image: image, part: part)
    let sums = partials.pointer + (image * shape.parts + part) * 2 * shape.channels
    withScratch(2 * shape.channels) { scratch in
      for input in x {
        let target = sums + input.channels.lowerBound
        kernels.groupNorm.statistics(
          pixels: pixels.count, channels: input.channels.count,
          input.pointer + pixels.lowerBound * input.channels.count, sums: target,
          squares: target + shape.channels, scratch: scratch)
      }
    }
  }

  /// Turns the sums of an image into its statistics.
  func finish(image: Int, shift: Tensor?) {
    let (channels, groups) = (shape.channels, shape.groups)
    let sums = partials.pointer + image * shape.parts * 2 * channels
    shape.mergeParts(sums, columns: 2 * channels)
    kernels.groupNorm.finishStatistics(
      pixels: shape.pixels, channels: channels, groups: groups, epsilon: epsilon, sums: sums, squares: sums + channels,
      shift: shift.map { $0.pointer + image * channels }, mean: statistics.mean.mutable + image * groups,
      reciprocalDeviation: statistics.reciprocalDeviation.mutable + image * groups,
      centeredMean: statistics.centeredChannelMean.mutable + image * channels)
  }
}

/// What surrounds the normalization: a shift before it, weight and bias after it, then an image's modulation.
private struct GroupNormSurroundings {
  let shape: GroupNormShape
  let shift: Tensor?
  let weight: Tensor
  let bias: Tensor
  let modulation: Tensor?

  init(_ shape: GroupNormShape, shift: Tensor?, weight: Tensor, bias: Tensor, modulation: Tensor?) {
    let channels = shape.channels
    precondition(weight.count == channels && bias.count == channels, "\(weight.shape) weights for \(channels) channels")
    precondition(shift.map { $0.shape == shape.rows } ?? true, "shift \(shift?.shape ?? []) for \(shape.rows)")
    precondition(
      modulation.map { $0.shape == [shape.images, 2 * channels] } ?? true,
      "modulation \(modulation?.shape ?? []) for \(shape.rows)")
    (self.shape, self.shift, self.weight, self.bias, self.modulation) = (shape, shift, weight, bias, modulation)
  }

  /// The part of one image.
  subscript(image: Int) -> GroupNormAffine {
    let channels = shape.channels
    let modulation = modulation.map { $0.pointer + image * 2 * channels }
    return GroupNormAffine(
      shift: shift.map { $0.pointer + image * channels }, weight: weight.pointer, bias: bias.pointer,
      modulation: modulation.map { ($0, $0 + channels) })
  }

  /// Everything of one image in one multiplication and addition: x * gain + offset, [N, C] both.
  func fold(_ statistics: GroupNormStatistics, image: Int, gain: Tensor, offset: Tensor) {
    let (row, group) = (image * shape.channels, image * shape.groups)
    kernels.groupNorm.fold(
      self[image], channels: shape.channels, groups: shape.groups, mean: statistics.mean.pointer + group,
      reciprocalDeviation: statistics.reciprocalDeviation.pointer + group, gain: gain.mutable + row,
      offset: offset.mutable + row)
  }
}

/// Memory for float64 sums.
private final class DoubleTensor: @unchecked Sendable {
  // Chunks write disjoint parts of it, and it lives until the operation that made it has ended.
  let pointer: UnsafeMutablePointer<Double>

  init(_ count: Int) { pointer = .allocate(capacity: max(count, 1)) }

  deinit { pointer.deallocate() }
}
