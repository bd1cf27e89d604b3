/// Chains of elementwise arithmetic, one pass over memory each.
public protocol ElementwiseKernels: SendableMetatype {
  /// y = (a + b) * scale.
  static func addScaled(_ count: Int, _ a: Source, _ b: Source, scale: Float, into y: Target)

  /// y = a * scale.
  static func scale(_ count: Int, _ a: Source, by scale: Float, into y: Target)

  /// y = a * alpha + b * beta.
  static func combine(_ count: Int, _ a: Source, _ alpha: Float, _ b: Source, _ beta: Float, into y: Target)

  /// y = x * sigmoid(x).
  static func silu(_ count: Int, _ x: Source, into y: Target)

  /// dx = dy * d silu(x) / dx.
  static func siluGradient(_ count: Int, _ x: Source, _ dy: Source, into dx: Target)

  /// y = max(x, 0); a number that is none stays none.
  static func relu(_ count: Int, _ x: Source, into y: Target)

  /// rows x columns: y[r, c] = (x[r, c] + bias[c] + residual[r, c]) * scale; x may be y.
  static func finish(
    rows: Int, columns: Int, _ x: Source, bias: Source?, residual: Source?, scale: Float, into y: Target)

  /// rows x columns: y[r, c] = x[r, c] + bias[c], or max of that and 0; rows `xStride` and `yStride` apart.
  static func finishPart(
    rows: Int, columns: Int, _ x: Source, _ xStride: Int, bias: Source, rectifies: Bool, into y: Target, _ yStride: Int)

  /// sums[c] += sum over rows of x[r, c], rows `stride` apart.
  static func addColumnSums(rows: Int, columns: Int, _ x: Source, stride: Int, to sums: Target)

  /// Whether every element is a finite number.
  static func allFinite(_ count: Int, _ x: Source) -> Bool
}

/// Softmax over the rows of a strip of attention weights.
public protocol SoftmaxKernels: SendableMetatype {
  /// In place: x[r, :] = e^(scale (x[r, :] - max of the row)), and the reciprocal of each row's sum.
  ///
  /// What uses the strip multiplies by the reciprocals afterwards, where there is less to multiply.
  /// - Parameters:
  ///   - x: [rows, columns], rows `stride` apart.
  ///   - reciprocals: [rows], written.
  static func exponentials(rows: Int, columns: Int, scale: Float, _ x: Target, stride: Int, reciprocals: Target)

  /// y[r, :] = x[r, :] * factors[r].
  static func scaleRows(
    rows: Int, columns: Int, _ x: Source, stride: Int, by factors: Source, into y: Target, stride outStride: Int)

  /// In place: the weights y from their exponentials, and from the gradient dy that of what the softmax was taken of,
  /// scale * y * (dy - sum(y dy)).
  /// - Parameters:
  ///   - weights: [rows, columns], exponentials, rows `stride` apart; becomes y.
  ///   - reciprocals: [rows].
  ///   - dy: [rows, columns], rows `stride` apart; becomes the result.
  static func gradient(
    rows: Int, columns: Int, scale: Float, weights: Target, reciprocals: Source, _ dy: Target, stride: Int)
}

/// Dropout whose mask is a function of a key and the element's index alone, so that it can be made again.
public protocol DropoutKernels: SendableMetatype {
  /// y = x / (1 - probability) where the element survives, else 0; `first` is the index of x[0] in the tensor.
  static func apply(_ count: Int, _ x: Source, key: UInt64, first: Int, probability: Float, into y: Target)
}

/// Exchange of rows and columns.
public protocol TransposeKernels: SendableMetatype {
  /// y[c, r] = x[r, c] for some rows of a matrix, in squares that stay in cache.
  ///
  /// - Parameters:
  ///   - rows: which rows of x.
  ///   - totalRows: rows of x in all, the length of a row of y.
  ///   - columns: of x.
  ///   - x, y: the whole matrices.
  static func apply(rows: Range<Int>, totalRows: Int, columns: Int, _ x: Source, into y: Target)

  /// Weights of a convolution from [outputs, totalInputs, taps] to [taps, inputs, outputs].
  /// - Parameter inputs: which inputs.
  static func convolution(outputs: Int, inputs: Range<Int>, totalInputs: Int, taps: Int, _ x: Source, into y: Target)
}
