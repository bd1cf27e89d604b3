import KernelInterface

extension Winograd {
  /// The working memory as vectors, from the first whole one on.
  @inline(__always) static func vectors(_ scratch: Target) -> UnsafeMutablePointer<Vector> {
    let bytes = MemoryLayout<Vector>.stride
    let rest = Int(bitPattern: scratch) & (bytes &- 1)
    let start = UnsafeMutableRawPointer(scratch) + (rest == 0 ? 0 : bytes &- rest)
    return start.assumingMemoryBound(to: Vector.self)
  }

  /// The working memory behind one tile of vectors.
  @inline(__always) static func floats(behindTile scratch: Target) -> Target {
    UnsafeMutableRawPointer(vectors(scratch) + 36).assumingMemoryBound(to: Float.self)
  }

  /// Where a tile's results are: image, and first row and column.
  struct Place {
    let shape: WinogradShape
    var image: Int, top: Int, left: Int

    @inline(__always) init(_ shape: WinogradShape, tile: Int) {
      self.shape = shape
      let (image, index) = tile.quotientAndRemainder(dividingBy: shape.tiles)
      let (row, column) = index.quotientAndRemainder(dividingBy: shape.tileColumns)
      (self.image, top, left) = (image, row * shape.tileHeight, column * shape.tileWidth)
    }

    /// Moves on to the next tile.
    @inline(__always) mutating func advance() {
      left += shape.tileWidth
      if left < shape.outWidth { return }
      left = 0
      top += shape.tileHeight
      if top < shape.outHeight { return }
      top = 0
      image += 1
    }

    /// The first result.
    @inline(__always) var offset: Int { ((image * shape.outHeight + top) * shape.outWidth + left) * shape.outputPixel }
    /// Rows of the tile that are in the image.
    @inline(__always) var rows: Int { min(shape.tileHeight, shape.outHeight - top) }
    /// Columns of the tile that are in the image.
    @inline(__always) var columns: Int { min(shape.tileWidth, shape.outWidth - left) }

    /// The addresses of the tile's inputs, `zeros` for those outside the image.
    @inline(__always)
    func inputPixels(_ x: Source, zeros: Target, into pixels: UnsafeMutablePointer<Source>) {
      fill(
        x + image * shape.height * shape.width * shape.inputPixel, height: shape.height, width: shape.width,
        stride: shape.inputPixel, top: top - shape.verticalPadding, left: left - shape.horizontalPadding,
        rows: shape.inputRows, columns: shape.inputColumns, zeros: zeros, into: pixels)
    }

    /// The addresses of the tile's results, `zeros` for those outside the image.
    @inline(__always)
    func outputPixels(_ y: Source, zeros: Target, into pixels: UnsafeMutablePointer<Source>) {
      fill(
        y + image * shape.outHeight * shape.outWidth * shape.outputPixel, height: shape.outHeight,
        width: shape.outWidth, stride: shape.outputPixel, top: top, left: left, rows: shape.tileHeight,
        columns: shape.tileWidth, zeros: zeros, into: pixels)
    }

    @inline(__always)
    private func fill(
      _ base: Source, height: Int, width: Int, stride: Int, top: Int, left: Int, rows: Int, columns: Int,
      zeros: Target, into pixels: UnsafeMutablePointer<Source>
    ) {
      let first = min(max(0, -left), columns)
      let end = max(first, min(columns, width - left))
      for row in 0..<rows {
        let line = pixels + row * columns
        let y = top + row
        if y < 0 || y >= height {
          for column in 0..<columns { line[column] = Source(zeros) }
        } else {
          for column in 0..<first { line[column] = Source(zeros) }
          var pixel = base + (y * width + left + first) * stride
          for column in first..<end {
            line[column] = pixel
            pixel += stride
          }
          for column in end..<columns { line[column] = Source(zeros) }
        }
      }
    }
  }
}
