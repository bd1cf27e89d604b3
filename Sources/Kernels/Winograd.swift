import CVector

/// What follows a convolution: y = (x * weight + bias + residual) * scale.
public struct ConvolutionEpilogue {
  /// [outputs].
  public let bias: Source?
  /// The shape of the whole result.
  public let residual: Source?
  /// Factor of everything.
  public let scale: Float

  /// Nothing is copied: the memory must outlive the convolution.
  public init(bias: Source?, residual: Source?, scale: Float) {
    (self.bias, self.residual, self.scale) = (bias, residual, scale)
  }
}

/// The transforms around the products of a Winograd convolution of NHWC images, on the calling thread.
///
/// Tiles are numbered over (image, row, column). No result depends on how tiles are gathered into calls.
public enum Winograd {
  /// Floats of working memory that each function here needs.
  public static func scratchCount(_ shape: WinogradShape) -> Int { 2 * 36 * 8 + max(shape.inputs, shape.outputs) + 16 }

  /// Transforms weights into panels: packed[position][panel][input][column].
  ///
  /// - Parameters:
  ///   - weight: [3, 3, rows, outputs], from the first of `rows` on.
  ///   - tapStride: floats from one tap to the next.
  ///   - rows: the inputs to transform; disjoint ranges may run on different threads.
  public static func transformWeights(
    _ shape: WinogradShape, _ weight: Source, tapStride: Int, rows: Range<Int>, into packed: Target
  ) {
    if shape.tileOutputs == 4 {
      transformWeights(WinogradTiling4.self, shape, weight, tapStride: tapStride, rows: rows, into: packed)
    } else {
      transformWeights(WinogradTiling2.self, shape, weight, tapStride: tapStride, rows: rows, into: packed)
    }
  }

  @inline(__always)
  private static func transformWeights<Tiling: WinogradTiling>(
    _: Tiling.Type, _ shape: WinogradShape, _ weight: Source, tapStride: Int, rows: Range<Int>, into packed: Target
  ) {
    let (n, width, stride) = (Tiling.points, MatrixMultiply.panelColumns, shape.weightStride)
    withUnsafeTemporaryAllocation(of: Vector.self, capacity: 9 + 3 * n) { memory in
      guard let taps = memory.baseAddress else { return }
      let half = taps + 9
      for panel in 0..<MatrixMultiply.panels(shape.outputs) {
        for row in rows {
          var offset = 0
          while offset < width {
            let column = panel * width + offset
            let target = packed + (panel * shape.inputs + row) * width + offset
            if column < shape.outputs {
              let count = min(8, shape.outputs - column)
              let source = weight + (row - rows.lowerBound) * shape.outputs + column
              for i in 0..<9 { taps[i] = read(source + i * tapStride, count) }
              for x in 0..<3 { Tiling.weight(Line(taps + x, 3), Line(half + x, 3)) }
              for y in 0..<n {
                Tiling.weight(Line(half + 3 * y, 1), MutableFloatLine(target + y * n * stride, stride))
              }
            } else {
              for position in 0..<n * n { store(Vector(repeating: 0), target + position * stride) }
            }
            offset += 8
          }
        }
      }
    }
  }

  /// Transforms the inputs of tiles: v[position][tile][input].
  ///
  /// - Parameters:
  ///   - x: all images, [N, height, width, inputs].
  ///   - tiles: which tiles.
  ///   - v: the place of the first of them. Where the channels do not fill vectors of 8, up to 7 floats behind the last
  ///     tile are overwritten.
  ///   - stride: floats from one position to the next: `inputStride(tiles:)` of all tiles that are multiplied together.
  public static func transformInputs(
    _ shape: WinogradShape, _ x: Source, tiles: Range<Int>, into v: Target, stride: Int, scratch: Target
  ) {
    if shape.tileOutputs == 4 {
      transformInputs(WinogradTiling4.self, shape, x, tiles: tiles, into: v, stride: stride, scratch: scratch)
    } else {
      transformInputs(WinogradTiling2.self, shape, x, tiles: tiles, into: v, stride: stride, scratch: scratch)
    }
  }

