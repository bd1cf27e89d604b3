import CVector
import KernelInterface

enum Winograd: WinogradKernels {
  static func scratchCount(_ shape: WinogradShape) -> Int {
    // Two tiles of vectors and a line of zeros; and what puts them at a whole vector.
    2 * 36 * lanes + max(shape.inputs, shape.outputs) + 2 * lanes
  }

  static func transformWeights(
    _ shape: WinogradShape, _ weight: Source, tapStride: Int, rows: Range<Int>, into packed: Target
  ) {
    @inline(__always)
    func run<Down: WinogradTiling, Across: WinogradTiling>(_ down: Down.Type, _ across: Across.Type) {
      transformWeights(down, across, shape, weight, tapStride: tapStride, rows: rows, into: packed)
    }
    switch shape.filter {
    case .square3Tile4: run(WinogradTiling4.self, WinogradTiling4.self)
    case .square3Tile2: run(WinogradTiling2.self, WinogradTiling2.self)
    case .square5: run(WinogradTiling2of5.self, WinogradTiling2of5.self)
    case .row3: run(WinogradIdentity.self, WinogradTiling4.self)
    case .column3: run(WinogradTiling4.self, WinogradIdentity.self)
    case .row7: run(WinogradIdentity.self, WinogradTiling4of7.self)
    case .column7: run(WinogradTiling4of7.self, WinogradIdentity.self)
    }
  }

  @inline(__always)
  private static func transformWeights<Down: WinogradTiling, Across: WinogradTiling>(
    _: Down.Type, _: Across.Type, _ shape: WinogradShape, _ weight: Source, tapStride: Int, rows: Range<Int>,
    into packed: Target
  ) {
    let (n, m, width, stride) = (Down.points, Across.points, MatrixMultiply.panelColumns, shape.weightStride)
    let count = Down.taps * Across.taps
    withUnsafeTemporaryAllocation(of: Vector.self, capacity: count + n * Across.taps) { memory in
      guard let taps = memory.baseAddress else { return }
      let half = taps + count
      for panel in 0..<MatrixMultiply.panels(shape.outputs) {
        for row in rows {
          var offset = 0
          while offset < width {
            let column = panel * width + offset
            let target = packed + (panel * shape.inputs + row) * width + offset
            if column < shape.outputs {
              let count = min(lanes, shape.outputs - column)
              let source = weight + (row - rows.lowerBound) * shape.outputs + column
              if Down.self == WinogradTiling4.self, Across.self == WinogradTiling4.self {
                transformSquareWeights(source, tapStride: tapStride, count: count, into: target, stride: stride)
              } else {
                for i in 0..<Down.taps * Across.taps { taps[i] = read(source + i * tapStride, count) }
                for x in 0..<Across.taps { Down.weight(Line(taps + x, Across.taps), Line(half + x, Across.taps)) }
                for y in 0..<n {
                  Across.weight(Line(half + Across.taps * y, 1), MutableFloatLine(target + y * m * stride, stride))
                }
              }
            } else {
              for position in 0..<n * m { store(Vector(repeating: 0), target + position * stride) }
            }
            offset += lanes
          }
        }
      }
    }
  }

  static func transformInputs(
    _ shape: WinogradShape, _ x: Source, tiles: Range<Int>, into v: Target, stride: Int, scratch: Target
  ) {
    @inline(__always)
    func run<Down: WinogradTiling, Across: WinogradTiling>(_ down: Down.Type, _ across: Across.Type) {
      transformInputs(down, across, shape, x, tiles: tiles, into: v, stride: stride, scratch: scratch)
    }
    switch shape.filter {
    // Tiles of two results and five taps have the points of those of four and three.
    case .square3Tile4, .square5: run(WinogradTiling4.self, WinogradTiling4.self)
    case .square3Tile2: run(WinogradTiling2.self, WinogradTiling2.self)
    case .row3: run(WinogradIdentity.self, WinogradTiling4.self)
    case .column3: run(WinogradTiling4.self, WinogradIdentity.self)
    case .row7: run(WinogradIdentity.self, WinogradTiling4of7.self)
    case .column7: run(WinogradTiling4of7.self, WinogradIdentity.self)
    }
  }

