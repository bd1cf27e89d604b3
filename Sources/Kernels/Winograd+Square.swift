import CVector
import KernelInterface

/// The transforms of F(4x4, 3x3), which most of a network's time goes by: between its two directions a tile stays in
/// registers. The numbers are those of the general transforms.
extension Winograd {
  /// One vector of outputs of a kernel's weights.
  ///
  /// - Parameters:
  ///   - weight: `count` floats of each tap, taps `tapStride` floats apart.
  ///   - v: the first position, `stride` floats from the next.
  @inline(__always)
  static func transformSquareWeights(_ weight: Source, tapStride: Int, count: Int, into v: Target, stride: Int) {
    typealias Tiling = WinogradTiling4
    @inline(__always) func column(_ x: Int) -> Six {
      Tiling.weights(
        Three(
          read(weight + x * tapStride, count), read(weight + (3 + x) * tapStride, count),
          read(weight + (6 + x) * tapStride, count)))
    }
    let (left, middle, right) = (column(0), column(1), column(2))
    @inline(__always) func finish(_ row: Int) {
      Tiling.weight(Three(left[row], middle[row], right[row]), MutableFloatLine(v + row * 6 * stride, stride))
    }
    finish(0)
    finish(1)
    finish(2)
    finish(3)
    finish(4)
    finish(5)
  }

  /// One vector of channels of a tile's inputs.
  ///
  /// - Parameters:
  ///   - pixels: the 36 inputs.
  ///   - channel: where in them.
  ///   - v: the first position, `stride` floats from the next.
  @inline(__always)
  static func transformSquareInputs(
    _ pixels: UnsafePointer<Source>, channel: Int, into v: Target, stride: Int
  ) {
    typealias Tiling = WinogradTiling4
    @inline(__always) func column(_ i: Int) -> PixelLine { PixelLine(pixels + i, 6, channel: channel) }
    @inline(__always) func finish(_ row: Int, _ values: Six) {
      Tiling.input(values, MutableFloatLine(v + row * 6 * stride, stride))
    }
    // Some inputs are read more than once, from the nearest cache: that is cheaper than to put 36 vectors away.
    finish(
      0,
      Six(
        Tiling.zeroInput(column(0)), Tiling.zeroInput(column(1)), Tiling.zeroInput(column(2)),
        Tiling.zeroInput(column(3)), Tiling.zeroInput(column(4)), Tiling.zeroInput(column(5))))
    finish(
      5,
      Six(
        Tiling.infiniteInput(column(0)), Tiling.infiniteInput(column(1)), Tiling.infiniteInput(column(2)),
        Tiling.infiniteInput(column(3)), Tiling.infiniteInput(column(4)), Tiling.infiniteInput(column(5))))
    let (a0, a1, a2) = (Tiling.inputsA(column(0)), Tiling.inputsA(column(1)), Tiling.inputsA(column(2)))
    let (a3, a4, a5) = (Tiling.inputsA(column(3)), Tiling.inputsA(column(4)), Tiling.inputsA(column(5)))
    finish(1, Six(a0.0, a1.0, a2.0, a3.0, a4.0, a5.0))
    finish(2, Six(a0.1, a1.1, a2.1, a3.1, a4.1, a5.1))
    let (b0, b1, b2) = (Tiling.inputsB(column(0)), Tiling.inputsB(column(1)), Tiling.inputsB(column(2)))
    let (b3, b4, b5) = (Tiling.inputsB(column(3)), Tiling.inputsB(column(4)), Tiling.inputsB(column(5)))
    finish(3, Six(b0.0, b1.0, b2.0, b3.0, b4.0, b5.0))
    finish(4, Six(b0.1, b1.1, b2.1, b3.1, b4.1, b5.1))
  }

  /// One vector of outputs of a tile that lies within its image.
  ///
  /// - Parameters:
  ///   - m: the first position, `stride` floats from the next.
  ///   - finish: what becomes of the results of a row.
  @inline(__always)
  static func transformSquareOutputs(_ m: Source, stride: Int, _ finish: (Int, Six) -> Void) {
    @inline(__always) func column(_ i: Int) -> (Vector, Vector, Vector, Vector) {
      WinogradTiling4.outputs(FloatLine(m + i * stride, 6 * stride))
    }
    let (c0, c1, c2, c3, c4, c5) = (column(0), column(1), column(2), column(3), column(4), column(5))
    finish(0, Six(c0.0, c1.0, c2.0, c3.0, c4.0, c5.0))
    finish(1, Six(c0.1, c1.1, c2.1, c3.1, c4.1, c5.1))
    finish(2, Six(c0.2, c1.2, c2.2, c3.2, c4.2, c5.2))
    finish(3, Six(c0.3, c1.3, c2.3, c3.3, c4.3, c5.3))
  }

