/// Group normalization of one NHWC image, with an optional bias per channel before it and SiLU after it.
///
/// Sums run in float32 over short stretches of pixels and in float64 over the stretches, so their error does not
/// grow with the image.
public enum GroupNormKernel {
  /// Pixels whose contributions are summed in float32 before they are added to the float64 sums.
  static let stretch = 32

  /// Mean and reciprocal standard deviation of each channel group.
  ///
  /// - Parameters:
  ///   - x: [pixels, channels].
  ///   - shift: [channels], added to every pixel before anything else.
  ///   - mean: [groups], written.
  ///   - reciprocalDeviation: [groups], written.
  ///   - scratch: [2 * channels] of working memory.
  public static func statistics(
    pixels: Int, channels: Int, groups: Int, epsilon: Float, _ x: Source, shift: Source?,
    mean: Target, reciprocalDeviation: Target, scratch: Target
  ) {
    let width = channels / groups
    let population = Double(pixels * width)
    var totals = [Double](repeating: 0, count: groups)
    forEachStretch(pixels) { first, count in
      scratch.update(repeating: 0, count: channels)
      Elementwise.addColumnSums(rows: count, columns: channels, x + first * channels, to: scratch)
      for c in 0..<channels { totals[c / width] += Double(scratch[c]) }
    }
    if let shift {
      for c in 0..<channels { totals[c / width] += Double(shift[c]) * Double(pixels) }
    }
    // Offsets that center each channel: x + shift - mean.
    let offset = scratch + channels
    for c in 0..<channels {
      let center = totals[c / width] / population
      offset[c] = Float(Double(shift?[c] ?? 0) - center)
    }
    for g in 0..<groups {
      mean[g] = Float(totals[g] / population)
      totals[g] = 0
    }
    forEachStretch(pixels) { first, count in
      scratch.update(repeating: 0, count: channels)
      for r in first..<first + count {
        map(channels, x + r * channels, offset, scratch, into: scratch) { value, offset, sum in
          let centered = value + offset
          return multiplyAdd(centered, centered, sum)
        }
      }
      for c in 0..<channels { totals[c / width] += Double(scratch[c]) }
    }
    for g in 0..<groups {
      reciprocalDeviation[g] = Float(1 / (totals[g] / population + Double(epsilon)).squareRoot())
    }
  }

  /// y = x * gain + offset per channel, through SiLU if `silu`.
  public static func apply(
    pixels: Int, channels: Int, _ x: Source, gain: Source, offset: Source, silu: Bool, into y: Target
  ) {
    for r in 0..<pixels {
      let row = r * channels
      if silu {
        map(channels, x + row, gain, offset, into: y + row) { x, a, b in
          let u = multiplyAdd(x, a, b)
          return u * sigmoid(u)
        }
      } else {
        map(channels, x + row, gain, offset, into: y + row) { multiplyAdd($0, $1, $2) }
      }
    }
  }

  /// First pass of the gradient: dz = dy * slope of what follows the normalization, and its sums per channel.
  ///
  /// - Parameters:
  ///   - gain, offset: [channels]; x * gain + offset is what SiLU saw.
  ///   - xScale, xOffset: [channels]; x * xScale + xOffset is the normalized value.
  ///   - dz: [pixels, channels], written.
  ///   - sumDz, sumDzX: [channels], written: sums over pixels of dz and of dz times the normalized value.
  ///   - scratch: [2 * channels] of working memory.
  public static func reduceGradient(
    pixels: Int, channels: Int, _ x: Source, _ dy: Source, gain: Source, offset: Source, xScale: Source,
    xOffset: Source,
    silu: Bool, dz: Target, sumDz: UnsafeMutablePointer<Double>, sumDzX: UnsafeMutablePointer<Double>, scratch: Target
  ) {
    sumDz.update(repeating: 0, count: channels)
    sumDzX.update(repeating: 0, count: channels)
    forEachStretch(pixels) { first, count in
      scratch.update(repeating: 0, count: 2 * channels)
      let second = scratch + channels
      for r in first..<first + count {
        let row = r * channels
        if silu {
          for8(channels) { c, n in
            let value = read(x + row + c, n)
            let u = multiplyAdd(value, read(gain + c, n), read(offset + c, n))
            write(read(dy + row + c, n) * siluSlope(u), dz + row + c, n)
          }
        } else {
          (dz + row).update(from: dy + row, count: channels)
        }
        for8(channels) { c, n in
          let d = read(Source(dz) + row + c, n)
          let normalized = multiplyAdd(read(x + row + c, n), read(xScale + c, n), read(xOffset + c, n))
          write(read(Source(scratch) + c, n) + d, scratch + c, n)
          write(multiplyAdd(d, normalized, read(Source(second) + c, n)), second + c, n)
        }
      }
      for c in 0..<channels {
        sumDz[c] += Double(scratch[c])
        sumDzX[c] += Double(second[c])
      }
    }
  }

  /// Second pass, in place: dx = dz * dzScale + x * xGain + constant per channel.
  public static func finishGradient(
    pixels: Int, channels: Int, _ x: Source, dzScale: Source, xGain: Source, constant: Source, dx: Target
  ) {
    for r in 0..<pixels {
      let row = r * channels
      for8(channels) { c, n in
        let linear = multiplyAdd(read(x + row + c, n), read(xGain + c, n), read(constant + c, n))
        write(multiplyAdd(read(Source(dx) + row + c, n), read(dzScale + c, n), linear), dx + row + c, n)
      }
    }
  }

  @inline(__always) static func forEachStretch(_ pixels: Int, _ body: (Int, Int) -> Void) {
    var first = 0
    while first < pixels {
      body(first, min(stretch, pixels - first))
      first += stretch
    }
  }
}

/// Calls `body` with the start of each group of eight and its length (8, or less for the last).
@inline(__always) func for8(_ count: Int, _ body: (Int, Int) -> Void) {
  let whole = count & ~7
  var i = 0
  while i < whole {
    body(i, 8)
    i &+= 8
  }
  if whole < count { body(whole, count &- whole) }
}

@inline(__always) func read(_ p: Source, _ n: Int) -> Vector { n == 8 ? load(p) : loadTail(p, n) }

@inline(__always) func write(_ v: Vector, _ p: Target, _ n: Int) {
  if n == 8 { store(v, p) } else { storeTail(v, p, n) }
}
