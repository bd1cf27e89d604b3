extension Winograd {
  /// The working memory as vectors.
  @inline(__always) static func vectors(_ scratch: Target) -> UnsafeMutablePointer<Vector> {
    UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Vector.self)
  }

  /// Where a tile's results are: image, and first row and column.
  struct Place {
    let shape: WinogradShape
    var image: Int, top: Int, left: Int

    @inline(__always) init(_ shape: WinogradShape, tile: Int) {
      self.shape = shape
      let (image, index) = tile.quotientAndRemainder(dividingBy: shape.tiles)
      let (row, column) = index.quotientAndRemainder(dividingBy: shape.tileColumns)
      (self.image, top, left) = (image, row * shape.tileOutputs, column * shape.tileOutputs)
    }

    /// Moves on to the next tile.
    @inline(__always) mutating func advance() {
      left += shape.tileOutputs
      if left < shape.outWidth { return }
      left = 0
      top += shape.tileOutputs
      if top < shape.outHeight { return }
      top = 0
      image += 1
    }

    /// The first result.
    @inline(__always) var offset: Int { ((image * shape.outHeight + top) * shape.outWidth + left) * shape.outputs }
    /// Rows of the tile that are in the image.
    @inline(__always) var rows: Int { min(shape.tileOutputs, shape.outHeight - top) }
    /// Columns of the tile that are in the image.
    @inline(__always) var columns: Int { min(shape.tileOutputs, shape.outWidth - left) }

    /// The addresses of the tile's inputs, `zeros` for those outside the image.
    @inline(__always)
    func inputPixels(_ x: Source, zeros: Target, into pixels: UnsafeMutablePointer<Source>) {
      fill(
        x + image * shape.height * shape.width * shape.inputs, height: shape.height, width: shape.width,
        channels: shape.inputs, top: top - shape.padding, left: left - shape.padding, side: shape.points, zeros: zeros,
        into: pixels)
    }

    /// The addresses of the tile's results, `zeros` for those outside the image.
    @inline(__always)
    func outputPixels(_ y: Source, zeros: Target, into pixels: UnsafeMutablePointer<Source>) {
      fill(
        y + image * shape.outHeight * shape.outWidth * shape.outputs, height: shape.outHeight, width: shape.outWidth,
        channels: shape.outputs, top: top, left: left, side: shape.tileOutputs, zeros: zeros, into: pixels)
    }

    @inline(__always)
    private func fill(
      _ base: Source, height: Int, width: Int, channels: Int, top: Int, left: Int, side: Int, zeros: Target,
      into pixels: UnsafeMutablePointer<Source>
    ) {
      let first = min(max(0, -left), side)
      let end = max(first, min(side, width - left))
      for row in 0..<side {
        let line = pixels + row * side
        let y = top + row
        if y < 0 || y >= height {
          for column in 0..<side { line[column] = Source(zeros) }
        } else {
          for column in 0..<first { line[column] = Source(zeros) }
          var pixel = base + (y * width + left + first) * channels
          for column in first..<end {
            line[column] = pixel
            pixel += channels
          }
          for column in end..<side { line[column] = Source(zeros) }
        }
      }
    }
  }
}