  @inline(__always)
  private static func transformInputs<Tiling: WinogradTiling>(
    _: Tiling.Type, _ shape: WinogradShape, _ x: Source, tiles: Range<Int>, into v: Target, stride: Int,
    scratch: Target
  ) {
    let (n, channels) = (Tiling.points, shape.inputs)
    let half = vectors(scratch)
    let zeros = scratch + 36 * 8
    zeros.update(repeating: 0, count: channels)
    withUnsafeTemporaryAllocation(of: Source.self, capacity: 72) { table in
      guard var pixels = table.baseAddress else { return }
      var next = pixels + 36
      var target = v
      var place = Place(shape, tile: tiles.lowerBound)
      place.inputPixels(x, zeros: zeros, into: pixels)
      for tile in tiles {
        // The pixels of the next tile are on their way while this one is transformed; it shares two columns.
        place.advance()
        if tile + 1 < tiles.upperBound {
          place.inputPixels(x, zeros: zeros, into: next)
        } else {
          next.update(from: pixels, count: n * n)
        }
        var c = 0
        while c + 8 <= channels {
          for column in 0..<n {
            if c % 16 == 0 {
              for row in 0..<n { sid_prefetch(next[row * n + column] + c) }
            }
            Tiling.input(PixelLine(pixels + column, n, channel: c), Line(half + column, n))
          }
          for row in 0..<n {
            Tiling.input(Line(half + row * n, 1), MutableFloatLine(target + c + row * n * stride, stride))
          }
          c += 8
        }
        if c < channels {
          for column in 0..<n {
            Tiling.input(
              PixelTailLine(pixels + column, n, channel: c, count: channels - c), Line(half + column, n))
          }
          for row in 0..<n {
            Tiling.input(Line(half + row * n, 1), MutableFloatLine(target + c + row * n * stride, stride))
          }
        }
        target += channels
        swap(&pixels, &next)
      }
    }
  }

  /// Multiplies transformed inputs by the packed weights of some panels: m[position][tile][column].
  public static func multiply(
    _ shape: WinogradShape, tiles: Int, _ v: Source, packed: Source, panels: Range<Int>, into m: Target
  ) {
    let width = MatrixMultiply.panelColumns
    let columns = panels.count * width
    let inputStride = shape.inputStride(tiles: tiles)
    let productStride = shape.productStride(tiles: tiles, columns: columns)
    for position in 0..<shape.positions {
      MatrixMultiply.multiply(
        rows: tiles, columns: columns, depth: shape.inputs, v + position * inputStride, shape.inputs,
        packed: packed + position * shape.weightStride + panels.lowerBound * shape.inputs * width,
        into: m + position * productStride, columns)
    }
  }

  /// Transforms products back and finishes the results.
  ///
  /// - Parameters:
  ///   - m: as `multiply` leaves it.
  ///   - y: all results, [N, outHeight, outWidth, outputs].
  public static func transformOutputs(
    _ shape: WinogradShape, tiles: Range<Int>, _ m: Source, panels: Range<Int>, _ epilogue: ConvolutionEpilogue,
    into y: Target, scratch: Target
  ) {
    if shape.tileOutputs == 4 {
      transformOutputs(
        WinogradTiling4.self, shape, tiles: tiles, m, panels: panels, epilogue, into: y, scratch: scratch)
    } else {
      transformOutputs(
        WinogradTiling2.self, shape, tiles: tiles, m, panels: panels, epilogue, into: y, scratch: scratch)
    }
  }

  @inline(__always)
  private static func transformOutputs<Tiling: WinogradTiling>(
    _: Tiling.Type, _ shape: WinogradShape, tiles: Range<Int>, _ m: Source, panels: Range<Int>,
    _ epilogue: ConvolutionEpilogue, into y: Target, scratch: Target
  ) {
    let (n, side) = (Tiling.points, Tiling.outputs)
    let width = MatrixMultiply.panelColumns
    let columns = panels.count * width
    let stride = shape.productStride(tiles: tiles.count, columns: columns)
    let first = panels.lowerBound * width
    let valid = min(columns, shape.outputs - first)
    let half = vectors(scratch)
    let results = half + 36
    let scale = Vector(repeating: epilogue.scale)
    var source = m
    var place = Place(shape, tile: tiles.lowerBound)
    for _ in tiles {
      for8(valid) { c, count in
        for column in 0..<n {
          Tiling.output(FloatLine(source + c + column * stride, n * stride), Line(half + column, n))
        }
        for row in 0..<side { Tiling.output(Line(half + row * n, 1), Line(results + row * side, 1)) }
        let channel = first + c
        var bias = Vector(repeating: 0)
        if let values = epilogue.bias { bias = read(values + channel, count) }
        let pixels = y + place.offset + channel
        let isWhole = count == 8 && place.rows == side && place.columns == side
        if isWhole, let residual = epilogue.residual {
          let others = residual + place.offset + channel
          for row in 0..<side {
            for column in 0..<side {
              let pixel = (row * shape.outWidth + column) * shape.outputs
              store((results[row * side + column] + bias + load(others + pixel)) * scale, pixels + pixel)
            }
          }
        } else if isWhole {
          for row in 0..<side {
            for column in 0..<side {
              let pixel = (row * shape.outWidth + column) * shape.outputs
              store((results[row * side + column] + bias) * scale, pixels + pixel)
            }
          }
        } else {
          for row in 0..<place.rows {
            for column in 0..<place.columns {
              let pixel = (row * shape.outWidth + column) * shape.outputs
              var value = results[row * side + column] + bias
              if let residual = epilogue.residual { value += read(residual + place.offset + channel + pixel, count) }
              write(value * scale, pixels + pixel, count)
            }
          }
        }
      }
      source += columns
      place.advance()
    }
  }
}
