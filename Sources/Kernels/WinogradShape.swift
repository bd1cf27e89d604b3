/// Tiles of a 3x3 convolution with stride 1, and the memory of its transforms.
public struct WinogradShape: Sendable {
  /// Height of the input.
  public let height: Int
  /// Width of the input.
  public let width: Int
  /// Channels of the input.
  public let inputs: Int
  /// Channels of the output.
  public let outputs: Int
  /// Zeros around an image.
  public let padding: Int
  /// Results along one side of a tile: 4 or 2.
  public let tileOutputs: Int

  /// - Parameter tileOutputs: 4 or 2.
  public init(height: Int, width: Int, inputs: Int, outputs: Int, padding: Int, tileOutputs: Int) {
    (self.height, self.width, self.inputs, self.outputs) = (height, width, inputs, outputs)
    (self.padding, self.tileOutputs) = (padding, tileOutputs)
  }

  /// Height of the output.
  public var outHeight: Int { height + 2 * padding - 2 }
  /// Width of the output.
  public var outWidth: Int { width + 2 * padding - 2 }
  /// Tiles from top to bottom.
  public var tileRows: Int { (outHeight + tileOutputs - 1) / tileOutputs }
  /// Tiles from left to right.
  public var tileColumns: Int { (outWidth + tileOutputs - 1) / tileOutputs }
  /// Tiles of one image.
  public var tiles: Int { tileRows * tileColumns }
  /// Inputs along one side of a tile.
  public var points: Int { tileOutputs + 2 }
  /// Multiplications of one tile, input and output channel.
  public var positions: Int { points * points }
  /// Floats between the positions of packed weights. Not a power of two, so that the positions of a weight do not fall on
  /// one another in the caches.
  public var weightStride: Int { MatrixMultiply.packedCount(depth: inputs, columns: outputs) + 16 }
  /// Floats of all packed weights.
  public var weightCount: Int { positions * weightStride }
  /// Floats between the positions of `tiles` transformed inputs.
  public func inputStride(tiles: Int) -> Int { tiles * inputs + 16 }
  /// Floats between the positions of products in `columns` columns.
  public func productStride(tiles: Int, columns: Int) -> Int { tiles * columns + 16 }
  /// Floats between the tiles of transformed inputs in the gradient of the weights.
  public var gradientInputStride: Int { (inputs + 7) / 8 * 8 + 16 }
  /// Columns of a gradient of transformed weights.
  public var gradientColumns: Int { MatrixMultiply.panels(outputs) * MatrixMultiply.panelColumns }
}
