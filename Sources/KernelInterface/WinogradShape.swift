/// Which minimal filtering computes a convolution with stride 1: the taps of its kernel, and the results of one tile.
public enum WinogradFilter: Sendable, Hashable {
  /// F(4x4, 3x3).
  case square3Tile4
  /// F(2x2, 3x3).
  case square3Tile2
  /// F(2x2, 5x5).
  case square5
  /// F(4, 3) along rows, 1x3.
  case row3
  /// F(4, 3) down columns, 3x1.
  case column3
  /// F(4, 7) along rows, 1x7.
  case row7
  /// F(4, 7) down columns, 7x1.
  case column7

  /// Height and width of the kernel.
  public var taps: (height: Int, width: Int) {
    switch self {
    case .square3Tile4, .square3Tile2: (3, 3)
    case .square5: (5, 5)
    case .row3: (1, 3)
    case .column3: (3, 1)
    case .row7: (1, 7)
    case .column7: (7, 1)
    }
  }

  /// Height and width of a tile of results.
  public var tile: (height: Int, width: Int) {
    switch self {
    case .square3Tile4: (4, 4)
    case .square3Tile2, .square5: (2, 2)
    case .row3, .row7: (1, 4)
    case .column3, .column7: (4, 1)
    }
  }
}

/// Tiles of a convolution with stride 1, and the memory of its transforms.
public struct WinogradShape: Sendable {
  /// Height of the input.
  public let height: Int
  /// Width of the input.
  public let width: Int
  /// Channels of the input.
  public private(set) var inputs: Int
  /// Channels of the output.
  public let outputs: Int
  /// Zeros above and below an image.
  public let verticalPadding: Int
  /// Zeros left and right of an image.
  public let horizontalPadding: Int
  /// Kernel and tile.
  public let filter: WinogradFilter
  /// Floats from one pixel of the input to the next; more than `inputs` where they are a part of the channels.
  public var inputPixel: Int
  /// Floats from one pixel of the output, and of a residual, to the next.
  public var outputPixel: Int

  /// Columns of a panel of packed weights, of the kernel set that computes it.
  public let panelColumns: Int
  /// Floats of a vector of that set.
  public let vectorWidth: Int

  /// Any convolution that there is a filter for.
  public init(
    height: Int, width: Int, inputs: Int, outputs: Int, verticalPadding: Int, horizontalPadding: Int,
    filter: WinogradFilter, table: KernelTable
  ) {
    (self.height, self.width, self.inputs, self.outputs) = (height, width, inputs, outputs)
    (self.verticalPadding, self.horizontalPadding, self.filter) = (verticalPadding, horizontalPadding, filter)
    (inputPixel, outputPixel) = (inputs, outputs)
    (panelColumns, vectorWidth) = (table.panelColumns, table.vectorWidth)
    (tileHeight, tileWidth) = filter.tile
    (kernelHeight, kernelWidth) = filter.taps
    (inputRows, inputColumns) = (tileHeight + kernelHeight - 1, tileWidth + kernelWidth - 1)
    outHeight = height + 2 * verticalPadding - kernelHeight + 1
    outWidth = width + 2 * horizontalPadding - kernelWidth + 1
    (tileRows, tileColumns) = ((outHeight + tileHeight - 1) / tileHeight, (outWidth + tileWidth - 1) / tileWidth)
    tiles = tileRows * tileColumns
  }

  /// Results of a tile from top to bottom, and from left to right.
  public let tileHeight: Int, tileWidth: Int
  /// Taps of the kernel from top to bottom, and from left to right.
  public let kernelHeight: Int, kernelWidth: Int
  /// Inputs of a tile from top to bottom, and from left to right.
  public let inputRows: Int, inputColumns: Int
  /// Height and width of the output.
  public let outHeight: Int, outWidth: Int
  /// Tiles from top to bottom, and from left to right.
  public let tileRows: Int, tileColumns: Int
  /// Tiles of one image.
  public let tiles: Int

  /// The same with some neighbouring channels of the input alone; they stay where they are.
  public func with(inputs: Int) -> WinogradShape {
    var shape = self
    shape.inputs = inputs
    return shape
  }

  /// Inputs along one side of a square tile.
  public var points: Int { inputColumns }
  /// Multiplications of one tile, input and output channel; at most 36.
  public var positions: Int { inputRows * inputColumns }
  /// Floats between the positions of packed weights. Not a power of two, so that the positions of a weight do not fall on
  /// one another in the caches.
  public var weightStride: Int { gradientColumns * inputs + 16 }
  /// Floats of all packed weights.
  public var weightCount: Int { positions * weightStride }
  /// Floats between the positions of `tiles` transformed inputs.
  public func inputStride(tiles: Int) -> Int { tiles * inputs + 16 }
  /// Floats between the positions of products in `columns` columns.
  public func productStride(tiles: Int, columns: Int) -> Int { tiles * columns + 16 }
  /// Floats between the tiles of transformed inputs in the gradient of the weights.
  public var gradientInputStride: Int { (inputs + vectorWidth - 1) / vectorWidth * vectorWidth + 16 }
  /// Columns of a gradient of transformed weights: whole panels.
  public var gradientColumns: Int { (outputs + panelColumns - 1) / panelColumns * panelColumns }
}
