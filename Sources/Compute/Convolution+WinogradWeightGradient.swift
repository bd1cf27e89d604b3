import KernelInterface

/// The gradient of a 3x3 convolution with respect to its weights, in Winograd tiles.
func winogradWeightGradient(
  images: Int, _ shape: WinogradShape, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
  into dw: UnsafeMutablePointer<Float>
) {
  let tiles = images * shape.tiles
  let count = shape.positions * shape.inputs * shape.gradientColumns
  // Sums that stay in the second cache are cheap to have several times; large ones pay only over many tiles.
  let isSmall = count <= 128 << 10
  let few = min(tiles >= 4096 ? 8 : 4, (tiles + 127) / 128)
  let partials = isSmall ? max(few, min(tiles / 256, 32)) : max(1, min(tiles / 2048, 4))
  let pieces = GradientPieces(shape, partials: partials, needsRows: !isSmall)
  withScratch(partials * count) { sums in
    Threads.forEach(pieces.tasks) { task in
      let piece = pieces[task]
      accumulate(
        pieces.shape(piece.group), x + pieces.inputs(piece.group).lowerBound, dy, row: piece.row,
        tiles: piece.partial * tiles / partials..<(piece.partial + 1) * tiles / partials, block: isSmall ? 48 : 192,
        panels: piece.panels, into: sums + piece.partial * count + pieces.offset(piece.group))
    }
    if partials > 1 {
      forEachRange(count, floats: partials) { range in
        let target = sums + range.lowerBound
        for partial in 1..<partials {
          kernels.elementwise.addScaled(range.count, target, target + partial * count, scale: 1, into: target)
        }
      }
    }
    let grain = grain(shape.inputs, least: 2, most: 8)
    let parts = (pieces.groupInputs + grain - 1) / grain
    Threads.forEach(pieces.groups * parts) { task in
      let (group, part) = task.quotientAndRemainder(dividingBy: parts)
      let (some, inputs) = (pieces.shape(group), pieces.inputs(group))
      let first = part * grain
      guard first < some.inputs else { return }
      kernels.winograd.transformWeightGradient(
        some, sums + pieces.offset(group), rows: first..<min(first + grain, some.inputs),
        tapStride: shape.inputs * shape.outputs, into: dw + inputs.lowerBound * shape.outputs)
    }
  }
}

/// How the sums over tiles are cut: into partial sums, whose number depends on the shape alone, and, where those are too few
/// for the threads, by rows of positions, by inputs and by panels of outputs, which changes no bit.
private struct GradientPieces {
  private let whole: WinogradShape
  private let partials: Int
  /// Tasks that the rows of positions, and the panels of outputs, are cut into.
  private let rows: Int, shares: Int
  /// Groups of inputs, and inputs of one.
  let groups: Int, groupInputs: Int

  /// - Parameter needsRows: whether each row of positions is a task in any case.
  init(_ shape: WinogradShape, partials: Int, needsRows: Bool) {
    (whole, self.partials) = (shape, partials)
    let (threads, lanes, panels) = (Threads.count, kernels.vectorWidth, kernels.panels(shape.outputs))
    /// Rounds of the threads by the work of a task for each tile: the products, and the transforms of its inputs and of its
    /// gradients, which it does not have from other tasks.
    func time(rows: Int, groups: Int, shares: Int) -> (time: Int, rows: Int, groupInputs: Int, shares: Int) {
      let inputs = groups == 1 ? shape.inputs : ((shape.inputs + groups - 1) / groups + lanes - 1) / lanes * lanes
      let tasks = partials * rows * ((shape.inputs + inputs - 1) / inputs) * shares
      let columns = (panels + shares - 1) / shares * kernels.panelColumns
      let positions = shape.positions / rows
      let transforms = inputs * (shape.positions + positions) + columns * (16 + positions)
      let work = 2 * positions * inputs * columns + 8 * transforms
      return ((tasks + threads - 1) / threads * work, rows, inputs, shares)
    }
    var best = time(rows: needsRows ? shape.points : 1, groups: 1, shares: 1)
    if threads > 1 {
      for rows in needsRows ? [shape.points] : [1, shape.points] {
        for groups in 1...max(1, shape.inputs / lanes) {
          for shares in 1...panels where groups * shares * rows * partials <= 8 * threads {
            let other = time(rows: rows, groups: groups, shares: shares)
            // A percent is not worth more tasks.
            if other.time * 128 < best.time * 127 { best = other }
          }
        }
      }
    }
    (rows, groupInputs, shares) = (best.rows, best.groupInputs, best.shares)
    groups = (shape.inputs + groupInputs - 1) / groupInputs
  }

  var tasks: Int { partials * rows * groups * shares }

  /// Partial sum, row of positions or all, group of inputs, and panels of a task.
  subscript(task: Int) -> (partial: Int, row: Int?, group: Int, panels: Range<Int>) {
    let (others, row) = task.quotientAndRemainder(dividingBy: rows)
    let (rest, partial) = others.quotientAndRemainder(dividingBy: partials)
    let (group, share) = rest.quotientAndRemainder(dividingBy: shares)
    let panels = kernels.panels(whole.outputs)
    return (partial, rows == 1 ? nil : row, group, share * panels / shares..<(share + 1) * panels / shares)
  }

  func inputs(_ group: Int) -> Range<Int> { group * groupInputs..<min((group + 1) * groupInputs, whole.inputs) }

  /// The convolution of a group's inputs alone.
  func shape(_ group: Int) -> WinogradShape { whole.with(inputs: inputs(group).count) }

  /// Where the sums of a group begin, [positions, inputs of the group, gradientColumns].
  func offset(_ group: Int) -> Int { whole.positions * inputs(group).lowerBound * whole.gradientColumns }
}

/// Sums some tiles, block by block in their order.
private func accumulate(
  _ shape: WinogradShape, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, row: Int?, tiles: Range<Int>,
  block: Int, panels: Range<Int>, into sums: UnsafeMutablePointer<Float>
) {
  let block = min(block, tiles.count)
  let positions = row == nil ? shape.positions : shape.points
  let inputs = positions * block * shape.gradientInputStride + 16
  let gradients = positions * block * panels.count * kernels.panelColumns
  let target = sums + (row ?? 0) * shape.points * shape.inputs * shape.gradientColumns
  withScratch(inputs + gradients + kernels.winograd.scratchCount(shape)) { memory in
    for first in stride(from: tiles.lowerBound, to: tiles.upperBound, by: block) {
      kernels.winograd.accumulateWeightGradient(
        shape, x, dy, row: row, tiles: first..<min(first + block, tiles.upperBound), panels: panels, v: memory,
        d: memory + inputs, sums: target, accumulate: first > tiles.lowerBound,
        scratch: memory + inputs + gradients)
    }
  }
}
