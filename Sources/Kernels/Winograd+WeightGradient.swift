import KernelInterface

extension Winograd {
  static func accumulateWeightGradient(
    _ shape: WinogradShape, _ x: Source, _ dy: Source, row: Int?, tiles: Range<Int>, panels: Range<Int>, v: Target,
    d: Target, sums: Target, accumulate: Bool, scratch: Target
  ) {
    if shape.filter == .square3Tile4 {
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
  private static func gradientTransforms<Tiling: WinogradGradientTiling>(
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
  private static func gradientRow<Tiling: WinogradGradientTiling>(
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
    let zeros = floats(behindTile: scratch)
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
            if rest >= lanes {
              let line = PixelLine(pixels + i, n, channel: c)
              if let one { Tiling.input(line, one) } else if let whole { Tiling.input(line, whole) }
            } else {
              let line = PixelTailLine(pixels + i, n, channel: c, count: rest)
              if let one { Tiling.input(line, one) } else if let whole { Tiling.input(line, whole) }
            }
          } row: {
            Tiling.input($0, $1)
          }
          c += lanes
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
            if rest >= lanes {
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
          c += lanes
        }
      }
    }
  }

  static func transformWeightGradient(
    _ shape: WinogradShape, _ sums: Source, rows: Range<Int>, tapStride: Int, into dw: Target
  ) {
    if shape.filter == .square3Tile4 {
      transformWeightGradient(WinogradTiling4.self, shape, sums, rows: rows, tapStride: tapStride, into: dw)
    } else {
      transformWeightGradient(WinogradTiling2.self, shape, sums, rows: rows, tapStride: tapStride, into: dw)
    }
  }

  @inline(__always)
  private static func transformWeightGradient<Tiling: WinogradGradientTiling>(
    _: Tiling.Type, _ shape: WinogradShape, _ sums: Source, rows: Range<Int>, tapStride tap: Int, into dw: Target
  ) {
    let n = Tiling.points
    let stride = shape.inputs * shape.gradientColumns
    withUnsafeTemporaryAllocation(of: Vector.self, capacity: 9 + 3 * n) { memory in
      guard let taps = memory.baseAddress else { return }
      let half = taps + 9
      for row in rows {
        forEachGroup(shape.outputs) { c, count in
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
}
