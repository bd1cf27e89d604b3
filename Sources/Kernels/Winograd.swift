/// Tiles of a 3x3 convolution with stride 1, and the memory of its transforms.
public struct WinogradShape: Sendable {
  /// Height of the input.
  public let height: Int
  /// Width of the input.
  public let width: Int
  /// Channels of the input.
  public let inputs: Int
  /// Channels of the output.
  public let outputs: Int
  /// Zeros around an image.
  public let padding: Int
  /// Results along one side of a tile: 4 or 2.
  public let tileOutputs: Int

  /// - Parameter tileOutputs: 4 or 2.
  public init(height: Int, width: Int, inputs: Int, outputs: Int, padding: Int, tileOutputs: Int) {
    (self.height, self.width, self.inputs, self.outputs) = (height, width, inputs, outputs)
    (self.padding, self.tileOutputs) = (padding, tileOutputs)
  }

  /// Height of the output.
  public var outHeight: Int { height + 2 * padding - 2 }
  /// Width of the output.
  public var outWidth: Int { width + 2 * padding - 2 }
  /// Tiles from top to bottom.
  public var tileRows: Int { (outHeight + tileOutputs - 1) / tileOutputs }
  /// Tiles from left to right.
  public var tileColumns: Int { (outWidth + tileOutputs - 1) / tileOutputs }
  /// Tiles of one image.
  public var tiles: Int { tileRows * tileColumns }
  /// Inputs along one side of a tile.
  public var points: Int { tileOutputs + 2 }
  /// Multiplications of one tile, input and output channel.
  public var positions: Int { points * points }
  /// Floats between the positions of packed weights. Not a power of two, so that the positions of a weight do not fall on
  /// one another in the caches.
  public var weightStride: Int { MatrixMultiply.packedCount(depth: inputs, columns: outputs) + 16 }
  /// Floats of all packed weights.
  public var weightCount: Int { positions * weightStride }
  /// Floats between the positions of `tiles` transformed inputs.
  public func inputStride(tiles: Int) -> Int { tiles * inputs + 16 }
  /// Floats between the positions of products in `columns` columns.
  public func productStride(tiles: Int, columns: Int) -> Int { tiles * columns + 16 }
  /// Floats between the tiles of transformed inputs in the gradient of the weights.
  public var gradientInputStride: Int { (inputs + 7) / 8 * 8 + 16 }
  /// Columns of a gradient of transformed weights.
  public var gradientColumns: Int { MatrixMultiply.panels(outputs) * MatrixMultiply.panelColumns }
}

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
  ///   - weight: [3, 3, inputs, outputs].
  ///   - rows: the inputs to transform; disjoint ranges may run on different threads.
  public static func transformWeights(_ shape: WinogradShape, _ weight: Source, rows: Range<Int>, into packed: Target) {
    if shape.tileOutputs == 4 {
      transformWeights(WinogradTiling4.self, shape, weight, rows: rows, into: packed)
    } else {
      transformWeights(WinogradTiling2.self, shape, weight, rows: rows, into: packed)
    }
  }

  @inline(__always)
  private static func transformWeights<Tiling: WinogradTiling>(
    _: Tiling.Type, _ shape: WinogradShape, _ weight: Source, rows: Range<Int>, into packed: Target
  ) {
    let (n, width, stride) = (Tiling.points, MatrixMultiply.panelColumns, shape.weightStride)
    let tap = shape.inputs * shape.outputs
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
              let source = weight + row * shape.outputs + column
              for i in 0..<9 { taps[i] = read(source + i * tap, count) }
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
  ///   - v: positions `inputStride(tiles: tiles.count)` apart.
  public static func transformInputs(
    _ shape: WinogradShape, _ x: Source, tiles: Range<Int>, into v: Target, scratch: Target
  ) {
    if shape.tileOutputs == 4 {
      transformInputs(WinogradTiling4.self, shape, x, tiles: tiles, into: v, scratch: scratch)
    } else {
      transformInputs(WinogradTiling2.self, shape, x, tiles: tiles, into: v, scratch: scratch)
    }
  }

  @inline(__always)
  private static func transformInputs<Tiling: WinogradTiling>(
    _: Tiling.Type, _ shape: WinogradShape, _ x: Source, tiles: Range<Int>, into v: Target, scratch: Target
  ) {
    let (n, channels) = (Tiling.points, shape.inputs)
    let stride = shape.inputStride(tiles: tiles.count)
    let half = vectors(scratch)
    let zeros = scratch + 36 * 8
    zeros.update(repeating: 0, count: channels)
    withUnsafeTemporaryAllocation(of: Source.self, capacity: 36) { table in
      guard let pixels = table.baseAddress else { return }
      var target = v
      for tile in tiles {
        inputPixels(shape, x, tile: tile, zeros: zeros, into: pixels)
        var c = 0
        while c + 8 <= channels {
          for column in 0..<n { Tiling.input(PixelLine(pixels + column, n, channel: c), Line(half + column, n)) }
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
    for tile in tiles {
      let place = outputPlace(shape, tile: tile)
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
    }
  }

  /// The gradient of transformed weights by some tiles, for one row of positions: products of transformed inputs and
  /// gradients, summed over the tiles.
  ///
  /// - Parameters:
  ///   - x: [N, height, width, inputs].
  ///   - dy: [N, outHeight, outWidth, outputs].
  ///   - row: which row of positions, below `points`.
  ///   - panels: which panels of the outputs.
  ///   - v: working memory, points * tiles.count * gradientInputStride + 16 floats.
  ///   - d: working memory, points * panels.count * tiles.count * panelColumns floats.
  ///   - sums: this row's [points, inputs, gradientColumns].
  ///   - accumulate: whether to add to `sums`, or to replace them.
  public static func accumulateWeightGradient(
    _ shape: WinogradShape, _ x: Source, _ dy: Source, row: Int, tiles: Range<Int>, panels: Range<Int>, v: Target,
    d: Target, sums: Target, accumulate: Bool, scratch: Target
  ) {
    if shape.tileOutputs == 4 {
      gradientTransforms(
        WinogradTiling4.self, shape, x, dy, row: row, tiles: tiles, panels: panels, v: v, d: d, scratch: scratch)
    } else {
      gradientTransforms(
        WinogradTiling2.self, shape, x, dy, row: row, tiles: tiles, panels: panels, v: v, d: d, scratch: scratch)
    }
    let width = MatrixMultiply.panelColumns
    let inputStride = tiles.count * shape.gradientInputStride
    for column in 0..<shape.points {
      for panel in 0..<panels.count {
        MatrixMultiply.multiplyTransposedPanel(
          rows: shape.inputs, depth: tiles.count, v + column * inputStride, shape.gradientInputStride,
          d + (column * panels.count + panel) * tiles.count * width,
          into: sums + column * shape.inputs * shape.gradientColumns + (panels.lowerBound + panel) * width,
          shape.gradientColumns, accumulate: accumulate)
      }
    }
  }

  @inline(__always)
  private static func gradientTransforms<Tiling: WinogradTiling>(
    _: Tiling.Type, _ shape: WinogradShape, _ x: Source, _ dy: Source, row: Int, tiles: Range<Int>,
    panels: Range<Int>, v: Target, d: Target, scratch: Target
  ) {
    // With the row known in each branch, only that row of the first transform is computed.
    switch row {
    case 0: gradientRow(Tiling.self, 0, shape, x, dy, tiles, panels, v, d, scratch)
    case 1: gradientRow(Tiling.self, 1, shape, x, dy, tiles, panels, v, d, scratch)
    case 2: gradientRow(Tiling.self, 2, shape, x, dy, tiles, panels, v, d, scratch)
    case 3: gradientRow(Tiling.self, 3, shape, x, dy, tiles, panels, v, d, scratch)
    case 4: gradientRow(Tiling.self, 4, shape, x, dy, tiles, panels, v, d, scratch)
    default: gradientRow(Tiling.self, 5, shape, x, dy, tiles, panels, v, d, scratch)
    }
  }

  @inline(__always)
  private static func gradientRow<Tiling: WinogradTiling>(
    _: Tiling.Type, _ row: Int, _ shape: WinogradShape, _ x: Source, _ dy: Source, _ tiles: Range<Int>,
    _ panels: Range<Int>, _ v: Target, _ d: Target, _ scratch: Target
  ) {
    let (n, side, width) = (Tiling.points, Tiling.outputs, MatrixMultiply.panelColumns)
    let inputStride = tiles.count * shape.gradientInputStride
    let gradientStride = panels.count * tiles.count * width
    let first = panels.lowerBound * width
    let columns = panels.count * width
    let valid = min(columns, shape.outputs - first)
    let line = vectors(scratch)
    let zeros = scratch + 36 * 8
    zeros.update(repeating: 0, count: max(shape.inputs, shape.outputs))
    withUnsafeTemporaryAllocation(of: Source.self, capacity: 36) { table in
      guard let pixels = table.baseAddress else { return }
      for (index, tile) in tiles.enumerated() {
        inputPixels(shape, x, tile: tile, zeros: zeros, into: pixels)
        let target = v + index * shape.gradientInputStride
        var c = 0
        while c < shape.inputs {
          if c + 8 <= shape.inputs {
            for column in 0..<n {
              Tiling.input(PixelLine(pixels + column, n, channel: c), OneOf(line + column, index: row))
            }
          } else {
            for column in 0..<n {
              Tiling.input(
                PixelTailLine(pixels + column, n, channel: c, count: shape.inputs - c), OneOf(line + column, index: row)
              )
            }
          }
          Tiling.input(Line(line, 1), MutableFloatLine(target + c, inputStride))
          c += 8
        }
        outputPixels(shape, dy, tile: tile, zeros: zeros, into: pixels)
        let gradient = d + index * width
        c = 0
        while c < columns {
          let panel = c / width
          let offset = panel * tiles.count * width + (c - panel * width)
          let out = MutableFloatLine(gradient + offset, gradientStride)
          if c + 8 <= valid {
            for column in 0..<side {
              Tiling.outputAdjoint(
                PixelLine(pixels + column, side, channel: first + c), OneOf(line + column, index: row))
            }
            Tiling.outputAdjoint(Line(line, 1), out)
          } else if c < valid {
            for column in 0..<side {
              Tiling.outputAdjoint(
                PixelTailLine(pixels + column, side, channel: first + c, count: valid - c),
                OneOf(line + column, index: row))
            }
            Tiling.outputAdjoint(Line(line, 1), out)
          } else {
            // The rest of the last panel.
            for column in 0..<n { out.write(Vector(repeating: 0), column) }
          }
          c += 8
        }
      }
    }
  }

  /// Transforms the gradient of transformed weights, [positions, inputs, gradientColumns], to that of the weights,
  /// [3, 3, inputs, outputs], for some inputs.
  public static func transformWeightGradient(_ shape: WinogradShape, _ sums: Source, rows: Range<Int>, into dw: Target)
  {
    if shape.tileOutputs == 4 {
      transformWeightGradient(WinogradTiling4.self, shape, sums, rows: rows, into: dw)
    } else {
      transformWeightGradient(WinogradTiling2.self, shape, sums, rows: rows, into: dw)
    }
  }

  @inline(__always)
  private static func transformWeightGradient<Tiling: WinogradTiling>(
    _: Tiling.Type, _ shape: WinogradShape, _ sums: Source, rows: Range<Int>, into dw: Target
  ) {
    let n = Tiling.points
    let stride = shape.inputs * shape.gradientColumns
    let tap = shape.inputs * shape.outputs
    withUnsafeTemporaryAllocation(of: Vector.self, capacity: 9 + 3 * n) { memory in
      guard let taps = memory.baseAddress else { return }
      let half = taps + 9
      for row in rows {
        for8(shape.outputs) { c, count in
          let source = sums + row * shape.gradientColumns + c
          for column in 0..<n {
            Tiling.weightAdjoint(FloatLine(source + column * stride, n * stride), Line(half + column, n))
          }
          for y in 0..<3 { Tiling.weightAdjoint(Line(half + y * n, 1), Line(taps + 3 * y, 1)) }
          let target = dw + row * shape.outputs + c
          for i in 0..<9 { write(taps[i], target + i * tap, count) }
        }
      }
    }
  }

  // MARK: Places of tiles

  @inline(__always) private static func vectors(_ scratch: Target) -> UnsafeMutablePointer<Vector> {
    UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Vector.self)
  }

  /// The addresses of a tile's inputs, `zeros` for those outside the image.
  @inline(__always)
  private static func inputPixels(
    _ shape: WinogradShape, _ x: Source, tile: Int, zeros: Target, into pixels: UnsafeMutablePointer<Source>
  ) {
    let (image, index) = (tile / shape.tiles, tile % shape.tiles)
    let top = index / shape.tileColumns * shape.tileOutputs - shape.padding
    let left = index % shape.tileColumns * shape.tileOutputs - shape.padding
    let base = x + image * shape.height * shape.width * shape.inputs
    fill(
      base, height: shape.height, width: shape.width, channels: shape.inputs, top: top, left: left, side: shape.points,
      zeros: zeros, into: pixels)
  }

  /// The addresses of a tile's outputs, `zeros` for those outside the image.
  @inline(__always)
  private static func outputPixels(
    _ shape: WinogradShape, _ y: Source, tile: Int, zeros: Target, into pixels: UnsafeMutablePointer<Source>
  ) {
    let (image, index) = (tile / shape.tiles, tile % shape.tiles)
    let base = y + image * shape.outHeight * shape.outWidth * shape.outputs
    fill(
      base, height: shape.outHeight, width: shape.outWidth, channels: shape.outputs,
      top: index / shape.tileColumns * shape.tileOutputs, left: index % shape.tileColumns * shape.tileOutputs,
      side: shape.tileOutputs, zeros: zeros, into: pixels)
  }

  @inline(__always)
  private static func fill(
    _ base: Source, height: Int, width: Int, channels: Int, top: Int, left: Int, side: Int, zeros: Target,
    into pixels: UnsafeMutablePointer<Source>
  ) {
    for row in 0..<side {
      let y = top + row
      for column in 0..<side {
        let x = left + column
        let isInside = y >= 0 && y < height && x >= 0 && x < width
        pixels[row * side + column] = isInside ? base + (y * width + x) * channels : Source(zeros)
      }
    }
  }

  /// Where a tile's results begin, and how many of its rows and columns are in the image.
  @inline(__always)
  private static func outputPlace(_ shape: WinogradShape, tile: Int) -> (offset: Int, rows: Int, columns: Int) {
    let (image, index) = (tile / shape.tiles, tile % shape.tiles)
    let top = index / shape.tileColumns * shape.tileOutputs
    let left = index % shape.tileColumns * shape.tileOutputs
    let offset = ((image * shape.outHeight + top) * shape.outWidth + left) * shape.outputs
    return (offset, min(shape.tileOutputs, shape.outHeight - top), min(shape.tileOutputs, shape.outWidth - left))
  }
}
