import Kernels

/// What the gradient of a group normalization needs besides its inputs.
public struct GroupNormStatistics: Sendable {
  /// Mean of each image's groups, [N, groups], the shift included.
  public let mean: Tensor
  /// 1 / sqrt(variance + epsilon), [N, groups].
  public let reciprocalDeviation: Tensor
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
  let (images, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
  precondition(
    channels % groups == 0 && weight.count == channels && bias.count == channels, "\(groups) groups of \(x.shape)")
  precondition(shift.map { $0.shape == [images, channels] } ?? true, "shift \(shift?.shape ?? []) for \(x.shape)")
  precondition(
    modulation.map { $0.shape == [images, 2 * channels] } ?? true,
    "modulation \(modulation?.shape ?? []) for \(x.shape)")
  let y = Tensor(uninitialized: x.shape)
  let mean = Tensor(uninitialized: [images, groups])
  let deviation = Tensor(uninitialized: [images, groups])
  Threads.forEach(images) { n in
    withScratch(4 * channels) { scratch in
      let image = x.pointer + n * pixels * channels
      let shift = shift.map { $0.pointer + n * channels }
      GroupNormKernel.statistics(
        pixels: pixels, channels: channels, groups: groups, epsilon: epsilon, image, shift: shift,
        mean: mean.mutable + n * groups, reciprocalDeviation: deviation.mutable + n * groups, scratch: scratch)
      let (gain, offset) = (scratch + 2 * channels, scratch + 3 * channels)
      foldAffine(
        channels: channels, groups: groups, mean: mean.pointer + n * groups, deviation: deviation.pointer + n * groups,
        shift: shift,
        weight: weight.pointer, bias: bias.pointer, modulation: modulation.map { $0.pointer + n * 2 * channels },
        gain: gain, offset: offset)
      GroupNormKernel.apply(
        pixels: pixels, channels: channels, image, gain: gain, offset: offset, silu: silu,
        into: y.mutable + n * pixels * channels)
    }
  }
  return (y, GroupNormStatistics(mean: mean, reciprocalDeviation: deviation))
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
  let (images, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
  precondition(dy.shape == x.shape, "gradient \(dy.shape) of \(x.shape)")
  let width = channels / groups
  let population = Double(pixels * width)
  let dx = Tensor(uninitialized: x.shape)
  let dShift = Tensor(uninitialized: [images, channels])
  let dWeight = Tensor(uninitialized: [images, channels])
  let dBias = Tensor(uninitialized: [images, channels])
  let dModulation = Tensor(uninitialized: [images, 2 * channels])
  Threads.forEach(images) { n in
    let image = x.pointer + n * pixels * channels
    let modulation = modulation.map { $0.pointer + n * 2 * channels }
    func factor(_ c: Int) -> Double { 1 + Double(modulation?[c] ?? 0) }
    let shift = shift.map { $0.pointer + n * channels }
    let mean = statistics.mean.pointer + n * groups
    let deviation = statistics.reciprocalDeviation.pointer + n * groups
    var sumDz = [Double](repeating: 0, count: channels)
    var sumDzX = [Double](repeating: 0, count: channels)
    withScratch(6 * channels) { scratch in
      let (gain, offset) = (scratch + 2 * channels, scratch + 3 * channels)
      let (xScale, xOffset) = (scratch + 4 * channels, scratch + 5 * channels)
      foldAffine(
        channels: channels, groups: groups, mean: mean, deviation: deviation, shift: shift, weight: weight.pointer,
        bias: bias.pointer, modulation: modulation,
        gain: gain, offset: offset)
      foldAffine(
        channels: channels, groups: groups, mean: mean, deviation: deviation, shift: shift, weight: nil, bias: nil,
        modulation: nil, gain: xScale,
        offset: xOffset)
      let out = dx.mutable + n * pixels * channels
      GroupNormKernel.reduceGradient(
        pixels: pixels, channels: channels, image, dy.pointer + n * pixels * channels, gain: gain, offset: offset,
        xScale: xScale,
        xOffset: xOffset, silu: silu, dz: out, sumDz: &sumDz, sumDzX: &sumDzX, scratch: scratch)

      // dx = r (w dz - mean(w dz) - x^ mean(w dz x^)), means over the group, x^ the normalized value.
      let (dzScale, xGain, constant) = (gain, offset, scratch)
      for g in 0..<groups {
        var first = 0.0
        var second = 0.0
        for c in g * width..<(g + 1) * width {
          first += factor(c) * Double(weight.pointer[c]) * sumDz[c]
          second += factor(c) * Double(weight.pointer[c]) * sumDzX[c]
        }
        first /= population
        second /= population
        let r = Double(deviation[g])
        for c in g * width..<(g + 1) * width {
          dzScale[c] = Float(r * factor(c) * Double(weight.pointer[c]))
          xGain[c] = Float(-r * second * Double(xScale[c]))
          constant[c] = Float(-r * (first + second * Double(xOffset[c])))
        }
      }
      GroupNormKernel.finishGradient(
        pixels: pixels, channels: channels, image, dzScale: dzScale, xGain: xGain, constant: constant, dx: out)
      for c in 0..<channels {
        dWeight.mutable[n * channels + c] = Float(factor(c) * sumDzX[c])
        dBias.mutable[n * channels + c] = Float(factor(c) * sumDz[c])
        let scaleSum = Double(weight.pointer[c]) * sumDzX[c] + Double(bias.pointer[c]) * sumDz[c]
        dModulation.mutable[n * 2 * channels + c] = Float(scaleSum)
        dModulation.mutable[(n * 2 + 1) * channels + c] = Float(sumDz[c])
      }
      let sums = dShift.mutable + n * channels
      sums.update(repeating: 0, count: channels)
      if shift != nil { Elementwise.addColumnSums(rows: pixels, columns: channels, out, to: sums) }
    }
  }
  return GroupNormGradients(
    x: dx, shift: dShift, weight: sumOverPixels(dWeight), bias: sumOverPixels(dBias), modulation: dModulation)
}

/// Folds normalization, weight and bias of one image into gain and offset per channel.
private func foldAffine(
  channels: Int, groups: Int, mean: UnsafePointer<Float>, deviation: UnsafePointer<Float>, shift: UnsafePointer<Float>?,
  weight: UnsafePointer<Float>?, bias: UnsafePointer<Float>?, modulation: UnsafePointer<Float>?,
  gain: UnsafeMutablePointer<Float>,
  offset: UnsafeMutablePointer<Float>
) {
  let width = channels / groups
  for c in 0..<channels {
    let scale = Double(deviation[c / width]) * Double(weight?[c] ?? 1)
    gain[c] = Float(scale)
    let constant = (Double(shift?[c] ?? 0) - Double(mean[c / width])) * scale + Double(bias?[c] ?? 0)
    offset[c] = Float(constant)
    if let modulation {
      let factor = 1 + Double(modulation[c])
      gain[c] = Float(scale * factor)
      offset[c] = Float(constant * factor + Double(modulation[channels + c]))
    }
  }
}
