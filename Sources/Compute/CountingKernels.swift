import KernelInterface

extension KernelTable {
  /// Kernels that say how much they would do, with the sizes of others; see `WorkCount`.
  static func counting(_ table: KernelTable) -> KernelTable {
    KernelTable(
      instructionSet: table.instructionSet, vectorWidth: table.vectorWidth, panelColumns: table.panelColumns,
      rowBlock: table.rowBlock, matrix: MatrixCount.self, winograd: WinogradCount.self, patches: PatchCount.self,
      elementwise: ElementwiseCount.self, groupNorm: GroupNormCount.self, softmax: SoftmaxCount.self,
      dropout: DropoutCount.self, optimizer: OptimizerCount.self, transpose: TransposeCount.self,
      pooling: PoolingCount.self, resampling: ResamplingCount.self, warp: WarpCount.self)
  }
}

/// Floats that a kernel reads or writes; those of float64 count twice.
private func count(floats: Int) { WorkCount.active?.add(floats: floats) }
/// Multiply-adds of a product.
private func count(products: Int) { WorkCount.active?.add(flops: 2 * Double(products)) }
/// Whole panels.
private func padded(_ columns: Int) -> Int { KernelSet.table.paddedColumns(columns) }

private enum MatrixCount: MatrixKernels {
  static func pack(depth: Int, columns: Int, _ b: Source, stride: Int, into packed: Target) {
    count(floats: depth * (columns + padded(columns)))
  }

  static func packTransposed(depth: Int, columns: Int, _ b: Source, stride: Int, into packed: Target) {
    count(floats: depth * (columns + padded(columns)))
  }

  static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: Source, _ aStride: Int, packed: Source, packedDepth: Int,
    into c: Target, _ cStride: Int, _ sums: ProductSums
  ) {
    count(products: rows * padded(columns) * depth)
  }

  static func multiplyTransposed(
    rows: Int, columns: Int, depth: Int, _ a: Source, _ aStride: Int, packed: Source, into c: Target, _ cStride: Int,
    accumulate: Bool
  ) {
    count(products: rows * padded(columns) * depth)
  }
}

private enum WinogradCount: WinogradKernels {
  static func scratchCount(_ shape: WinogradShape) -> Int { KernelSet.table.winograd.scratchCount(shape) }

  static func transformWeights(
    _ shape: WinogradShape, _ weight: Source, tapStride: Int, rows: Range<Int>, into packed: Target
  ) {
    count(
      floats: rows.count
        * (shape.outputs * shape.kernelHeight * shape.kernelWidth + shape.gradientColumns * shape.positions))
  }

  static func transformInputs(
    _ shape: WinogradShape, _ x: Source, tiles: Range<Int>, into v: Target, stride: Int, scratch: Target
  ) {
    count(floats: 2 * tiles.count * shape.positions * shape.inputs)
  }

  static func multiply(
    _ shape: WinogradShape, tiles: Int, _ v: Source, packed: Source, panels: Range<Int>, into m: Target
  ) {
    count(products: shape.positions * tiles * shape.inputs * panels.count * shape.panelColumns)
  }

  static func transformOutputs(
    _ shape: WinogradShape, tiles: Range<Int>, _ m: Source, panels: Range<Int>, _ epilogue: ConvolutionEpilogue,
    into y: Target, scratch: Target
  ) {
    let results = shape.tileHeight * shape.tileWidth * (epilogue.residual == nil ? 1 : 2)
    count(floats: tiles.count * panels.count * shape.panelColumns * (shape.positions + results))
  }

  static func accumulateWeightGradient(
    _ shape: WinogradShape, _ x: Source, _ dy: Source, row: Int?, tiles: Range<Int>, panels: Range<Int>, v: Target,
    d: Target, sums: Target, accumulate: Bool, scratch: Target
  ) {
    let (columns, results) = (panels.count * shape.panelColumns, shape.tileHeight * shape.tileWidth)
    let positions = row == nil ? shape.positions : shape.points
    count(floats: tiles.count * (shape.inputs * (shape.positions + positions) + columns * (results + positions)))
    count(products: positions * tiles.count * shape.inputs * columns)
  }

