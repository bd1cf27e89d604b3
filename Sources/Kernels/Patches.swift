/// Rearranging NHWC images into the rows of a matrix, so that convolution becomes matrix multiplication.
public enum Patches {
  /// Gathers the receptive fields of `count` output pixels: matrix[r, (ky, kx, c)].
  ///
  /// - Parameters:
  ///   - images: [N, height, width, channels].
  ///   - kernel: height and width of the square kernel.
  ///   - padding: zeros around each image; negative padding crops.
  ///   - first: index of the first output pixel, counted over (n, y, x) of the output.
  ///   - count: output pixels to gather.
  ///   - matrix: [count, kernel * kernel * channels], written.
  public static func gather(
    _ images: Source, height: Int, width: Int, channels: Int, kernel: Int, padding: Int, first: Int, count: Int,
    into matrix: Target
  ) {
    let outHeight = height + 2 * padding - kernel + 1
    let outWidth = width + 2 * padding - kernel + 1
    let perImage = outHeight * outWidth
    var n = first / perImage
    var oy = (first % perImage) / outWidth
    var ox = first % outWidth
    let tapRow = kernel * channels
    var row = matrix
    for _ in 0..<count {
      let image = images + n * height * width * channels
      for ky in 0..<kernel {
        let y = oy + ky - padding
        let x = ox - padding
        if y < 0 || y >= height {
          row.update(repeating: 0, count: tapRow)
        } else if x >= 0 && x + kernel <= width {
          copy(image + (y * width + x) * channels, to: row, count: tapRow)
        } else {
          for kx in 0..<kernel {
            let column = x + kx
            if column < 0 || column >= width {
              (row + kx * channels).update(repeating: 0, count: channels)
            } else {
              copy(image + (y * width + column) * channels, to: row + kx * channels, count: channels)
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

  /// The transpose of a matrix, in blocks that stay in the nearest cache.
  /// - Parameters:
  ///   - matrix: [rows, columns].
  ///   - transposed: [columns, rows], written.
  public static func transpose(rows: Int, columns: Int, _ matrix: Source, into transposed: Target) {
    let block = 16
    for top in stride(from: 0, to: rows, by: block) {
      for left in stride(from: 0, to: columns, by: block) {
        for row in top..<min(top + block, rows) {
          for column in left..<min(left + block, columns) {
            transposed[column * rows + row] = matrix[row * columns + column]
          }
        }
      }
    }
  }
}
