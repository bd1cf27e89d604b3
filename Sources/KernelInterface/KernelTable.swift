/// Read-only float32 memory.
public typealias Source = UnsafePointer<Float>
/// Writable float32 memory.
public typealias Target = UnsafeMutablePointer<Float>

/// Every kernel of one instruction set, and its sizes: what is above the kernels knows no set, only the table.
///
/// All kernels run on the calling thread and check nothing: shapes and memory are the caller's duty. A table costs a call
/// through a pointer for a block of work, never for an element.
public struct KernelTable: Sendable {
  /// For example "x86-64-v3".
  public let instructionSet: String
  /// float32 lanes of a vector.
  public let vectorWidth: Int
  /// Columns of a panel of a packed matrix.
  public let panelColumns: Int
  /// Rows that one pass of the innermost kernel of matrix products computes at most.
  public let rowBlock: Int

  /// Matrix products.
  public let matrix: any MatrixKernels.Type
  /// Convolutions by minimal filtering.
  public let winograd: any WinogradKernels.Type
  /// Receptive fields as rows of matrices.
  public let patches: any PatchKernels.Type
  /// Chains of elementwise arithmetic.
  public let elementwise: any ElementwiseKernels.Type
  /// Group normalization.
  public let groupNorm: any GroupNormKernels.Type
  /// Softmax of attention.
  public let softmax: any SoftmaxKernels.Type
  /// Dropout.
  public let dropout: any DropoutKernels.Type
  /// Updates of parameters.
  public let optimizer: any OptimizerKernels.Type
  /// Exchange of rows and columns.
  public let transpose: any TransposeKernels.Type
  /// Pooling windows, and images of bytes.
  public let pooling: any PoolingKernels.Type
  /// Half and twice the resolution.
  public let resampling: any ResamplingKernels.Type
  /// Affine maps of images.
  public let warp: any WarpKernels.Type

  /// A set names itself and its kernels.
  public init(
    instructionSet: String, vectorWidth: Int, panelColumns: Int, rowBlock: Int, matrix: any MatrixKernels.Type,
    winograd: any WinogradKernels.Type, patches: any PatchKernels.Type, elementwise: any ElementwiseKernels.Type,
    groupNorm: any GroupNormKernels.Type, softmax: any SoftmaxKernels.Type, dropout: any DropoutKernels.Type,
    optimizer: any OptimizerKernels.Type, transpose: any TransposeKernels.Type, pooling: any PoolingKernels.Type,
    resampling: any ResamplingKernels.Type, warp: any WarpKernels.Type
  ) {
    (self.instructionSet, self.vectorWidth) = (instructionSet, vectorWidth)
    (self.panelColumns, self.rowBlock) = (panelColumns, rowBlock)
    (self.matrix, self.winograd, self.patches, self.elementwise) = (matrix, winograd, patches, elementwise)
    (self.groupNorm, self.softmax, self.dropout, self.optimizer) = (groupNorm, softmax, dropout, optimizer)
    (self.transpose, self.pooling, self.resampling, self.warp) = (transpose, pooling, resampling, warp)
  }

  /// Number of panels that hold `columns` columns.
  public func panels(_ columns: Int) -> Int { (columns + panelColumns - 1) / panelColumns }

  /// `columns` rounded up to whole panels.
  public func paddedColumns(_ columns: Int) -> Int { panels(columns) * panelColumns }

  /// Floats of a packed [depth, columns] matrix.
  public func packedCount(depth: Int, columns: Int) -> Int { paddedColumns(columns) * depth }
}
