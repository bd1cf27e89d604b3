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
    Threads.forEach(blocks.taskCount, inOrder: blocks.sharedTaskCount) { task in
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
    blockTiles = min(tiles, winogradBlockTiles(shape, tiles))
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

  var taskCount: Int { whole + sharedTaskCount }

  /// Tasks of the shared blocks, which come last and wait for each other.
  var sharedTaskCount: Int { shared * (parts + shares) }

  /// Tasks of shared blocks are taken in the order of their numbers: what one waits for has been taken before it.
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

/// Tiles of one block: 24 to 36 in whole rows of the innermost kernel, so that the threads end together. Weights that stay in
/// the second cache may pass more often or, where many tiles share them, less.
///
/// The transformed inputs and products are little more than the second cache holds, and the weights, which come from the
/// third or from memory for every block, arrive while those before them are multiplied. Larger blocks read weights less
/// often, but two threads that share the third cache lose more by what they write: of 24 to 132 tiles those below 50 were
/// the fastest for every network with both kernel sets, by 3 to 11 %. Results do not depend on it.
func winogradBlockTiles(_ shape: WinogradShape, _ tiles: Int) -> Int {
  let (step, threads, panels) = (kernels.rowBlock, Threads.count, kernels.panels(shape.outputs))
  let isSmall = shape.weightCount <= 1 << 16
  // Fewer blocks than many threads: all are cut by panels of outputs, and smaller ones may end sooner. Few threads lose
  // more by reading the weights once more: one image of cifar10 on two took 17 % longer.
  let isFew = threads > 4 && tiles <= 36 * threads
  func cost(_ block: Int) -> Int {
    let block = min(block, tiles)
    let blocks = (tiles + block - 1) / block
    if isFew && blocks <= threads {
      // Reading the weights takes as long as some tiles.
      return (blocks * panels + threads - 1) / threads * (block + (isSmall ? 3 : step))
    }
    return (blocks + threads - 1) / threads * (block + 3) * panels
  }
  let (least, most) = (isSmall || isFew ? step : 24, isSmall ? 132 : 36)
  return stride(from: least, through: most, by: step).min { cost($0) < cost($1) } ?? most
}

/// Transformed and packed weights of a convolution.
/// - Parameter adjoint: for the gradient with respect to the input; `shape` is that of the gradient's convolution then.
func winogradWeights(_ weight: Tensor, _ shape: WinogradShape, adjoint: Bool) -> PreparedWeights {
  let form = PreparedWeights.Form.winograd(shape.filter, adjoint: adjoint)
  return .of(weight, form, count: shape.weightCount) { packed in
    let row = shape.outputs
    let grain = grain(shape.inputs, least: 2, most: 16)
    func transform(_ source: UnsafePointer<Float>) {
      forEachRange(shape.inputs, grain: grain) { rows in
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
        forEachRange(shape.inputs, grain: grain) { rows in
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
  let grain = min(evenGrain(taps * inputs, floats: outputs), inputs)
  let parts = (inputs + grain - 1) / grain
  Threads.forEach(taps * parts) { task in
    let (tap, first) = (task / parts, task % parts * grain)
    kernels.patches.transpose(
      rows: min(grain, inputs - first), columns: outputs,
      weight.pointer + ((taps - 1 - tap) * inputs + first) * outputs, stride: outputs,
      into: rotated + tap * inputs * outputs + first, stride: inputs)
  }
}
