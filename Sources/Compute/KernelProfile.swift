import KernelInterface

/// What this processor does at its best, and what the parts of a convolution reach of it; everything on one thread.
public enum KernelProfile {
  /// Seconds of the parts of one Winograd convolution, and their work.
  public struct Winograd: Sendable {
    /// Transforming the inputs.
    public var inputSeconds = 0.0
    /// The matrix products.
    public var productSeconds = 0.0
    /// Transforming the results.
    public var outputSeconds = 0.0
    /// Floating-point operations of the products.
    public var productFlops = 0.0
    /// Floating-point operations of the convolution by its definition.
    public var directFlops = 0.0

    /// Operations a second in the products.
    public var productRate: Double { productFlops / max(productSeconds, 1e-9) }
    /// Operations of the definition a second in all.
    public var directRate: Double { directFlops / max(inputSeconds + productSeconds + outputSeconds, 1e-9) }
  }

  /// The parts of a 3x3 convolution of `shape` in 4x4 tiles, each timed apart, block by block as a network runs it.
  public static func winograd(_ shape: ConvolutionShape) -> Winograd {
    let tiles = WinogradShape(shape, .four)
    let x = Tensor(shape: [shape.images, shape.height, shape.width, shape.inputs], repeating: 0.5)
    let y = Tensor(uninitialized: [shape.images, shape.outHeight, shape.outWidth, shape.outputs])
    let weight = Tensor(shape: [3, 3, shape.inputs, shape.outputs], repeating: 0.01)
    let packed = winogradWeights(weight, tiles, adjoint: false)
    let epilogue = ConvolutionEpilogue(bias: nil, residual: nil, scale: 1)
    let count = shape.images * tiles.tiles
    let block = winogradBlockTiles(tiles, count)
    let panels = 0..<kernels.panels(shape.outputs)
    var result = Winograd()
    result.directFlops = Double(shape.flops)
    result.productFlops = 2 * Double(tiles.positions * count * shape.inputs * shape.outputs)
    let inputs = tiles.positions * tiles.inputStride(tiles: block)
    let products =
      tiles.positions * tiles.productStride(tiles: block, columns: panels.count * kernels.panelColumns)
    withScratch(inputs + products + kernels.winograd.scratchCount(tiles)) { memory in
      let (v, m, scratch) = (memory, memory + inputs, memory + inputs + products)
      for first in stride(from: 0, to: count, by: block) {
        let some = first..<min(first + block, count)
        result.inputSeconds += seconds {
          kernels.winograd.transformInputs(
            tiles, x.pointer, tiles: some, into: v, stride: tiles.inputStride(tiles: some.count), scratch: scratch)
        }
        result.productSeconds += seconds {
          kernels.winograd.multiply(tiles, tiles: some.count, v, packed: packed.pointer, panels: panels, into: m)
        }
        result.outputSeconds += seconds {
          kernels.winograd.transformOutputs(
            tiles, tiles: some, m, panels: panels, epilogue, into: y.mutable, scratch: scratch)
        }
      }
    }
    return result
  }

  /// Operations a second of products of large matrices, one thread.
  public static func productRate() -> Double {
    let n = 1024
    let a = Tensor(shape: [n, n], repeating: 0.5)
    let product = Tensor(uninitialized: [n, n])
    let time = seconds {
      MatrixProduct.multiply(rows: n, columns: n, depth: n, a.pointer, n, a.pointer, n, into: product.mutable, n)
    }
    return 2 * Double(n * n * n) / time
  }

  /// Bytes a second of copying memory that no cache holds, read and written bytes together, one thread.
  public static func copyRate() -> Double {
    let count = 64 << 20
    let source = Tensor(shape: [count], repeating: 1)
    let target = Tensor(shape: [count])
    let time = seconds { target.mutable.update(from: source.pointer, count: count) }
    return 8 * Double(count) / time
  }

  private static func seconds(_ body: () -> Void) -> Double {
    let started = ContinuousClock.now
    body()
    return max((ContinuousClock.now - started) / .seconds(1), 1e-9)
  }
}
