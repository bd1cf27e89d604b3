import KernelInterface

/// The kernel that computes a convolution. The one place where it is chosen.
public enum ConvolutionPlan: Sendable, Equatable, CustomStringConvertible {
  /// Winograd tiles of 4x4 or 2x2 results.
  case winograd(WinogradTileSize)
  /// Products of gathered patches (1x1: the pixels themselves) with packed weights.
  case product
  /// The same, each tap summed on its own.
  case tapwise

  /// Results along one side of a tile.
  public enum WinogradTileSize: Int, Sendable {
    case two = 2
    case four = 4
  }

  /// The kernel for a shape.
  ///
  /// It depends on one image alone, never on the batch, so that an image's bytes do not depend on its neighbours.
  public init(_ shape: ConvolutionShape, mode: KernelMode) {
    switch mode {
    case .exact: self = .tapwise
    case .fast, .accurate:
      guard shape.kernel == 3 else {
        self = .product
        return
      }
      // Tiles that reach over the edge compute results that nobody needs: small and odd images may do better with small tiles.
      let four = Self.multiplications(shape, .four)
      let two = Self.multiplications(shape, .two)
      let direct = 9 * shape.outHeight * shape.outWidth
      let best = mode == .fast ? min(four, two) : two
      if best >= direct { self = .product } else { self = .winograd(mode == .fast && four < two ? .four : .two) }
    }
  }

  /// The filtering for a kernel of any shape in a network that is not trained; nil where products of patches do it.
  static func filter(_ shape: PatchShape, mode: KernelMode) -> WinogradFilter? {
    guard mode != .exact, shape.stride == 1 else { return nil }
    let filter: WinogradFilter
    switch (shape.kernelHeight, shape.kernelWidth, mode) {
    case (3, 3, .accurate): filter = .square3Tile2
    case (3, 3, _): filter = .square3Tile4
    case (5, 5, .fast): filter = .square5
    case (1, 3, .fast): filter = .row3
    case (3, 1, .fast): filter = .column3
    case (1, 7, .fast): filter = .row7
    case (7, 1, .fast): filter = .column7
    default: return nil
    }
    let tiles = WinogradShape(shape, outputs: 1, filter)
    let direct = shape.kernelHeight * shape.kernelWidth * shape.outHeight * shape.outWidth
    return tiles.tiles * tiles.positions < direct ? filter : nil
  }

  /// Multiplications of one image, input and output channel.
  static func multiplications(_ shape: ConvolutionShape, _ size: WinogradTileSize) -> Int {
    let tiles = WinogradShape(shape, size)
    return tiles.tiles * tiles.positions
  }

  /// For example "Winograd F(4x4, 3x3)".
  public var description: String {
    switch self {
    case .winograd(.four): "Winograd F(4x4, 3x3)"
    case .winograd(.two): "Winograd F(2x2, 3x3)"
    case .product: "matrix product"
    case .tapwise: "matrix product, tap by tap"
    }
  }
}

extension WinogradShape {
  init(_ shape: ConvolutionShape, _ size: ConvolutionPlan.WinogradTileSize) {
    self.init(
      height: shape.height, width: shape.width, inputs: shape.inputs, outputs: shape.outputs,
      verticalPadding: shape.padding, horizontalPadding: shape.padding,
      filter: size == .four ? .square3Tile4 : .square3Tile2, table: kernels)
  }
}

extension WinogradShape {
  init(_ shape: PatchShape, outputs: Int, _ filter: WinogradFilter) {
    self.init(
      height: shape.height, width: shape.width, inputs: shape.channels, outputs: outputs,
      verticalPadding: shape.verticalPadding, horizontalPadding: shape.horizontalPadding, filter: filter, table: kernels
    )
    inputPixel = shape.pixel
  }
}
