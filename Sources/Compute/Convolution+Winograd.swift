import Kernels

/// Panels of outputs that are multiplied before their results are transformed back: 128 columns, whose products stay in
/// the second cache.
private let groupPanels = max(1, 128 / MatrixMultiply.panelColumns)

/// y = (x * weight + bias + residual) * scale in Winograd tiles.
///
/// - Parameters:
///   - images: how many.
///   - packed: transformed weights in panels.
///   - epilogue: what follows the sums.
func winogradConvolution(
  images: Int, _ shape: WinogradShape, _ x: UnsafePointer<Float>, packed: UnsafePointer<Float>,
  _ epilogue: ConvolutionEpilogue, into y: UnsafeMutablePointer<Float>
) {
  let tiles = images * shape.tiles
  let panels = MatrixMultiply.panels(shape.outputs)
  let blockTiles = winogradBlockTiles(tiles)
  let blocks = (tiles + blockTiles - 1) / blockTiles
  // Few tiles leave threads without work: then several share a block, each with some of the outputs.
  let wanted = 4 * Threads.count
  let shares = min(panels, max((panels + groupPanels - 1) / groupPanels, blocks >= wanted ? 1 : wanted / blocks))
  Threads.forEach(blocks >= wanted ? blocks : blocks * shares) { task in
    let block = blocks >= wanted ? task : task / shares
    let range = block * blockTiles..<min((block + 1) * blockTiles, tiles)
    let share = task % shares
    let mine = blocks >= wanted ? 0..<panels : share * panels / shares..<(share + 1) * panels / shares
    let group = min(groupPanels, mine.count)
    let inputs = shape.positions * shape.inputStride(tiles: range.count)
    let products =
      shape.positions * shape.productStride(tiles: range.count, columns: group * MatrixMultiply.panelColumns)
    withScratch(inputs + products + Winograd.scratchCount(shape)) { memory in
      let (v, m, scratch) = (memory, memory + inputs, memory + inputs + products)
      Winograd.transformInputs(shape, x, tiles: range, into: v, scratch: scratch)
      for first in stride(from: mine.lowerBound, to: mine.upperBound, by: group) {
        let some = first..<min(first + group, mine.upperBound)
        Winograd.multiply(shape, tiles: range.count, v, packed: packed, panels: some, into: m)
        Winograd.transformOutputs(shape, tiles: range, m, panels: some, epilogue, into: y, scratch: scratch)
      }
    }
  }
}

/// Tiles of one block: about 48, which keep one position of the transformed inputs in the second cache while all panels
/// of its weights pass, in whole rows of the innermost kernel, and so that the threads end together.
///
/// Results do not depend on it.
private func winogradBlockTiles(_ tiles: Int) -> Int {
  let step = MatrixMultiply.rowBlock
  let threads = Threads.count
  func cost(_ block: Int) -> Int {
    let blocks = (tiles + block - 1) / block
    return (blocks + threads - 1) / threads * (block + 3)
  }
  return stride(from: 5 * step, through: 11 * step, by: step).min { cost($0) < cost($1) } ?? 8 * step
}

/// Transformed and packed weights of a convolution.
/// - Parameter adjoint: for the gradient with respect to the input; `shape` is that of the gradient's convolution then.
func winogradWeights(_ weight: Tensor, _ shape: WinogradShape, adjoint: Bool) -> PreparedWeights {
  let form = PreparedWeights.Form.winograd(shape.filter, adjoint: adjoint)
  return .of(weight, form, count: shape.weightCount) { packed in
    let row = shape.outputs
    func transform(_ source: UnsafePointer<Float>) {
      forEachRange(shape.inputs, grain: 16) { rows in
        Winograd.transformWeights(
          shape, source + rows.lowerBound * row, tapStride: shape.inputs * row, rows: rows, into: packed)
      }
    }
    if adjoint {
      withScratch(weight.count) { rotated in
        rotateWeights(weight, into: rotated)
        transform(rotated)
      }
    } else if let deferred = weight.deferred {
      // They are brought into memory's order bit by bit and go to their panels from the cache.
      withScratch(weight.count) { elements in
        deferred.read(into: elements)
        forEachRange(shape.inputs, grain: 16) { rows in
          withScratch(9 * rows.count * row) { some in
            deferred.arrange(elements, inputs: rows, into: some)
            Winograd.transformWeights(shape, some, tapStride: rows.count * row, rows: rows, into: packed)
          }
        }
      }
    } else {
      transform(weight.pointer)
    }
  }
}

