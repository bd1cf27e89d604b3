import KernelInterface

enum Pooling: PoolingKernels {
  static func maximum(_ s: PoolingShape, rows: Range<Int>, _ x: Source, into y: Target) {
    forEachWindow(s, rows: rows) { pixel, top, left in
      forEachGroup(s.channels) { c, n in
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

  static func rectifiedAverage(_ s: PoolingShape, rows: Range<Int>, _ x: Source, into y: Target) {
    forEachWindow(s, rows: rows) { pixel, top, left in
      let scale = Vector(repeating: 1 / Float(top.count * left.count))
      forEachGroup(s.channels) { c, n in
        var sum = Vector(repeating: 0)
        for row in top {
          for column in left { sum += read(x + (row * s.width + column) * s.inputPixel + c, n) }
        }
        write(rectified(sum * scale), y + pixel * s.outputPixel + c, n)
      }
    }
  }

  @inline(__always)
  private static func forEachWindow(_ s: PoolingShape, rows: Range<Int>, _ body: (Int, Range<Int>, Range<Int>) -> Void)
  {
    for oy in rows {
      let y = oy * s.stride - s.padding
      let top = max(y, 0)..<min(y + 3, s.height)
      for ox in 0..<s.outWidth {
        let x = ox * s.stride - s.padding
        body(oy * s.outWidth + ox, top, max(x, 0)..<min(x + 3, s.width))
      }
    }
  }

  static func mean(pixels: Int, channels: Int, _ x: Source, into y: Target) {
    let scale = Vector(repeating: 1 / Float(pixels))
    forEachGroup(channels) { c, n in
      var sum = Vector(repeating: 0)
      for pixel in 0..<pixels { sum += read(x + pixel * channels + c, n) }
      write(sum * scale, y + c, n)
    }
  }

  static func resize(
    _ vertical: BilinearAxis, _ horizontal: BilinearAxis, channels: Int, width: Int, rows: Range<Int>,
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
