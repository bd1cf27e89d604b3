/// Group normalization of NHWC images: sums over pixels, and what is done to every pixel.
///
/// Sums run in float32 over short stretches of pixels and in float64 over the stretches, so their error does not grow with
/// the image. Several rows of pixels are read side by side, so that a channel's sums are touched once for all of them.
public enum GroupNormKernel {
  /// Pixels whose contributions are summed in float32 before they are added to the float64 sums.
  public static let stretch = 32

  /// Sums over pixels of each channel, in float64.
  public typealias Sums = UnsafeMutablePointer<Double>

  /// Sums and squares of some pixels, read once from memory.
  ///
  /// Squares are taken around the mean of each stretch, where they lose nothing, and moved to zero in float64.
  /// - Parameters:
  ///   - x: [pixels, channels].
  ///   - sums: [channels], written: sums of x.
  ///   - squares: [channels], written: sums of x^2.
  ///   - scratch: [2 * channels] of working memory.
  public static func statistics(pixels: Int, channels: Int, _ x: Source, sums: Sums, squares: Sums, scratch: Target) {
    sums.update(repeating: 0, count: channels)
    squares.update(repeating: 0, count: channels)
    let center = scratch + channels
    forEachStretch(pixels) { first, count in
      let rows = x + first &* channels
      scratch.update(repeating: 0, count: channels)
      Elementwise.addColumnSums(rows: count, columns: channels, rows, to: scratch)
      let reciprocal = Vector(repeating: 1 / Float(count))
      map(channels, scratch, into: center) { $0 * reciprocal }
      for c in 0..<channels {
        let sum = Double(scratch[c])
        sums[c] += sum
        squares[c] += sum * sum / Double(count)
      }
      scratch.update(repeating: 0, count: channels)
      forEachRowGroup(count) { row, n in
        addCenteredSquares(n, channels, rows + row &* channels, center, to: scratch)
      }
      for c in 0..<channels { squares[c] += Double(scratch[c]) }
    }
  }

  /// sums += other, of `count` channels.
  public static func add(_ count: Int, _ other: Sums, to sums: Sums) {
    for c in 0..<count { sums[c] += other[c] }
  }

  @inline(__always) static func addCenteredSquares(
    _ rows: Int, _ channels: Int, _ x: Source, _ center: Target, to sums: Target
  ) {
    for8(channels) { c, n in
      let m = read(Source(center) + c, n)
      var sum = read(Source(sums) + c, n)
      for r in 0..<rows {
        let d = read(x + (r &* channels &+ c), n) - m
        sum = multiplyAdd(d, d, sum)
      }
      write(sum, sums + c, n)
    }
  }

  /// Turns an image's sums of x and x^2 into the statistics of x + shift.
  ///
  /// - Parameters:
  ///   - sums, squares: [channels]; used up.
  ///   - shift: [channels].
  ///   - mean, reciprocalDeviation: [groups], written.
  ///   - centeredMean: [channels], written: the mean of each channel less that of its group.
  public static func finishStatistics(
    pixels: Int, channels: Int, groups: Int, epsilon: Float, sums: Sums, squares: Sums, shift: Source?,
    mean: Target, reciprocalDeviation: Target, centeredMean: Target
  ) {
    let population = Double(pixels)
    let reciprocal = 1 / population
    // From here on: the mean of each channel, and its squares around that mean.
    for c in 0..<channels {
      let average = sums[c] * reciprocal
      squares[c] = max(squares[c] - sums[c] * average, 0)
      sums[c] = average
    }
    if let shift { for c in 0..<channels { sums[c] += Double(shift[c]) } }
    let width = channels / groups
    for g in 0..<groups {
      let first = g &* width
      var total = 0.0
      for c in first..<first &+ width { total += sums[c] }
      let average = total / Double(width)
      var variance = 0.0
      for c in first..<first &+ width {
        let distance = sums[c] - average
        variance += squares[c] + population * distance * distance
        centeredMean[c] = Float(distance)
      }
      mean[g] = Float(average)
      reciprocalDeviation[g] = Float(1 / (variance / (population * Double(width)) + Double(epsilon)).squareRoot())
    }
  }

  /// What surrounds the normalization of one image, each [channels]: a shift before it, weight and bias after it, then a
  /// multiplication by scale + 1 and an addend.
  public struct Affine {
    let shift: Source?
    let weight: Source
    let bias: Source
    let modulation: (scale: Source, addend: Source)?