/// Weights of the convolution that carries a gradient back to the input.
func rotateWeights(_ weight: Tensor, into rotated: UnsafeMutablePointer<Float>) {
  let (taps, inputs, outputs) = (weight.shape[0] * weight.shape[1], weight.shape[2], weight.shape[3])
  Threads.forEach(taps) { tap in
    Patches.transpose(
      rows: inputs, columns: outputs, weight.pointer + (taps - 1 - tap) * inputs * outputs,
      into: rotated + tap * inputs * outputs)
  }
}

/// The gradient of a 3x3 convolution with respect to its weights, in Winograd tiles.
func winogradWeightGradient(
  images: Int, _ shape: WinogradShape, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
  into dw: UnsafeMutablePointer<Float>
) {
  let tiles = images * shape.tiles
  let count = shape.positions * shape.inputs * shape.gradientColumns
  // Sums that stay in the second cache are cheap to have several times; large ones are computed once.
  let partials = count <= 128 << 10 ? min(tiles >= 4096 ? 8 : 4, (tiles + 127) / 128) : 1
  withScratch(partials * count) { sums in
    if count <= 128 << 10 {
      sumOverTiles(partials, tiles, shape, x, dy, into: sums)
    } else {
      sumByRows(tiles, shape, x, dy, into: sums)
    }
    forEachRange(shape.inputs, grain: 8) { rows in
      Winograd.transformWeightGradient(shape, sums, rows: rows, into: dw)
    }
  }
}

/// Each task sums some of the tiles into sums of its own, which are then added in their order. How the tiles are shared
/// depends on the shape alone.
private func sumOverTiles(
  _ partials: Int, _ tiles: Int, _ shape: WinogradShape, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
  into sums: UnsafeMutablePointer<Float>
) {
  let count = shape.positions * shape.inputs * shape.gradientColumns
  Threads.forEach(partials) { partial in
    let mine = partial * tiles / partials..<(partial + 1) * tiles / partials
    accumulate(shape, x, dy, row: nil, tiles: mine, block: 48, panels: shape.allPanels, into: sums + partial * count)
  }
  guard partials > 1 else { return }
  forEachRange(count, grain: 1 << 14) { range in
    for partial in 1..<partials {
      let target = sums + range.lowerBound
      Elementwise.addScaled(range.count, target, target + partial * count, scale: 1, into: target)
    }
  }
}

/// Each task computes one row of tile positions for some of the outputs, over all tiles in order: no partial sums meet.
private func sumByRows(
  _ tiles: Int, _ shape: WinogradShape, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
  into sums: UnsafeMutablePointer<Float>
) {
  let panels = shape.allPanels.count
  let shares = min(panels, max(1, (2 * Threads.count + shape.points - 1) / shape.points))
  Threads.forEach(shape.points * shares) { task in
    let (row, share) = (task % shape.points, task / shape.points)
    accumulate(
      shape, x, dy, row: row, tiles: 0..<tiles, block: 192,
      panels: share * panels / shares..<(share + 1) * panels / shares,
      into: sums + row * shape.points * shape.inputs * shape.gradientColumns)
  }
}

private func accumulate(
  _ shape: WinogradShape, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, row: Int?, tiles: Range<Int>,
  block: Int, panels: Range<Int>, into sums: UnsafeMutablePointer<Float>
) {
  let block = min(block, tiles.count)
  let positions = row == nil ? shape.positions : shape.points
  let inputs = positions * block * shape.gradientInputStride + 16
  let gradients = positions * block * panels.count * MatrixMultiply.panelColumns
  withScratch(inputs + gradients + Winograd.scratchCount(shape)) { memory in
    for first in stride(from: tiles.lowerBound, to: tiles.upperBound, by: block) {
      Winograd.accumulateWeightGradient(
        shape, x, dy, row: row, tiles: first..<min(first + block, tiles.upperBound), panels: panels, v: memory,
        d: memory + inputs, sums: sums, accumulate: first > tiles.lowerBound,
        scratch: memory + inputs + gradients)
    }
  }
}

extension WinogradShape {
  fileprivate var allPanels: Range<Int> { 0..<MatrixMultiply.panels(outputs) }
}
