import CVector

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

  /// The gradient of transformed weights by some tiles, for one row of positions or all: products of transformed inputs
  /// and gradients, summed over the tiles.
  ///
  /// - Parameters:
  ///   - x: [N, height, width, inputs].
  ///   - dy: [N, outHeight, outWidth, outputs].
  ///   - row: which row of positions, below `points`; nil for all.
  ///   - panels: which panels of the outputs.
  ///   - v: working memory, tiles.count * gradientInputStride floats for each position, and 16.
  ///   - d: working memory, panels.count * tiles.count * panelColumns floats for each position.
  ///   - sums: [positions, inputs, gradientColumns].
  ///   - accumulate: whether to add to `sums`, or to replace them.
  public static func accumulateWeightGradient(
    _ shape: WinogradShape, _ x: Source, _ dy: Source, row: Int?, tiles: Range<Int>, panels: Range<Int>, v: Target,
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
    for position in 0..<(row == nil ? shape.positions : shape.points) {
      for panel in 0..<panels.count {
        MatrixMultiply.multiplyTransposedPanel(
          rows: shape.inputs, depth: tiles.count, v + position * inputStride, shape.gradientInputStride,
          d + (position * panels.count + panel) * tiles.count * width,
          into: sums + position * shape.inputs * shape.gradientColumns + (panels.lowerBound + panel) * width,
          shape.gradientColumns, accumulate: accumulate)
      }
    }
  }

  @inline(__always)
  private static func gradientTransforms<Tiling: WinogradTiling>(
    _: Tiling.Type, _ shape: WinogradShape, _ x: Source, _ dy: Source, row: Int?, tiles: Range<Int>,
    panels: Range<Int>, v: Target, d: Target, scratch: Target
  ) {
    // With the row known in each branch, only that row of the first transform is computed.
    switch row {
    case nil: gradientRow(Tiling.self, nil, shape, x, dy, tiles, panels, v, d, scratch)
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
    _: Tiling.Type, _ row: Int?, _ shape: WinogradShape, _ x: Source, _ dy: Source, _ tiles: Range<Int>,
    _ panels: Range<Int>, _ v: Target, _ d: Target, _ scratch: Target
  ) {
    let (n, side, width) = (Tiling.points, Tiling.outputs, MatrixMultiply.panelColumns)
    let inputStride = tiles.count * shape.gradientInputStride
    let gradientStride = panels.count * tiles.count * width
    let first = panels.lowerBound * width
    let columns = panels.count * width
    let valid = min(columns, shape.outputs - first)
    let half = vectors(scratch)
    let zeros = scratch + 36 * 8
    zeros.update(repeating: 0, count: max(shape.inputs, shape.outputs))
    // Transforms the lines of a tile, of which `column` reads one, to one row of positions or to all.
    @inline(__always)
    func transform(
      from lines: Int, _ out: (Int) -> MutableFloatLine, column: (Int, _ whole: Line?, _ one: OneOf?) -> Void,
      row finish: (Line, MutableFloatLine) -> Void
    ) {
      if let row {
        for i in 0..<lines { column(i, nil, OneOf(half + i, index: row)) }
        finish(Line(half, 1), out(0))
      } else {
        for i in 0..<lines { column(i, Line(half + i, lines), nil) }
        for i in 0..<n { finish(Line(half + i * lines, 1), out(i)) }
      }
    }
    withUnsafeTemporaryAllocation(of: Source.self, capacity: 36) { table in
      guard let pixels = table.baseAddress else { return }
      var place = Place(shape, tile: tiles.lowerBound)
      for index in 0..<tiles.count {
        place.inputPixels(x, zeros: zeros, into: pixels)
        let target = v + index * shape.gradientInputStride
        var c = 0
        while c < shape.inputs {
          let rest = shape.inputs - c
          transform(from: n) {
            MutableFloatLine(target + c + $0 * n * inputStride, inputStride)
          } column: { i, whole, one in
            if rest >= 8 {
              let line = PixelLine(pixels + i, n, channel: c)
              if let one { Tiling.input(line, one) } else if let whole { Tiling.input(line, whole) }
            } else {
              let line = PixelTailLine(pixels + i, n, channel: c, count: rest)
              if let one { Tiling.input(line, one) } else if let whole { Tiling.input(line, whole) }
            }
          } row: {
            Tiling.input($0, $1)
          }
          c += 8
        }
        place.outputPixels(dy, zeros: zeros, into: pixels)
        place.advance()
        let gradient = d + index * width
        c = 0
        while c < columns {
          let panel = c / width
          let offset = panel * tiles.count * width + (c - panel * width)
          let rest = valid - c
          transform(from: side) {
            MutableFloatLine(gradient + offset + $0 * n * gradientStride, gradientStride)
          } column: { i, whole, one in
            if rest >= 8 {
              let line = PixelLine(pixels + i, side, channel: first + c)
              if let one { Tiling.outputAdjoint(line, one) } else if let whole { Tiling.outputAdjoint(line, whole) }
            } else {
              // No channels at all are left in the rest of the last panel.
              let line = PixelTailLine(pixels + i, side, channel: first + c, count: max(rest, 0))
              if let one { Tiling.outputAdjoint(line, one) } else if let whole { Tiling.outputAdjoint(line, whole) }
            }
          } row: {
            Tiling.outputAdjoint($0, $1)
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

  /// Where a tile's results are: image, and first row and column.
  private struct Place {
    let shape: WinogradShape
    var image: Int, top: Int, left: Int

    @inline(__always) init(_ shape: WinogradShape, tile: Int) {
      self.shape = shape
      let (image, index) = tile.quotientAndRemainder(dividingBy: shape.tiles)
      let (row, column) = index.quotientAndRemainder(dividingBy: shape.tileColumns)
      (self.image, top, left) = (image, row * shape.tileOutputs, column * shape.tileOutputs)
    }

    /// Moves on to the next tile.
    @inline(__always) mutating func advance() {
      left += shape.tileOutputs
      if left < shape.outWidth { return }
      left = 0
      top += shape.tileOutputs
      if top < shape.outHeight { return }
      top = 0
      image += 1
    }

    /// The first result.
    @inline(__always) var offset: Int { ((image * shape.outHeight + top) * shape.outWidth + left) * shape.outputs }
    /// Rows of the tile that are in the image.
    @inline(__always) var rows: Int { min(shape.tileOutputs, shape.outHeight - top) }
    /// Columns of the tile that are in the image.
    @inline(__always) var columns: Int { min(shape.tileOutputs, shape.outWidth - left) }

    /// The addresses of the tile's inputs, `zeros` for those outside the image.
    @inline(__always)
    func inputPixels(_ x: Source, zeros: Target, into pixels: UnsafeMutablePointer<Source>) {
      fill(
        x + image * shape.height * shape.width * shape.inputs, height: shape.height, width: shape.width,
        channels: shape.inputs, top: top - shape.padding, left: left - shape.padding, side: shape.points, zeros: zeros,
        into: pixels)
    }

    /// The addresses of the tile's results, `zeros` for those outside the image.
    @inline(__always)
    func outputPixels(_ y: Source, zeros: Target, into pixels: UnsafeMutablePointer<Source>) {
      fill(
        y + image * shape.outHeight * shape.outWidth * shape.outputs, height: shape.outHeight, width: shape.outWidth,
        channels: shape.outputs, top: top, left: left, side: shape.tileOutputs, zeros: zeros, into: pixels)
    }

    @inline(__always)
    private func fill(
      _ base: Source, height: Int, width: Int, channels: Int, top: Int, left: Int, side: Int, zeros: Target,
      into pixels: UnsafeMutablePointer<Source>
    ) {
      let first = min(max(0, -left), side)
      let end = max(first, min(side, width - left))
      for row in 0..<side {
        let line = pixels + row * side
        let y = top + row
        if y < 0 || y >= height {
          for column in 0..<side { line[column] = Source(zeros) }
        } else {
          for column in 0..<first { line[column] = Source(zeros) }
          var pixel = base + (y * width + left + first) * channels
          for column in first..<end {
            line[column] = pixel
            pixel += channels
          }
          for column in end..<side { line[column] = Source(zeros) }
        }
      }
    }
  }
}
