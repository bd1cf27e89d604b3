/// Separable depthwise filtering with a change of resolution by two, of one NHWC image.
public enum ResamplingKernel {
  /// out[oy, ox, c] = sum over i, j of taps[i] taps[j] x[2 oy + i - padding, 2 ox + j - padding, c], zeros outside.
  public static func reduce(
    height: Int, width: Int, channels: Int, outHeight: Int, outWidth: Int, taps: [Float], padding: Int, _ x: Source,
    into y: Target
  ) {
    for oy in 0..<outHeight {
      for ox in 0..<outWidth {
        let out = y + (oy * outWidth + ox) * channels
        out.update(repeating: 0, count: channels)
        for i in 0..<taps.count {
          let row = 2 * oy + i - padding
          if row < 0 || row >= height { continue }
          for j in 0..<taps.count {
            let column = 2 * ox + j - padding
            if column < 0 || column >= width { continue }
            let weight = Vector(repeating: taps[i] * taps[j])
            map(channels, x + (row * width + column) * channels, out, into: out) { multiplyAdd($0, weight, $1) }
          }
        }
      }
    }
  }

  /// The adjoint of `reduce`: every input pixel is spread over the output with the weights of the filter.
  ///
  /// out[y, x, c] = sum over the pixels (iy, ix) with y = 2 iy + i - padding, x = 2 ix + j - padding.
  public static func spread(
    height: Int, width: Int, channels: Int, outHeight: Int, outWidth: Int, taps: [Float], padding: Int, _ x: Source,
    into y: Target
  ) {
    for oy in 0..<outHeight {
      for ox in 0..<outWidth {
        let out = y + (oy * outWidth + ox) * channels
        out.update(repeating: 0, count: channels)
        for i in 0..<taps.count where (oy + padding - i) & 1 == 0 {
          let row = (oy + padding - i) >> 1
          if row < 0 || row >= height { continue }
          for j in 0..<taps.count where (ox + padding - j) & 1 == 0 {
            let column = (ox + padding - j) >> 1
            if column < 0 || column >= width { continue }
            let weight = Vector(repeating: taps[i] * taps[j])
            map(channels, x + (row * width + column) * channels, out, into: out) { multiplyAdd($0, weight, $1) }
          }
        }
      }
    }
  }
}
