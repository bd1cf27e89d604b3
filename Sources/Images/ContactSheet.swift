/// Many small images on one page.
public enum ContactSheet {
  private static let margin = 2  // pixels of paper between images
  private static let paper: UInt8 = 112  // gray, told apart from black and white edges of images
  private static let smallestSide = 48  // images below it are enlarged by a whole factor

  /// Publishes a grid of images as a PNG, filled row by row.
  ///
  /// - Parameters:
  ///   - images: [count, height, width, channels].
  ///   - count: how many; at least 1.
  ///   - shape: of each image, gray or RGB.
  ///   - columns: images in a row; nil for a page about as wide as it is high.
  ///   - path: the PNG.
  /// - Throws: a `Failure` naming the file where it cannot be written.
  public static func write(
    images: [UInt8], count: Int, shape: ImageShape, columns: Int? = nil, to path: String
  ) throws {
    let page = page(images: images, count: count, shape: shape, columns: columns)
    try PNGEncoder.write(page.pixels, shape: page.shape, to: path)
  }

  /// The page itself.
  ///
  /// Tiny images are enlarged by a whole factor without smoothing, so every pixel stays what it is.
  /// - Returns: bytes in row, column, channel order, and their shape.
  public static func page(
    images: [UInt8], count: Int, shape: ImageShape, columns: Int? = nil
  ) -> (pixels: [UInt8], shape: ImageShape) {
    precondition(
      count > 0 && images.count == count * shape.count, "\(images.count) bytes for \(count) images of \(shape)")
    let (height, width, channels) = (shape.height, shape.width, shape.channels)
    let columns = min(count, max(1, columns ?? Int(Double(count).squareRoot().rounded(.up))))
    let rows = (count + columns - 1) / columns
    let scale = max(1, (smallestSide + max(height, width) - 1) / max(height, width))
    let cell = (height: height * scale + margin, width: width * scale + margin)
    let page = (height: rows * cell.height + margin, width: columns * cell.width + margin)
    var pixels = [UInt8](repeating: paper, count: page.height * page.width * channels)
    for index in 0..<count {
      let top = index / columns * cell.height + margin
      let left = index % columns * cell.width + margin
      for y in 0..<height * scale {
        for x in 0..<width * scale {
          let source = ((index * height + y / scale) * width + x / scale) * channels
          let target = ((top + y) * page.width + left + x) * channels
          for channel in 0..<channels { pixels[target + channel] = images[source + channel] }
        }
      }
    }
    return (pixels, ImageShape(height: page.height, width: page.width, channels: channels))
  }
}
