import KernelInterface

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
  let blocks = WinogradBlocks(shape, tiles: images * shape.tiles)
  let convolution = WinogradForward(shape: shape, x: x, packed: packed, epilogue: epilogue, y: y, blocks: blocks)
  withScratch(blocks.shared * convolution.inputCount) { transformed in
    let isReady = blocks.makeLatches()
    Threads.forEach(blocks.taskCount) { task in
      switch blocks.task(task) {
      case .whole(let tiles):
        withScratch(convolution.inputCount) { v in
          convolution.transform(tiles, of: tiles, into: v)
          convolution.multiply(tiles, v, panels: blocks.panels)
        }
      case .transform(let block, let part, let tiles):
        convolution.transform(part, of: tiles, into: transformed + block * convolution.inputCount)
        isReady[block].countDown()
      case .multiply(let block, let panels, let tiles):
        isReady[block].wait()
        convolution.multiply(tiles, transformed + block * convolution.inputCount, panels: panels)
      }
    }
  }
}

/// A convolution in hand.
private struct WinogradForward {
  let shape: WinogradShape
  let x: UnsafePointer<Float>
  let packed: UnsafePointer<Float>
  let epilogue: ConvolutionEpilogue
  let y: UnsafeMutablePointer<Float>
  let blocks: WinogradBlocks

  /// Floats of the transformed inputs of a block.
  var inputCount: Int { shape.positions * shape.inputStride(tiles: blocks.blockTiles) }

  /// Transforms the inputs of some tiles of a block.
  func transform(_ part: Range<Int>, of block: Range<Int>, into v: UnsafeMutablePointer<Float>) {
    withScratch(kernels.winograd.scratchCount(shape)) { scratch in
      kernels.winograd.transformInputs(
        shape, x, tiles: part, into: v + (part.lowerBound - block.lowerBound) * shape.inputs,
        stride: shape.inputStride(tiles: block.count), scratch: scratch)
    }
  }

  /// Multiplies the transformed inputs of a block by some panels of weights and transforms the products back.
  func multiply(_ block: Range<Int>, _ v: UnsafePointer<Float>, panels: Range<Int>) {
    let group = min(WinogradBlocks.groupPanels, panels.count)
    let products =
      shape.positions * shape.productStride(tiles: block.count, columns: group * kernels.panelColumns)
    withScratch(products + kernels.winograd.scratchCount(shape)) { m in
      for first in stride(from: panels.lowerBound, to: panels.upperBound, by: group) {
        let some = first..<min(first + group, panels.upperBound)
        kernels.winograd.multiply(shape, tiles: block.count, v, packed: packed, panels: some, into: m)
        kernels.winograd.transformOutputs(
          shape, tiles: block, m, panels: some, epilogue, into: y, scratch: m + products)
      }
    }
  }
}

/// How the tiles and outputs of a convolution are shared out. Results do not depend on it.
///
/// Most blocks of tiles are one task each. The last ones, which would leave threads waiting for the slowest, are cut: all
/// threads transform their inputs, and then each takes some of the outputs.
private struct WinogradBlocks {
  enum Task {
    /// Everything of a block.
    case whole(Range<Int>)
    /// The inputs of some tiles of a shared block.
    case transform(block: Int, part: Range<Int>, tiles: Range<Int>)
    /// Some of the outputs of a shared block, once all its inputs are transformed.
    case multiply(block: Int, panels: Range<Int>, tiles: Range<Int>)
  }

  let tiles: Int
  /// Tiles of a block.
  let blockTiles: Int
  /// Panels of outputs.
  let panels: Range<Int>
  /// Blocks that are one task.
  private let whole: Int
  /// Blocks that are cut.
  let shared: Int
  /// Tasks that a shared block's inputs, and its outputs, are cut into.
  private let parts: Int, shares: Int

  /// Panels of outputs that are multiplied before their results are transformed back: 128 columns, whose products stay
  /// in the second cache.
  static let groupPanels = max(1, 128 / kernels.panelColumns)

