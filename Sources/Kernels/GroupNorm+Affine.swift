import KernelInterface

extension GroupNormAffine {
  /// weight and bias after the modulation.
  @inline(__always) func coefficients(_ c: Int, _ n: Int) -> (weight: Vector, bias: Vector) {
    let (w, b) = (read(weight + c, n), read(bias + c, n))
    guard let scale, let addend else { return (w, b) }
    let factor = read(scale + c, n) + Vector(repeating: 1)
    return (w * factor, multiplyAdd(b, factor, read(addend + c, n)))
  }

  /// shift - mean.
  @inline(__always) func center(_ c: Int, _ n: Int, mean: Vector) -> Vector {
    guard let shift else { return -mean }
    return read(shift + c, n) - mean
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
    guard let scale else { return 1 }
    return 1 + Double(scale[c])
  }
}

extension GroupNormKernel {
  static func fold(
    _ affine: GroupNormAffine, channels: Int, groups: Int, mean: Source, reciprocalDeviation: Source, gain: Target,
    offset: Target
  ) {
    affine.spread(channels, groups, reciprocalDeviation, mean, into: (gain, offset))
    forEachGroup(channels) { c, n in
      let (w, b) = affine.coefficients(c, n)
      // The offset follows from the rounded gain, so that rounding it does not move the mean.
      let product = read(Source(gain) + c, n) * w
      let middle = affine.center(c, n, mean: read(Source(offset) + c, n))
      write(product, gain + c, n)
      write(multiplyAdd(middle, product, b), offset + c, n)
    }
  }

  static func split(
    _ affine: GroupNormAffine, channels: Int, groups: Int, mean: Source, reciprocalDeviation: Source, xScale: Target,
    xOffset: Target,
    gain: Target, offset: Target
  ) {
    affine.spread(channels, groups, reciprocalDeviation, mean, into: (xScale, xOffset))
    forEachGroup(channels) { c, n in
      let (w, b) = affine.coefficients(c, n)
      let middle = affine.center(c, n, mean: read(Source(xOffset) + c, n))
      write(middle * read(Source(xScale) + c, n), xOffset + c, n)
      write(w, gain + c, n)
      write(b, offset + c, n)
    }
  }

  static func finishSums(
    _ affine: GroupNormAffine, pixels: Int, channels: Int, groups: Int, reciprocalDeviation: Source,
    centeredMean: Source, xScale: Source, xOffset: Source, sumDz: Sums, sumDzX: Sums, dzScale: Target, xGain: Target,
    constant: Target,
    gradients: GroupNormChannelGradients
  ) {
    let width = channels / groups
    let population = Double(pixels) * Double(width)
    for g in 0..<groups {
      let range = g &* width..<(g &+ 1) &* width
      var (first, second) = (0.0, 0.0)
      for c in range {
        let w = Double(affine.weight[c]) * affine.factor(c)
        first += w * sumDz[c]
        second += w * sumDzX[c]
      }
      first /= population
      second /= population
      let r = Double(reciprocalDeviation[g])
      for c in range {
        let (dz, dzX) = (sumDz[c], sumDzX[c])
        let factor = affine.factor(c)
        let scale = r * Double(affine.weight[c]) * factor
        dzScale[c] = Float(scale)
        xGain[c] = Float(-r * second * Double(xScale[c]))
        constant[c] = Float(-r * (first + second * Double(xOffset[c])))
        // The sum of dx over pixels, from the sums of its three terms.
        let sumX = r * Double(pixels) * Double(centeredMean[c])
        gradients.shift[c] = Float(scale * dz - r * (first * Double(pixels) + second * sumX))
        gradients.weight[c] = Float(factor * dzX)
        gradients.bias[c] = Float(factor * dz)
        gradients.scale[c] = Float(Double(affine.weight[c]) * dzX + Double(affine.bias[c]) * dz)
        gradients.addend[c] = Float(dz)
      }
    }
  }
}
