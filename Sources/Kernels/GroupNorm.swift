import KernelInterface

enum GroupNormKernel: GroupNormKernels {
  static func statistics(pixels: Int, channels: Int, _ x: Source, sums: Sums, squares: Sums, scratch: Target) {
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

  static func add(_ count: Int, _ other: Sums, to sums: Sums) {
    for c in 0..<count { sums[c] += other[c] }
  }

  @inline(__always) static func addCenteredSquares(
    _ rows: Int, _ channels: Int, _ x: Source, _ center: Target, to sums: Target
  ) {
    forEachGroup(channels) { c, n in
      let m = read(Source(center) + c, n)
      var sum = read(Source(sums) + c, n)
      for r in 0..<rows {
        let d = read(x + (r &* channels &+ c), n) - m
        sum = multiplyAdd(d, d, sum)
      }
      write(sum, sums + c, n)
    }
  }

  static func finishStatistics(
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

  static func apply(
    pixels: Int, channels: Int, _ x: Source, gain: Source, offset: Source, silu: Bool, into y: Target,
    _ yStride: Int
  ) {
    for r in 0..<pixels {
      let (x, y) = (x + r &* channels, y + r &* yStride)
      if silu {
        map(channels, x, gain, offset, into: y) { x, a, b in
          let u = multiplyAdd(x, a, b)
          return u * sigmoid(u)
        }
      } else {
        map(channels, x, gain, offset, into: y) { multiplyAdd($0, $1, $2) }
      }
    }
  }

  static func reduceGradient(
    pixels: Int, channels: Int, _ x: Source, _ dy: Source, xScale: Source, xOffset: Source,
    activation: (gain: Source, offset: Source)?, dz: Target, sumDz: Sums, sumDzX: Sums, scratch: Target
  ) {
    sumDz.update(repeating: 0, count: channels)
    sumDzX.update(repeating: 0, count: channels)
    forEachStretch(pixels) { first, count in
      scratch.update(repeating: 0, count: 2 &* channels)
      let second = scratch + channels
      var row = 0
      while row < count {
        let n = min(4, count &- row)
        let offset = (first &+ row) &* channels
        if let activation {
          reduceActivatedRows(
            n, channels, x + offset, dy + offset, (xScale, xOffset), activation, dz: dz + offset, (scratch, second))
        } else {
          reduceRows(n, channels, x + offset, dy + offset, (xScale, xOffset), (scratch, second))
        }
        row &+= 4
      }
      for c in 0..<channels {
        sumDz[c] += Double(scratch[c])
        sumDzX[c] += Double(second[c])
      }
    }
  }

  /// Adds the gradients of some rows, and their products with the normalized inputs, to sums of channels.
  @inline(__always) private static func reduceRows(
    _ rows: Int, _ channels: Int, _ x: Source, _ dy: Source, _ normalization: (scale: Source, offset: Source),
    _ sums: (Target, Target)
  ) {
    var c = 0
    while c < channels {
      let n = min(lanes, channels &- c)
      let (scale, offset) = (read(normalization.scale + c, n), read(normalization.offset + c, n))
      var (first, second) = (read(Source(sums.0) + c, n), read(Source(sums.1) + c, n))
      for r in 0..<rows {
        let position = r &* channels &+ c
        let normalized = multiplyAdd(read(x + position, n), scale, offset)
        let d = read(dy + position, n)
        first += d
        second = multiplyAdd(d, normalized, second)
      }
      write(first, sums.0 + c, n)
      write(second, sums.1 + c, n)
      c &+= lanes
    }
  }

  /// The same behind SiLU, whose gradient goes to `dz`.
  // Written out: a function of vectors that is handed on through several closures stays a call for every vector.
  @inline(__always) private static func reduceActivatedRows(
    _ rows: Int, _ channels: Int, _ x: Source, _ dy: Source, _ normalization: (scale: Source, offset: Source),
    _ activation: (gain: Source, offset: Source), dz: Target, _ sums: (Target, Target)
  ) {
    var c = 0
    while c < channels {
      let n = min(lanes, channels &- c)
      let (scale, offset) = (read(normalization.scale + c, n), read(normalization.offset + c, n))
      let (gain, shift) = (read(activation.gain + c, n), read(activation.offset + c, n))
      var (first, second) = (read(Source(sums.0) + c, n), read(Source(sums.1) + c, n))
      for r in 0..<rows {
        let position = r &* channels &+ c
        let normalized = multiplyAdd(read(x + position, n), scale, offset)
        let d = gradientOfSiLU(multiplyAdd(normalized, gain, shift), read(dy + position, n))
        write(d, dz + position, n)
        first += d
        second = multiplyAdd(d, normalized, second)
      }
      write(first, sums.0 + c, n)
      write(second, sums.1 + c, n)
      c &+= lanes
    }
  }

  static func finishGradient(
    pixels: Int, channels: Int, _ x: Source, _ dz: Source, dzScale: Source, xGain: Source, constant: Source,
    into dx: Target
  ) {
    forEachRowGroup(pixels) { row, count in
      let start = row &* channels
      forEachGroup(channels) { c, n in
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
      body(first, min(groupNormStretch, pixels &- first))
      first &+= groupNormStretch
    }
  }
}