  static func transformWeightGradient(
    _ shape: WinogradShape, _ sums: Source, rows: Range<Int>, tapStride: Int, into dw: Target
  ) {
    count(
      floats: rows.count
        * (shape.gradientColumns * shape.positions + shape.outputs * shape.kernelHeight * shape.kernelWidth))
  }
}

private enum PatchCount: PatchKernels {
  static func gather(_ images: Source, _ shape: PatchShape, first: Int, count rows: Int, into matrix: Target) {
    count(floats: 2 * rows * shape.depth)
  }

  static func transpose(
    rows: Int, columns: Int, _ matrix: Source, stride: Int, into transposed: Target, stride outStride: Int
  ) {
    count(floats: 2 * rows * columns)
  }
}

private enum ElementwiseCount: ElementwiseKernels {
  static func addScaled(_ n: Int, _ a: Source, _ b: Source, scale: Float, into y: Target) { count(floats: 3 * n) }
  static func scale(_ n: Int, _ a: Source, by scale: Float, into y: Target) { count(floats: 2 * n) }
  static func combine(_ n: Int, _ a: Source, _ alpha: Float, _ b: Source, _ beta: Float, into y: Target) {
    count(floats: 3 * n)
  }
  static func silu(_ n: Int, _ x: Source, into y: Target) { count(floats: 2 * n) }
  static func siluGradient(_ n: Int, _ x: Source, _ dy: Source, into dx: Target) { count(floats: 3 * n) }
  static func relu(_ n: Int, _ x: Source, into y: Target) { count(floats: 2 * n) }

  static func finish(
    rows: Int, columns: Int, _ x: Source, bias: Source?, residual: Source?, scale: Float, into y: Target
  ) {
    count(floats: rows * columns * (residual == nil ? 2 : 3))
  }

  static func finishPart(
    rows: Int, columns: Int, _ x: Source, _ xStride: Int, bias: Source, rectifies: Bool, into y: Target, _ yStride: Int
  ) {
    count(floats: 2 * rows * columns)
  }

  static func addColumnSums(rows: Int, columns: Int, _ x: Source, stride: Int, to sums: Target) {
    count(floats: (rows + 1) * columns)
  }

  static func allFinite(_ n: Int, _ x: Source) -> Bool {
    count(floats: n)
    return true
  }
}

private enum SoftmaxCount: SoftmaxKernels {
  static func exponentials(rows: Int, columns: Int, scale: Float, _ x: Target, stride: Int, reciprocals: Target) {
    count(floats: 3 * rows * columns)
  }

  static func scaleRows(
    rows: Int, columns: Int, _ x: Source, stride: Int, by factors: Source, into y: Target, stride outStride: Int
  ) {
    count(floats: 2 * rows * columns)
  }

  static func gradient(
    rows: Int, columns: Int, scale: Float, weights: Target, reciprocals: Source, _ dy: Target, stride: Int
  ) {
    count(floats: 5 * rows * columns)
  }
}

private enum GroupNormCount: GroupNormKernels {
  static func statistics(pixels: Int, channels: Int, _ x: Source, sums: Sums, squares: Sums, scratch: Target) {
    count(floats: 2 * pixels * channels)
  }

  static func add(_ n: Int, _ other: Sums, to sums: Sums) { count(floats: 6 * n) }

  static func finishStatistics(
    pixels: Int, channels: Int, groups: Int, epsilon: Float, sums: Sums, squares: Sums, shift: Source?, mean: Target,
    reciprocalDeviation: Target, centeredMean: Target
  ) {
    count(floats: 12 * channels)
  }

  static func fold(
    _ affine: GroupNormAffine, channels: Int, groups: Int, mean: Source, reciprocalDeviation: Source, gain: Target,
    offset: Target
  ) {
    count(floats: 8 * channels)
  }

  static func split(
    _ affine: GroupNormAffine, channels: Int, groups: Int, mean: Source, reciprocalDeviation: Source, xScale: Target,
    xOffset: Target, gain: Target, offset: Target
  ) {
    count(floats: 8 * channels)
  }

  static func apply(
    pixels: Int, channels: Int, _ x: Source, gain: Source, offset: Source, silu: Bool, into y: Target, _ yStride: Int
  ) {
    count(floats: 2 * pixels * channels)
  }