  @inline(__always)
  private static func transformInputs<Down: WinogradTiling, Across: WinogradTiling>(
    _: Down.Type, _: Across.Type, _ shape: WinogradShape, _ x: Source, tiles: Range<Int>, into v: Target,
    stride: Int, scratch: Target
  ) {
    let (n, m, channels) = (Down.points, Across.points, shape.inputs)
    let half = vectors(scratch)
    let zeros = floats(behindTile: scratch)
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
          next.update(from: pixels, count: n * m)
        }
        var c = 0
        while c + lanes <= channels {
          if c % 16 == 0 { for i in 0..<n * m { sid_prefetch(next[i] + c) } }
          if Down.self == WinogradTiling4.self, Across.self == WinogradTiling4.self {
            transformSquareInputs(pixels, channel: c, into: target + c, stride: stride)
          } else {
            for column in 0..<m { Down.input(PixelLine(pixels + column, m, channel: c), Line(half + column, m)) }
            for row in 0..<n {
              Across.input(Line(half + row * m, 1), MutableFloatLine(target + c + row * m * stride, stride))
            }
          }
          c += lanes
        }
        if c < channels {
          for column in 0..<m {
            Down.input(PixelTailLine(pixels + column, m, channel: c, count: channels - c), Line(half + column, m))
          }
          for row in 0..<n {
            Across.input(Line(half + row * m, 1), MutableFloatLine(target + c + row * m * stride, stride))
          }
        }
        target += channels
        swap(&pixels, &next)
      }
    }
  }

  static func multiply(
    _ shape: WinogradShape, tiles: Int, _ v: Source, packed: Source, panels: Range<Int>, into m: Target
  ) {
    let width = MatrixMultiply.panelColumns
    let columns = panels.count * width
    let inputStride = shape.inputStride(tiles: tiles)
    let productStride = shape.productStride(tiles: tiles, columns: columns)
    for position in 0..<shape.positions {
      let weights = packed + position * shape.weightStride + panels.lowerBound * shape.inputs * width
      MatrixMultiply.multiply(
        rows: tiles, columns: columns, depth: shape.inputs, v + position * inputStride, shape.inputs, packed: weights,
        packedDepth: shape.inputs, into: m + position * productStride, columns, .new,
        following: weights + shape.weightStride)
    }
  }

  static func transformOutputs(
    _ shape: WinogradShape, tiles: Range<Int>, _ m: Source, panels: Range<Int>, _ epilogue: ConvolutionEpilogue,
    into y: Target, scratch: Target
  ) {
    @inline(__always)
    func run<Down: WinogradTiling, Across: WinogradTiling>(_ down: Down.Type, _ across: Across.Type) {
      transformOutputs(down, across, shape, tiles: tiles, m, panels: panels, epilogue, into: y, scratch: scratch)
    }
    switch shape.filter {
    case .square3Tile4: run(WinogradTiling4.self, WinogradTiling4.self)
    case .square3Tile2: run(WinogradTiling2.self, WinogradTiling2.self)
    case .square5: run(WinogradTiling2of5.self, WinogradTiling2of5.self)
    case .row3: run(WinogradIdentity.self, WinogradTiling4.self)
    case .column3: run(WinogradTiling4.self, WinogradIdentity.self)
    case .row7: run(WinogradIdentity.self, WinogradTiling4of7.self)
    case .column7: run(WinogradTiling4of7.self, WinogradIdentity.self)
    }
  }

  @inline(__always)
  private static func transformOutputs<Down: WinogradTiling, Across: WinogradTiling>(
    _: Down.Type, _: Across.Type, _ shape: WinogradShape, tiles: Range<Int>, _ m: Source, panels: Range<Int>,
    _ epilogue: ConvolutionEpilogue, into y: Target, scratch: Target
  ) {
    let (height, side, points) = (Down.outputs, Across.outputs, Across.points)
    let width = MatrixMultiply.panelColumns
    let columns = panels.count * width
    let stride = shape.productStride(tiles: tiles.count, columns: columns)
    let first = panels.lowerBound * width
    let valid = min(columns, shape.outputs - first)
    let half = vectors(scratch)
    let results = half + 36
    let scale = Vector(repeating: epilogue.scale)
    let line = shape.outWidth * shape.outputPixel
    var source = m
    var place = Place(shape, tile: tiles.lowerBound)
    for _ in tiles {
      forEachGroup(valid) { c, count in
        let channel = first + c
        var bias = Vector(repeating: 0)
        if let values = epilogue.bias { bias = read(values + channel, count) }
        let pixels = y + place.offset + channel
        let isWhole = count == lanes && place.rows == height && place.columns == side
        if isWhole, Down.self == WinogradTiling4.self, Across.self == WinogradTiling4.self {
          if c % 16 == 0 {
            let next = side * shape.outputPixel
            fetchSquare(
              pixels + next, residual: epilogue.residual.map { $0 + place.offset + channel + next }, line: line,
              pixel: shape.outputPixel)
          }
          finishSquare(
            source + c, stride: stride, bias: bias, epilogue,
            residual: epilogue.residual.map { $0 + place.offset + channel },
            into: pixels, line: line, pixel: shape.outputPixel)
          return
        }
        for column in 0..<points {
          Down.output(FloatLine(source + c + column * stride, points * stride), Line(half + column, points))
        }
        for row in 0..<height { Across.output(Line(half + row * points, 1), Line(results + row * side, 1)) }
        if isWhole, let residual = epilogue.residual {
          let others = residual + place.offset + channel
          for row in 0..<height {
            for column in 0..<side {
              let pixel = row * line + column * shape.outputPixel
              let value = (results[row * side + column] + bias + load(others + pixel)) * scale
              store(epilogue.rectifies ? rectified(value) : value, pixels + pixel)
            }
          }
        } else if isWhole, epilogue.rectifies {
          for row in 0..<height {
            for column in 0..<side {
              let value = (results[row * side + column] + bias) * scale
              store(rectified(value), pixels + row * line + column * shape.outputPixel)
            }
          }
        } else if isWhole {
          for row in 0..<height {
            for column in 0..<side {
              store(
                (results[row * side + column] + bias) * scale, pixels + row * line + column * shape.outputPixel)
            }
          }
        } else {
          for row in 0..<place.rows {
            for column in 0..<place.columns {
              let pixel = row * line + column * shape.outputPixel
              var value = results[row * side + column] + bias
              if let residual = epilogue.residual { value += read(residual + place.offset + channel + pixel, count) }
              value *= scale
              write(epilogue.rectifies ? rectified(value) : value, pixels + pixel, count)
            }
          }
        }
      }
      source += columns
      place.advance()
    }
  }
}
