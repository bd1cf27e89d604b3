import KernelInterface

enum Patches: PatchKernels {
  static func gather(_ images: Source, _ shape: PatchShape, first: Int, count: Int, into matrix: Target) {
    let (height, width, channels) = (shape.height, shape.width, shape.channels)
    let (kernelWidth, pixel) = (shape.kernelWidth, shape.pixel)
    let (outHeight, outWidth) = (shape.outHeight, shape.outWidth)
    let perImage = outHeight * outWidth
    var n = first / perImage
    var oy = (first % perImage) / outWidth
    var ox = first % outWidth
    let tapRow = kernelWidth * channels
    let isDense = pixel == channels
    var row = matrix
    for _ in 0..<count {
      let image = images + n * height * width * pixel
      let x = ox * shape.stride - shape.horizontalPadding
      for ky in 0..<shape.kernelHeight {
        let y = oy * shape.stride + ky - shape.verticalPadding
        if y < 0 || y >= height {
          row.update(repeating: 0, count: tapRow)
        } else if isDense && x >= 0 && x + kernelWidth <= width {
          copy(image + (y * width + x) * channels, to: row, count: tapRow)
        } else {
          for kx in 0..<kernelWidth {
            let column = x + kx
            if column < 0 || column >= width {
              (row + kx * channels).update(repeating: 0, count: channels)
            } else {
              copy(image + (y * width + column) * pixel, to: row + kx * channels, count: channels)
            }
          }
        }
        row += tapRow
      }
      ox += 1
      if ox == outWidth {
        ox = 0
        oy += 1
        if oy == outHeight {
          oy = 0
          n += 1
        }
      }
    }
  }

  /// Short copies; the library's memmove costs more than the move at these lengths.
  @inline(__always) static func copy(_ source: Source, to target: Target, count: Int) {
    forEachVector(count) { i in
      store(load(source + i), target + i)
    } tail: { i, n in
      for j in 0..<n { target[i + j] = source[i + j] }
    }
  }

  static func transpose(
    rows: Int, columns: Int, _ matrix: Source, stride: Int, into transposed: Target, stride outStride: Int
  ) {
    TransposeKernel.transpose(rows: rows, columns: columns, matrix, stride: stride, into: transposed, stride: outStride)
  }
}