  static func reduceGradient(
    pixels: Int, channels: Int, _ x: Source, _ dy: Source, xScale: Source, xOffset: Source,
    activation: (gain: Source, offset: Source)?, dz: Target, sumDz: Sums, sumDzX: Sums, scratch: Target
  ) {
    count(floats: (activation == nil ? 2 : 3) * pixels * channels)
  }

  static func finishSums(
    _ affine: GroupNormAffine, pixels: Int, channels: Int, groups: Int, reciprocalDeviation: Source,
    centeredMean: Source, xScale: Source, xOffset: Source, sumDz: Sums, sumDzX: Sums, dzScale: Target, xGain: Target,
    constant: Target, gradients: GroupNormChannelGradients
  ) {
    count(floats: 24 * channels)
  }

  static func finishGradient(
    pixels: Int, channels: Int, _ x: Source, _ dz: Source, dzScale: Source, xGain: Source, constant: Source,
    into dx: Target
  ) {
    count(floats: 3 * pixels * channels)
  }
}

private enum DropoutCount: DropoutKernels {
  static func apply(_ n: Int, _ x: Source, key: UInt64, first: Int, probability: Float, into y: Target) {
    count(floats: 2 * n)
  }
}

private enum OptimizerCount: OptimizerKernels {
  static func adam(
    _ adam: AdamCoefficients, _ n: Int, parameter: Target, gradient: Source, firstMoment: Target?,
    secondMoment: Target, average: (target: Target, beta: Float)?
  ) {
    count(floats: n * (5 + (firstMoment == nil ? 0 : 2) + (average == nil ? 0 : 2)))
  }

  static func staysFinite(
    _ adam: AdamCoefficients, _ n: Int, parameter: Source, gradient: Source, firstMoment: Source?,
    secondMoment: Source
  ) -> Bool {
    count(floats: n * (firstMoment == nil ? 3 : 4))
    return true
  }

  static func average(_ n: Int, _ average: Target, value: Source, beta: Float) { count(floats: 3 * n) }
}

private enum TransposeCount: TransposeKernels {
  static func apply(rows: Range<Int>, totalRows: Int, columns: Int, _ x: Source, into y: Target) {
    count(floats: 2 * rows.count * columns)
  }

  static func convolution(outputs: Int, inputs: Range<Int>, totalInputs: Int, taps: Int, _ x: Source, into y: Target) {
    count(floats: 2 * outputs * inputs.count * taps)
  }
}

private enum PoolingCount: PoolingKernels {
  static func maximum(_ s: PoolingShape, rows: Range<Int>, _ x: Source, into y: Target) {
    count(floats: 10 * rows.count * s.outWidth * s.channels)
  }

  static func rectifiedAverage(_ s: PoolingShape, rows: Range<Int>, _ x: Source, into y: Target) {
    count(floats: 10 * rows.count * s.outWidth * s.channels)
  }

  static func mean(pixels: Int, channels: Int, _ x: Source, into y: Target) { count(floats: (pixels + 1) * channels) }

  static func resize(
    _ vertical: BilinearAxis, _ horizontal: BilinearAxis, channels: Int, width: Int, rows: Range<Int>,
    _ x: UnsafePointer<UInt8>, scale: Float, offset: Float, into y: Target
  ) {
    count(floats: 5 * rows.count * horizontal.first.count * 3)
  }
}

private enum ResamplingCount: ResamplingKernels {
  static func reduce(_ s: ResamplingShape, rows: Range<Int>, _ x: Source, into y: Target) {
    count(floats: rows.count * s.outWidth * s.channels * (s.taps.count * s.taps.count + 1))
  }

  static func spread(_ s: ResamplingShape, rows: Range<Int>, _ x: Source, into y: Target) {
    count(floats: rows.count * s.outWidth * s.channels * (max(s.taps.count / 2, 1) * max(s.taps.count / 2, 1) + 1))
  }
}

private enum WarpCount: WarpKernels {
  static func apply(_ s: WarpShape, _ x: Source, into y: Target, scratch: Target) {
    count(floats: 2 * s.scratchFloats)
  }
}