  /// Fetches one cache line of each pixel of a tile's results, and of what is added to them: the next tile is written as soon
  /// as this one is, and to wait for its lines took a third of the time.
  /// - Parameters:
  ///   - pixels: the first result; in the last tile of a row it is another tile's or none, which does no harm.
  ///   - residual: the first pixel's.
  ///   - line: floats to the next row.
  ///   - pixel: floats to the next pixel of a row.
  @inline(__always)
  static func fetchSquare(_ pixels: Target, residual: Source?, line: Int, pixel: Int) {
    for row in 0..<4 {
      for column in 0..<4 { sid_prefetch_write(pixels + row * line + column * pixel) }
      guard let residual else { continue }
      for column in 0..<4 { sid_prefetch(residual + row * line + column * pixel) }
    }
  }

  /// One vector of outputs of a tile that lies within its image, with what follows the sums.
  /// - Parameters:
  ///   - residual: the first pixel's.
  ///   - pixels: the first result, `line` floats from that of the next row and `pixel` from the next of its row.
  @inline(__always)
  static func finishSquare(
    _ m: Source, stride: Int, bias: Vector, _ epilogue: ConvolutionEpilogue, residual: Source?, into pixels: Target,
    line: Int, pixel: Int
  ) {
    let scale = Vector(repeating: epilogue.scale)
    if let residual {
      transformSquareOutputs(m, stride: stride) { row, values in
        let finish = ResidualFinish(
          bias: bias, scale: scale, residual: residual + row * line, rectifies: epilogue.rectifies)
        WinogradTiling4.output(values, FinishedLine(pixels + row * line, pixel, finish))
      }
    } else if epilogue.rectifies {
      transformSquareOutputs(m, stride: stride) { row, values in
        let finish = RectifiedFinish(bias: bias, scale: scale)
        WinogradTiling4.output(values, FinishedLine(pixels + row * line, pixel, finish))
      }
    } else {
      transformSquareOutputs(m, stride: stride) { row, values in
        let finish = PlainFinish(bias: bias, scale: scale)
        WinogradTiling4.output(values, FinishedLine(pixels + row * line, pixel, finish))
      }
    }
  }

  /// Writes finished results of a row.
  struct FinishedLine<Finish: ResultFinish>: VectorWriter {
    let pixels: Target
    /// Floats from one pixel to the next.
    let stride: Int
    let finish: Finish

    @inline(__always) init(_ pixels: Target, _ stride: Int, _ finish: Finish) {
      (self.pixels, self.stride, self.finish) = (pixels, stride, finish)
    }

    @inline(__always) func write(_ v: Vector, _ i: Int) { store(finish(v, i * stride), pixels + i * stride) }
  }
}

/// What becomes of a vector of sums that ends `offset` floats behind the first of its row.
protocol ResultFinish {
  @inline(__always) func callAsFunction(_ sum: Vector, _ offset: Int) -> Vector
}

/// (sum + bias) * scale.
struct PlainFinish: ResultFinish {
  let bias: Vector, scale: Vector
  @inline(__always) func callAsFunction(_ sum: Vector, _ offset: Int) -> Vector { (sum + bias) * scale }
}

/// max((sum + bias) * scale, 0).
struct RectifiedFinish: ResultFinish {
  let bias: Vector, scale: Vector
  @inline(__always) func callAsFunction(_ sum: Vector, _ offset: Int) -> Vector { rectified((sum + bias) * scale) }
}

/// (sum + bias + residual) * scale, and max of it and 0 if it rectifies.
struct ResidualFinish: ResultFinish {
  let bias: Vector, scale: Vector
  let residual: Source
  let rectifies: Bool
  @inline(__always) func callAsFunction(_ sum: Vector, _ offset: Int) -> Vector {
    let value = (sum + bias + load(residual + offset)) * scale
    return rectifies ? rectified(value) : value
  }
}