    /// Everything but `shift` and `modulation` is always there.
    public init(shift: Source?, weight: Source, bias: Source, modulation: (scale: Source, addend: Source)?) {
      (self.shift, self.weight, self.bias, self.modulation) = (shift, weight, bias, modulation)
    }

    /// weight and bias after the modulation.
    @inline(__always) func affine(_ c: Int, _ n: Int) -> (weight: Vector, bias: Vector) {
      let (w, b) = (read(weight + c, n), read(bias + c, n))
      guard let modulation else { return (w, b) }
      let factor = read(modulation.scale + c, n) + Vector(repeating: 1)
      return (w * factor, multiplyAdd(b, factor, read(modulation.addend + c, n)))
    }

    /// shift - mean.
    @inline(__always) func center(_ c: Int, _ n: Int, mean: Vector) -> Vector {
      guard let shift else { return -mean }
      return read(shift + c, n) - mean
    }

    /// Everything in one multiplication and addition: x * gain + offset.
    public func fold(
      channels: Int, groups: Int, mean: Source, reciprocalDeviation: Source, gain: Target, offset: Target
    ) {
      spread(channels, groups, reciprocalDeviation, mean, into: (gain, offset))
      for8(channels) { c, n in
        let (w, b) = affine(c, n)
        // The offset follows from the rounded gain, so that rounding it does not move the mean.
        let product = read(Source(gain) + c, n) * w
        let middle = center(c, n, mean: read(Source(offset) + c, n))
        write(product, gain + c, n)
        write(multiplyAdd(middle, product, b), offset + c, n)
      }
    }

    /// In two: the normalized value is x * xScale + xOffset, and that * gain + offset the result.
    public func split(
      channels: Int, groups: Int, mean: Source, reciprocalDeviation: Source, xScale: Target, xOffset: Target,
      gain: Target, offset: Target
    ) {
      spread(channels, groups, reciprocalDeviation, mean, into: (xScale, xOffset))
      for8(channels) { c, n in
        let (w, b) = affine(c, n)
        let middle = center(c, n, mean: read(Source(xOffset) + c, n))
        write(middle * read(Source(xScale) + c, n), xOffset + c, n)
        write(w, gain + c, n)
        write(b, offset + c, n)
      }
    }

    /// Two numbers of each group to all its channels.
    @inline(__always)
    func spread(_ channels: Int, _ groups: Int, _ first: Source, _ second: Source, into targets: (Target, Target)) {
      let width = channels / groups
      var c = 0
      for g in 0..<groups {
        let (a, b) = (first[g], second[g])
        for _ in 0..<width {
          targets.0[c] = a
          targets.1[c] = b
          c &+= 1
        }
      }
    }

    /// scale + 1.
    @inline(__always) func factor(_ c: Int) -> Double {
      guard let modulation else { return 1 }
      return 1 + Double(modulation.scale[c])
    }

    /// From the sums of an image to its gradients and the coefficients of the second pass, each [channels].
    ///
    /// dx = r (w dz - mean(w dz) - x^ mean(w dz x^)), means over the group, x^ the normalized value, w = weight (scale + 1).
    public func finishGradient(
      pixels: Int, channels: Int, groups: Int, reciprocalDeviation: Source, centeredMean: Source, xScale: Source,
      xOffset: Source, sumDz: Sums, sumDzX: Sums, dzScale: Target, xGain: Target, constant: Target,
      gradients: (shift: Target, weight: Target, bias: Target, scale: Target, addend: Target)
    ) {
      let width = channels / groups
      let population = Double(pixels) * Double(width)
      for g in 0..<groups {
        let range = g &* width..<(g &+ 1) &* width
        var (first, second) = (0.0, 0.0)
        for c in range {
          let w = Double(weight[c]) * factor(c)
          first += w * sumDz[c]
          second += w * sumDzX[c]
        }
        first /= population
        second /= population
        let r = Double(reciprocalDeviation[g])
        for c in range {
          let (dz, dzX) = (sumDz[c], sumDzX[c])
          let factor = factor(c)
          let scale = r * Double(weight[c]) * factor
          dzScale[c] = Float(scale)
          xGain[c] = Float(-r * second * Double(xScale[c]))
          constant[c] = Float(-r * (first + second * Double(xOffset[c])))
          // The sum of dx over pixels, from the sums of its three terms.
          let sumX = r * Double(pixels) * Double(centeredMean[c])
          gradients.shift[c] = Float(scale * dz - r * (first * Double(pixels) + second * sumX))
          gradients.weight[c] = Float(factor * dzX)
          gradients.bias[c] = Float(factor * dz)
          gradients.scale[c] = Float(Double(weight[c]) * dzX + Double(bias[c]) * dz)
          gradients.addend[c] = Float(dz)
        }
      }
    }
  }

