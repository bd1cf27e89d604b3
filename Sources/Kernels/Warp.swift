import KernelInterface

enum WarpKernel: WarpKernels {
  /// sym6's low-pass filter.
  static let taps: [Float] = [
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
    0.787641141030194, 0.3379294217276218, -0.07263748278646252, -0.021060292512300564, 0.04472490177066578,
    0.0017677118642428036, -0.007800708325034148,
  ]

  static func apply(_ s: WarpShape, _ x: Source, into y: Target, scratch: Target) {
    let columns = scratch
    let doubled = columns + s.columnsFloats
    let sampled = doubled + s.doubledFloats
    let line = sampled + s.sampledFloats
    taps.withUnsafeBufferPointer { taps in
      let filter = taps.baseAddress.unsafelyUnwrapped
      ResamplingKernel.withInputs(atMost: WarpFilter.tapCount) { inputs in
        doubleRows(s, filter, x, into: columns, line: line, &inputs)
        doubleColumns(s, filter, columns, into: doubled, &inputs)
        for row in 0..<s.sampledHeight {
          sample(s, doubled, row: row, into: sampled + row &* s.sampledWidth &* s.channels)
        }
        halve(s, filter, sampled, into: y, line: line, &inputs)
      }
    }
  }

  /// Twice the rows, turned so that the other direction is contiguous too: [W, rows, C].
  private static func doubleRows(
    _ s: WarpShape, _ filter: Source, _ x: Source, into columns: Target, line: Target,
    _ inputs: inout ResamplingKernel.Inputs
  ) {
    let (width, channels) = (s.horizontal.size, s.channels)
    let rows = s.vertical.box.count
    for row in 0..<rows {
      s.vertical.gather(s.vertical.box.lowerBound &+ row, filter, &inputs) { x + $0 &* width &* channels }
      ResamplingKernel.sum(width &* channels, inputs, into: line)
      for column in 0..<width {
        let target = columns + (column &* rows &+ row) &* channels
        for c in 0..<channels { target[c] = line[column &* channels &+ c] }
      }
    }
  }

  /// Twice the columns: [columns, rows, C].
  private static func doubleColumns(
    _ s: WarpShape, _ filter: Source, _ x: Source, into doubled: Target, _ inputs: inout ResamplingKernel.Inputs
  ) {
    let count = s.vertical.box.count &* s.channels
    for column in 0..<s.horizontal.box.count {
      s.horizontal.gather(s.horizontal.box.lowerBound &+ column, filter, &inputs) { x + $0 &* count }
      ResamplingKernel.sum(count, inputs, into: doubled + column &* count)
    }
  }

  /// One row of bilinear samples.
  private static func sample(_ s: WarpShape, _ doubled: Source, row: Int, into y: Target) {
    let rows = s.vertical.box.count
    let (left, top) = (s.horizontal.box.lowerBound, s.vertical.box.lowerBound)
    let (inX, inY) = (s.horizontal.limits, s.vertical.limits)
    let p = s.positions
    let (startX, startY) = (p.xy * Double(row) + p.x, p.yy * Double(row) + p.y)
    for column in 0..<s.sampledWidth {
      let px = min(max(p.xx * Double(column) + startX, inX.low), inX.high)
      let py = min(max(p.yx * Double(column) + startY, inY.low), inY.high)
      let (wholeX, wholeY) = (px.rounded(.down), py.rounded(.down))
      let corner = ((Int(wholeX) &- left) &* rows &+ Int(wholeY) &- top) &* s.channels
      let (u, v) = (SIMD4(repeating: Float(px - wholeX)), SIMD4(repeating: Float(py - wholeY)))
      let target = y + column &* s.channels
      var c = 0
      while c < s.channels {
        let a = doubled + (corner &+ c)
        let b = a + rows &* s.channels
        let near = mix(load4(a), load4(a + s.channels), v)
        let far = mix(load4(b), load4(b + s.channels), v)
        store4(mix(near, far, u), target + c)
        c &+= 4
      }
    }
  }

  /// Half the resolution, without what the filter needed around the image.
  private static func halve(
    _ s: WarpShape, _ filter: Source, _ x: Source, into y: Target, line: Target, _ inputs: inout ResamplingKernel.Inputs
  ) {
    let (width, channels) = (s.horizontal.size, s.channels)
    let stride = s.sampledWidth &* channels
    withUnsafeTemporaryAllocation(of: Float.self, capacity: width &* channels &+ s.slack) { memory in
      let output = memory.baseAddress.unsafelyUnwrapped
      for row in 0..<s.vertical.size {
        inputs.count = 0
        for k in 0..<WarpFilter.tapCount { inputs.add(x + (2 &* row &+ 1 &+ k) &* stride, filter[k]) }
        ResamplingKernel.sum(stride, inputs, into: line)
        for column in 0..<width {
          var c = 0
          while c < channels {
            let source = line + ((2 &* column &+ 1) &* channels &+ c)
            var total = SIMD4<Float>(repeating: 0)
            for k in 0..<WarpFilter.tapCount { total += load4(source + k &* channels) * SIMD4(repeating: filter[k]) }
            store4(total, output + (column &* channels &+ c))
            c &+= 4
          }
        }
        (y + row &* width &* channels).update(from: output, count: width &* channels)
      }
    }
  }

  @inline(__always) private static func mix(_ a: SIMD4<Float>, _ b: SIMD4<Float>, _ t: SIMD4<Float>) -> SIMD4<Float> {
    a + (b - a) * t
  }

  @inline(__always) private static func load4(_ p: Source) -> SIMD4<Float> {
    UnsafeRawPointer(p).loadUnaligned(as: SIMD4<Float>.self)
  }

  @inline(__always) private static func store4(_ v: SIMD4<Float>, _ p: Target) {
    UnsafeMutableRawPointer(p).storeBytes(of: v, as: SIMD4<Float>.self)
  }
}

extension WarpAxis {
  /// Lists the pixels from which a position of the doubled image is filtered; none beyond the borders.
  @inline(__always)
  func gather(_ position: Int, _ filter: Source, _ inputs: inout ResamplingKernel.Inputs, _ line: (Int) -> Source) {
    inputs.count = 0
    if position < -2 &* before || position >= 2 &* (size &+ after) { return }
    let odd = position & 1
    let first = (position >> 1) &- 3 &+ odd
    for t in 0..<6 {
      let padded = first &+ t
      if padded < -before || padded >= size &+ after { continue }
      var pixel = padded < 0 ? -padded : padded
      if pixel >= size { pixel = 2 &* (size &- 1) &- pixel }
      inputs.add(line(isFlipped ? size &- 1 &- pixel : pixel), filter[11 &- 2 &* t &- odd])
    }
  }
}
