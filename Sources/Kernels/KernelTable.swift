import KernelInterface

/// The kernels of the instruction set that this module is built for.
public let kernelTable = KernelTable(
  instructionSet: instructionSet, vectorWidth: lanes, panelColumns: MatrixMultiply.panelColumns,
  rowBlock: MatrixMultiply.rowBlock, matrix: MatrixMultiply.self, winograd: Winograd.self, patches: Patches.self,
  elementwise: Elementwise.self, groupNorm: GroupNormKernel.self, softmax: SoftmaxKernel.self,
  dropout: DropoutKernel.self, optimizer: OptimizerKernel.self, transpose: TransposeKernel.self, pooling: Pooling.self,
  resampling: ResamplingKernel.self, warp: WarpKernel.self)

#if SID_WIDE
  private let instructionSet = "x86-64-v4"
#elseif arch(x86_64)
  private let instructionSet = "x86-64-v3"
#elseif arch(arm64)
  private let instructionSet = "arm64"
#else
  private let instructionSet = "generic"
#endif
