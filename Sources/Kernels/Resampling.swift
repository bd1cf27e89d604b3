import KernelInterface

enum ResamplingKernel: ResamplingKernels {
  static func reduce(_ s: ResamplingShape, rows: Range<Int>, _ x: Source, into y: Target) {
    let stride = s.width &* s.channels
    if s.padding == 0, s.taps.count == 2, s.taps[0] == s.taps[1], 2 &* rows.upperBound <= s.height,
      2 &* s.outWidth <= s.width
    {
      for oy in rows {
        let source = x + 2 &* oy &* stride
        let target = y + oy &* s.outWidth &* s.channels
        addFours(s.outWidth, s.channels, source, stride, weight: s.taps[0] * s.taps[0], into: target)
      }
      return
    }
    forEachPixel(s, rows, y) { oy, ox, inputs in
      for i in 0..<s.taps.count {
        let row = 2 &* oy &+ i &- s.padding
        if row < 0 || row >= s.height { continue }
        for j in 0..<s.taps.count {
          let column = 2 &* ox &+ j &- s.padding
          if column < 0 || column >= s.width { continue }
          inputs.add(x + (row &* s.width &+ column) &* s.channels, s.taps[i] * s.taps[j])
        }
      }
    }
  }

  static func spread(_ s: ResamplingShape, rows: Range<Int>, _ x: Source, into y: Target) {
    forEachPixel(s, rows, y) { oy, ox, inputs in
      for i in 0..<s.taps.count where (oy &+ s.padding &- i) & 1 == 0 {
        let row = (oy &+ s.padding &- i) >> 1
        if row < 0 || row >= s.height { continue }
        for j in 0..<s.taps.count where (ox &+ s.padding &- j) & 1 == 0 {
          let column = (ox &+ s.padding &- j) >> 1
          if column < 0 || column >= s.width { continue }
          inputs.add(x + (row &* s.width &+ column) &* s.channels, s.taps[i] * s.taps[j])
        }
      }
    }
  }

  /// The pixels, or whole lines of them, that one of the output is made of, and their weights.
  struct Inputs {
    let pixels: UnsafeMutablePointer<Source>
    let weights: Target
    var count = 0

    @inline(__always) mutating func add(_ pixel: Source, _ weight: Float) {
      pixels[count] = pixel
      weights[count] = weight
      count &+= 1
    }
  }

  /// Lets `gather` collect the inputs of every pixel of some rows, and sums them.
  @inline(__always)
  private static func forEachPixel(
    _ s: ResamplingShape, _ rows: Range<Int>, _ y: Target, _ gather: (Int, Int, inout Inputs) -> Void
  ) {
    withInputs(atMost: s.taps.count &* s.taps.count) { inputs in
      for oy in rows {
        for ox in 0..<s.outWidth {
          inputs.count = 0
          gather(oy, ox, &inputs)
          sum(s.channels, inputs, into: y + (oy &* s.outWidth &+ ox) &* s.channels)
        }
      }
    }
  }

  /// Lends memory for a list of inputs.
  @inline(__always)
  static func withInputs(atMost most: Int, _ body: (inout Inputs) -> Void) {
    withUnsafeTemporaryAllocation(of: Source.self, capacity: most) { pixels in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: most) { weights in
        var inputs = Inputs(
          pixels: pixels.baseAddress.unsafelyUnwrapped, weights: weights.baseAddress.unsafelyUnwrapped)
        body(&inputs)
      }
    }
  }

  /// The weighted sum of the inputs, `channels` floats of each.
  static func sum(_ channels: Int, _ inputs: Inputs, into y: Target) {
    if inputs.count == 1 {
      let weight = Vector(repeating: inputs.weights[0])
      map(channels, inputs.pixels[0], into: y) { $0 * weight }
      return
    }
    // Four vectors at a time, so that a pixel's address and weight are looked up once for all of them.
    let whole = channels & ~(4 &* lanes &- 1)
    var c = 0
    while c < whole {
      var (a, b) = (Vector(repeating: 0), Vector(repeating: 0))
      var (d, e) = (a, b)
      for k in 0..<inputs.count {
        let pixel = inputs.pixels[k] + c
        let weight = Vector(repeating: inputs.weights[k])
        a = multiplyAdd(load(pixel), weight, a)
        b = multiplyAdd(load(pixel + lanes), weight, b)
        d = multiplyAdd(load(pixel + 2 &* lanes), weight, d)
        e = multiplyAdd(load(pixel + 3 &* lanes), weight, e)
      }
      store(a, y + c)
      store(b, y + (c &+ lanes))
      store(d, y + (c &+ 2 &* lanes))
      store(e, y + (c &+ 3 &* lanes))
      c &+= 4 &* lanes
    }
    forEachGroup(channels &- whole) { i, n in
      var total = Vector(repeating: 0)
      for k in 0..<inputs.count {
        total = multiplyAdd(
          read(inputs.pixels[k] + (whole &+ i), n), Vector(repeating: inputs.weights[k]), total)
      }
      write(total, y + (whole &+ i), n)
    }
  }

  /// A row of sums of two by two pixels, times a weight.
  private static func addFours(
    _ outWidth: Int, _ channels: Int, _ x: Source, _ stride: Int, weight: Float, into y: Target
  ) {
    let factor = Vector(repeating: weight)
    for ox in 0..<outWidth {
      let upper = x + 2 &* ox &* channels
      let lower = upper + stride
      let out = y + ox &* channels
      forEachGroup(channels) { c, n in
        let top = read(upper + c, n) + read(upper + (channels &+ c), n)
        let bottom = read(lower + c, n) + read(lower + (channels &+ c), n)
        write((top + bottom) * factor, out + c, n)
      }
    }
  }
}
