/// Windows of 3x3 pixels of NHWC images, rows of one image on the calling thread. What lies outside the image is left out.
public enum Pooling {
  /// The images, and how the window moves.
  public struct Shape: Sendable {
    let height: Int, width: Int, channels: Int
    let inputPixel: Int, outputPixel: Int
    let stride: Int, padding: Int

    /// - Parameters:
    ///   - height, width: of the input.
    ///   - channels: that are pooled.
    ///   - inputPixel, outputPixel: floats from one pixel to the next.
    ///   - stride: pixels from one window to the next.
    ///   - padding: pixels by which the first window begins above and left of the image.
    public init(
      height: Int, width: Int, channels: Int, inputPixel: Int, outputPixel: Int, stride: Int, padding: Int
    ) {
      (self.height, self.width, self.channels) = (height, width, channels)
      (self.inputPixel, self.outputPixel, self.stride, self.padding) = (inputPixel, outputPixel, stride, padding)
    }

    /// Height of the output.
    public var outHeight: Int { (height + 2 * padding - 3) / stride + 1 }
    /// Width of the output.
    public var outWidth: Int { (width + 2 * padding - 3) / stride + 1 }
  }

  /// The largest number of each window.
  /// - Parameters:
  ///   - rows: of the output.
  ///   - x: one image.
  ///   - y: the whole output of the image, of which these rows are written.
  public static func maximum(_ s: Shape, rows: Range<Int>, _ x: Source, into y: Target) {
    forEachWindow(s, rows: rows) { pixel, top, left in
      for8(s.channels) { c, n in
        var best = read(x + (top.lowerBound * s.width + left.lowerBound) * s.inputPixel + c, n)
        for row in top {
          for column in left {
            let v = read(x + (row * s.width + column) * s.inputPixel + c, n)
            // A number that is none stays none.
            best = best.replacing(with: v, where: .!(v .<= best))
          }
        }
        write(best, y + pixel * s.outputPixel + c, n)
      }
    }
  }

  /// max(mean, 0), the mean over the pixels of the window that are in the image.
  public static func rectifiedAverage(_ s: Shape, rows: Range<Int>, _ x: Source, into y: Target) {
    forEachWindow(s, rows: rows) { pixel, top, left in
      let scale = Vector(repeating: 1 / Float(top.count * left.count))
      for8(s.channels) { c, n in
        var sum = Vector(repeating: 0)
        for row in top {
          for column in left { sum += read(x + (row * s.width + column) * s.inputPixel + c, n) }
        }
        write(rectified(sum * scale), y + pixel * s.outputPixel + c, n)
      }
    }
  }

  @inline(__always)
  private static func forEachWindow(_ s: Shape, rows: Range<Int>, _ body: (Int, Range<Int>, Range<Int>) -> Void) {
    for oy in rows {
      let y = oy * s.stride - s.padding
      let top = max(y, 0)..<min(y + 3, s.height)
      for ox in 0..<s.outWidth {
        let x = ox * s.stride - s.padding
        body(oy * s.outWidth + ox, top, max(x, 0)..<min(x + 3, s.width))
      }
    }
  }

  /// The mean over all pixels of one image, per channel.
  /// - Parameter x: [pixels, channels].
  public static func mean(pixels: Int, channels: Int, _ x: Source, into y: Target) {
    let scale = Vector(repeating: 1 / Float(pixels))
    for8(channels) { c, n in
      var sum = Vector(repeating: 0)
      for pixel in 0..<pixels { sum += read(x + pixel * channels + c, n) }
      write(sum * scale, y + c, n)
    }
  }
}

/// Bilinear resizing of images of bytes.
public enum BilinearKernel {
  /// The two neighbours of each place along one axis, and the weight of the second.
  public struct Axis: Sendable {
    let first: [Int32], second: [Int32]
    let weight: [Float]

    /// - Parameters:
    ///   - size: pixels of the image.
    ///   - places: where the results lie, in pixels of the image, confined to it.
    public init(size: Int, places: [Double]) {
      let confined = places.map { min(max($0, 0), Double(size - 1)) }
      first = confined.map { Int32($0) }
      second = first.map { min($0 + 1, Int32(size - 1)) }
      weight = zip(confined, first).map { Float($0 - Double($1)) }
    }
  }

  /// y = value * scale + offset of some rows of one image.
  ///
  /// - Parameters:
  ///   - vertical, horizontal: of the two directions.
  ///   - channels: of the bytes; one is repeated for all three of the result.
  ///   - rows: of the result.
  ///   - x: [height, width, channels].
  ///   - y: [vertical places, horizontal places, 3], of which these rows are written.
  public static func resize(
    _ vertical: Axis, _ horizontal: Axis, channels: Int, width: Int, rows: Range<Int>,
    _ x: UnsafePointer<UInt8>, scale: Float, offset: Float, into y: Target
  ) {
    let columns = horizontal.weight.count
    withUnsafeTemporaryAllocation(of: Float.self, capacity: width * channels) { line in
      for row in rows {
        let top = x + Int(vertical.first[row]) * width * channels
        let bottom = x + Int(vertical.second[row]) * width * channels
        let down = vertical.weight[row]
        for i in 0..<width * channels {
          let (a, b) = (Float(top[i]), Float(bottom[i]))
          line[i] = (a + (b - a) * down) * scale + offset
        }
        let target = y + row * columns * 3
        for column in 0..<columns {
          let (left, right) = (Int(horizontal.first[column]) * channels, Int(horizontal.second[column]) * channels)
          let across = horizontal.weight[column]
          for c in 0..<3 {
            let channel = channels == 1 ? 0 : c
            let (a, b) = (line[left + channel], line[right + channel])
            target[column * 3 + c] = a + (b - a) * across
          }
        }
      }
    }
  }
}