  /// y = x * gain + offset per channel, through SiLU if `silu`.
  public static func apply(
    pixels: Int, channels: Int, _ x: Source, gain: Source, offset: Source, silu: Bool, into y: Target
  ) {
    for r in 0..<pixels {
      let row = r &* channels
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
  ///   - x, dy: [pixels, channels].
  ///   - xScale, xOffset: [channels]; x * xScale + xOffset is the normalized value.
  ///   - gain, offset: [channels]; normalized value * gain + offset is what SiLU saw. nil: no SiLU, dz is dy.
  ///   - dz: [pixels, channels], written if SiLU is there.
  ///   - sumDz, sumDzX: [channels], written: sums over pixels of dz and of dz times the normalized value.
  ///   - scratch: [2 * channels] of working memory.
  public static func reduceGradient(
    pixels: Int, channels: Int, _ x: Source, _ dy: Source, xScale: Source, xOffset: Source,
    activation: (gain: Source, offset: Source)?, dz: Target, sumDz: Sums, sumDzX: Sums, scratch: Target
  ) {
    sumDz.update(repeating: 0, count: channels)
    sumDzX.update(repeating: 0, count: channels)
    forEachStretch(pixels) { first, count in
      scratch.update(repeating: 0, count: 2 &* channels)
      let second = scratch + channels
      forEachRowGroup(count) { row, n in
        let offset = (first &+ row) &* channels
        let normalization = (xScale, xOffset)
        if let activation {
          reduceRows(n, channels, x + offset, dy + offset, normalization, (scratch, second)) {
            c, lanes, r, d, normalized in
            let u = multiplyAdd(normalized, read(activation.gain + c, lanes), read(activation.offset + c, lanes))
            let slope = siluGradient(u, d)
            write(slope, dz + (offset &+ r &* channels &+ c), lanes)
            return slope
          }
        } else {
          reduceRows(n, channels, x + offset, dy + offset, normalization, (scratch, second)) { _, _, _, d, _ in d }
        }
      }
      for c in 0..<channels {
        sumDz[c] += Double(scratch[c])
        sumDzX[c] += Double(second[c])
      }
    }
  }

  @inline(__always) static func reduceRows(
    _ rows: Int, _ channels: Int, _ x: Source, _ dy: Source, _ normalization: (scale: Source, offset: Source),
    _ sums: (Target, Target), _ slope: (Int, Int, Int, Vector, Vector) -> Vector
  ) {
    for8(channels) { c, n in
      let scale = read(normalization.scale + c, n)
      let offset = read(normalization.offset + c, n)
      var first = read(Source(sums.0) + c, n)
      var second = read(Source(sums.1) + c, n)
      for r in 0..<rows {
        let position = r &* channels &+ c
        let normalized = multiplyAdd(read(x + position, n), scale, offset)
        let d = slope(c, n, r, read(dy + position, n), normalized)
        first += d
        second = multiplyAdd(d, normalized, second)
      }
      write(first, sums.0 + c, n)
      write(second, sums.1 + c, n)
    }
  }

  /// Second pass: dx = dz * dzScale + x * xGain + constant per channel; dx may be dz.
  public static func finishGradient(
    pixels: Int, channels: Int, _ x: Source, _ dz: Source, dzScale: Source, xGain: Source, constant: Source,
    into dx: Target
  ) {
    forEachRowGroup(pixels) { row, count in
      let start = row &* channels
      for8(channels) { c, n in
        let (a, b, k) = (read(dzScale + c, n), read(xGain + c, n), read(constant + c, n))
        for r in 0..<count {
          let position = start &+ r &* channels &+ c
          let linear = multiplyAdd(read(x + position, n), b, k)
          write(multiplyAdd(read(dz + position, n), a, linear), dx + position, n)
        }
      }
    }
  }

  @inline(__always) static func forEachStretch(_ pixels: Int, _ body: (Int, Int) -> Void) {
    var first = 0
    while first < pixels {
      body(first, min(stretch, pixels &- first))
      first &+= stretch
    }
  }
}

/// Calls `body` with the start of each group of four rows and its length (4, or less for the last).
@inline(__always) func forEachRowGroup(_ rows: Int, _ body: (Int, Int) -> Void) {
  let whole = rows & ~3
  var row = 0
  while row < whole {
    body(row, 4)
    row &+= 4
  }
  if whole < rows { body(whole, rows &- whole) }
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
