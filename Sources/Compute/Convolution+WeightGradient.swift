import KernelInterface

/// The gradient of a convolution with respect to its weights, as products: receptive fields^T dy.
///
/// Pixels go to partial sums, which are added in their order; their number depends on the shape alone. Where that is too few
/// for the threads, each sum is cut by inputs and outputs as well, which changes no bit.
/// - Parameters:
///   - pixels: of all images.
///   - x: the images.
///   - dy: [pixels, outputs].
///   - dw: [depth of a receptive field, outputs], written.
func productWeightGradient(
  _ shape: PatchShape, pixels: Int, outputs: Int, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, into dw: Tensor
) {
  let rows = 256
  let blocks = (pixels + rows - 1) / rows
  let partials = max(1, min(blocks, 8), min(blocks / 4, 32))
  let size = dw.count
  let sums = Tensor(uninitialized: [partials - 1, size])
  // Receptive fields that have to be gathered are gathered by each task.
  let cut = ProductCut(
    rows: shape.depth, columns: outputs, partials: partials, cutsRows: shape.isPointwise, depth: min(pixels, rows))
  Threads.forEach(partials * cut.tasks) { task in
    let (partial, piece) = task.quotientAndRemainder(dividingBy: cut.tasks)
    let (lines, columns) = (cut.rows(piece), cut.columns(piece))
    let target = (partial == 0 ? dw.mutable : sums.mutable + (partial - 1) * size) + lines.lowerBound * outputs
    let range = (partial * blocks / partials)..<((partial + 1) * blocks / partials)
    withScratch(shape.isPointwise ? 0 : rows * shape.depth) { patches in
      for block in range {
        let first = block * rows
        let count = min(rows, pixels - first)
        var operand = x + first * shape.pixel
        if !shape.isPointwise {
          kernels.patches.gather(x, shape, first: first, count: count, into: patches)
          operand = UnsafePointer(patches)
        }
        MatrixProduct.multiply(
          rows: lines.count, columns: columns.count, depth: count, operand + lines.lowerBound,
          shape.isPointwise ? shape.pixel : shape.depth, transposeA: true,
          dy + first * outputs + columns.lowerBound, outputs, accumulate: block > range.lowerBound,
          into: target + columns.lowerBound, outputs)
      }
    }
  }
  guard partials > 1 else { return }
  forEachRange(size, floats: partials) { range in
    let target = dw.mutable + range.lowerBound
    for partial in 0..<partials - 1 {
      kernels.elementwise.addScaled(
        range.count, target, sums.pointer + partial * size + range.lowerBound, scale: 1, into: target)
    }
  }
}

/// How a product is cut by its rows and columns, so that there is work for every thread.
private struct ProductCut {
  private let rows: Int, columns: Int
  /// Rows and columns of a piece.
  private let pieceRows: Int, pieceColumns: Int
  private let rowPieces: Int, columnPieces: Int

  /// - Parameters:
  ///   - partials: products of the same shape that are computed beside each other.
  ///   - cutsRows: whether rows are cut, too.
  ///   - depth: terms of a sum.
  init(rows: Int, columns: Int, partials: Int, cutsRows: Bool, depth: Int) {
    (self.rows, self.columns) = (rows, columns)
    let threads = Threads.count
    let (step, line) = (kernels.panelColumns, max(kernels.rowBlock, 16))
    /// Rounds of the threads by the work of a piece: its product, and its operands, which every piece packs anew.
    func time(_ rowPieces: Int, _ columnPieces: Int) -> (Int, pieceRows: Int, pieceColumns: Int) {
      let pieceRows = rowPieces == 1 ? rows : ((rows + rowPieces - 1) / rowPieces + line - 1) / line * line
      let pieceColumns =
        columnPieces == 1 ? columns : ((columns + columnPieces - 1) / columnPieces + step - 1) / step * step
      let pieces = partials * ((rows + pieceRows - 1) / pieceRows) * ((columns + pieceColumns - 1) / pieceColumns)
      let work = pieceRows * kernels.paddedColumns(pieceColumns) + 8 * (pieceRows + pieceColumns)
      return ((pieces + threads - 1) / threads * work, pieceRows, pieceColumns)
    }
    var best = time(1, 1)
    // A piece is worth handing to a thread; the fewer there are, the less it gains to hand out little.
    let least = max(1 << 14, (1 << 18) / threads)
    let most = min(4 * threads, max(1, rows * columns * depth / least))
    if threads > 1 && most > 1 {
      for rowPieces in 1...(cutsRows ? max(1, min(most, rows / line)) : 1) {
        for columnPieces in 1...max(1, min(most / rowPieces, columns / step)) {
          let other = time(rowPieces, columnPieces)
          // A few percent are not worth the packing.
          if other.0 * 32 < best.0 * 31 { best = other }
        }
      }
    }
    (pieceRows, pieceColumns) = (best.pieceRows, best.pieceColumns)
    (rowPieces, columnPieces) = ((rows + pieceRows - 1) / pieceRows, (columns + pieceColumns - 1) / pieceColumns)
  }

  var tasks: Int { rowPieces * columnPieces }

  func rows(_ piece: Int) -> Range<Int> {
    let first = piece / columnPieces * pieceRows
    return first..<min(first + pieceRows, rows)
  }

  func columns(_ piece: Int) -> Range<Int> {
    let first = piece % columnPieces * pieceColumns
    return first..<min(first + pieceColumns, columns)
  }
}