  init(_ shape: WinogradShape, tiles: Int) {
    (self.tiles, panels) = (tiles, 0..<kernels.panels(shape.outputs))
    blockTiles = min(tiles, winogradBlockTiles(tiles))
    let blocks = (tiles + blockTiles - 1) / blockTiles
    let threads = Threads.count
    shared = threads == 1 ? 0 : min(blocks, threads)
    whole = blocks - shared
    // Tasks of 64 columns or more; where there are few blocks, enough of them for all threads.
    let wanted = (4 * threads + shared - 1) / max(shared, 1)
    shares = min(panels.count, max((2 * panels.count + Self.groupPanels - 1) / Self.groupPanels, wanted))
    // A tile whose channels do not fill vectors is written a little beyond its end, where the next one follows.
    parts = shape.inputs % kernels.vectorWidth == 0 ? max(1, min(blockTiles, wanted)) : 1
  }

  var taskCount: Int { whole + shared * (parts + shares) }

  /// Tasks are numbered in the order in which they are taken: what a task waits for has been taken before it.
  func task(_ index: Int) -> Task {
    if index < whole { return .whole(block(index)) }
    let (number, transforms) = (index - whole, shared * parts)
    if number < transforms {
      let tiles = block(whole + number / parts)
      let (part, count) = (number % parts, tiles.count)
      return .transform(
        block: number / parts,
        part: tiles.lowerBound + part * count / parts..<tiles.lowerBound + (part + 1) * count / parts, tiles: tiles)
    }
    let (block, share) = ((number - transforms) / shares, (number - transforms) % shares)
    return .multiply(
      block: block, panels: share * panels.count / shares..<(share + 1) * panels.count / shares,
      tiles: self.block(whole + block))
  }

  /// One latch for each shared block.
  func makeLatches() -> [Latch] { (0..<shared).map { _ in Latch(parts) } }

  private func block(_ index: Int) -> Range<Int> { index * blockTiles..<min((index + 1) * blockTiles, tiles) }
}

/// Tiles of one block: 24 to 36 in whole rows of the innermost kernel, so that the threads end together.
///
/// Their transformed inputs and products are little more than the second cache holds, and the weights, which come from the
/// third or from memory for every block, arrive while those before them are multiplied. Larger blocks read weights less
/// often, but two threads that share the third cache lose more by what they write: of 24 to 132 tiles those below 50 were
/// the fastest for every network with both kernel sets, by 3 to 11 %. Results do not depend on it.
func winogradBlockTiles(_ tiles: Int) -> Int {
  let step = kernels.rowBlock
  let threads = Threads.count
  func cost(_ block: Int) -> Int {
    let blocks = (tiles + block - 1) / block
    return (blocks + threads - 1) / threads * (block + 3)
  }
  return stride(from: 24, through: 36, by: step).min { cost($0) < cost($1) } ?? 36
}

/// Transformed and packed weights of a convolution.
/// - Parameter adjoint: for the gradient with respect to the input; `shape` is that of the gradient's convolution then.
func winogradWeights(_ weight: Tensor, _ shape: WinogradShape, adjoint: Bool) -> PreparedWeights {
  let form = PreparedWeights.Form.winograd(shape.filter, adjoint: adjoint)
  return .of(weight, form, count: shape.weightCount) { packed in
    let row = shape.outputs
    func transform(_ source: UnsafePointer<Float>) {
      forEachRange(shape.inputs, grain: 16) { rows in
        kernels.winograd.transformWeights(
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
            kernels.winograd.transformWeights(shape, some, tapStride: rows.count * row, rows: rows, into: packed)
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
    kernels.patches.transpose(
      rows: inputs, columns: outputs, weight.pointer + (taps - 1 - tap) * inputs * outputs, stride: outputs,
      into: rotated + tap * inputs * outputs, stride: inputs)
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
      kernels.winograd.transformWeightGradient(
        shape, sums, rows: rows, tapStride: shape.inputs * shape.outputs, into: dw)
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
      kernels.elementwise.addScaled(range.count, target, target + partial * count, scale: 1, into: target)
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
  let gradients = positions * block * panels.count * kernels.panelColumns
  withScratch(inputs + gradients + kernels.winograd.scratchCount(shape)) { memory in
    for first in stride(from: tiles.lowerBound, to: tiles.upperBound, by: block) {
      kernels.winograd.accumulateWeightGradient(
        shape, x, dy, row: row, tiles: first..<min(first + block, tiles.upperBound), panels: panels, v: memory,
        d: memory + inputs, sums: sums, accumulate: first > tiles.lowerBound,
        scratch: memory + inputs + gradients)
    }
  }
}

extension WinogradShape {
  fileprivate var allPanels: Range<Int> { 0..<kernels.panels(outputs) }
}
