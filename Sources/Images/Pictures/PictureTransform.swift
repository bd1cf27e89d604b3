import Diagnostics

/// The square that is made of every picture: which part of it is taken, and in which size.
public struct PictureTransform: Sendable {
  /// The part and its size, by the names of EDM's `dataset_tool.py`.
  public enum Form: Sendable, Equatable {
    /// The picture itself, whatever its size.
    case whole
    /// The largest square in the middle, resized to this side.
    case centerCrop(Int)
    /// The largest part in the middle of this width and height's proportions, resized to them, between black bars above and
    /// below that make it a square. Pictures that are smaller are left out.
    case centerCropWide(width: Int, height: Int)
  }

  private let form: Form
  private let background: [UInt8]

  /// - Parameters:
  ///   - form: which part is taken in which size.
  ///   - background: red, green and blue behind what is transparent.
  public init(_ form: Form, background: [UInt8]) {
    precondition(background.count == 3, "a background of \(background.count) channels")
    if case .centerCropWide(let width, let height) = form {
      precondition(height <= width, "\(width)x\(height) is higher than wide")
    }
    (self.form, self.background) = (form, background)
  }

  /// The side of the images, in pixels; nil where it is that of the pictures.
  public var side: Int? {
    switch form {
    case .whole: nil
    case .centerCrop(let side), .centerCropWide(let side, _): side
    }
  }

  /// Makes the image of a picture.
  /// - Parameters:
  ///   - data: the content of its file.
  ///   - declared: what `PictureDecoder.form` said of it.
  ///   - subject: names it in errors.
  /// - Returns: 1 channel where it is gray, else 3.
  /// - Throws: a `Failure` with status `dataError` where it is damaged or has no such part.
  public func apply(to data: [UInt8], _ declared: PictureForm, subject: String) throws -> (
    shape: ImageShape, pixels: [UInt8]
  ) {
    let (width, height) = (declared.width, declared.height)
    let part: (width: Int, height: Int)
    let target: (width: Int, height: Int)
    switch form {
    case .whole: (part, target) = ((width, height), (width, height))
    case .centerCrop(let side):
      part = (min(width, height), min(width, height))
      target = (side, side)
    case .centerCropWide(let wide, let high):
      guard width >= wide, height >= high else {
        throw Failure(.dataError, subject, "\(width)x\(height) pixels (width x height) are fewer than \(wide)x\(high)")
      }
      // Rounded to the nearest, at least one pixel.
      part =
        width * high > height * wide
        ? (max(1, (2 * height * wide + high) / (2 * high)), height)
        : (width, max(1, (2 * width * high + wide) / (2 * wide)))
      target = (wide, high)
    }
    var image = try PictureDecoder.decode(data, declared, background: background, subject: subject)
    image = Self.part(
      of: image, declared.orientation, left: (width - part.width) / 2, top: (height - part.height) / 2,
      width: part.width, height: part.height)
    let channels = image.shape.channels
    var pixels = LanczosFilter.resize(image.pixels, image.shape, width: target.width, height: target.height)
    guard case .centerCropWide(let side, let high) = form else {
      return (ImageShape(height: target.height, width: target.width, channels: channels), pixels)
    }
    let (above, row) = ((side - high) / 2, side * channels)
    pixels =
      [UInt8](repeating: 0, count: above * row) + pixels + [UInt8](repeating: 0, count: (side - high - above) * row)
    return (ImageShape(height: side, width: side, channels: channels), pixels)
  }

  /// A part of a picture as it is seen.
  private static func part(
    of image: (shape: ImageShape, pixels: [UInt8]), _ orientation: Orientation, left: Int, top: Int, width: Int,
    height: Int
  ) -> (shape: ImageShape, pixels: [UInt8]) {
    let stored = image.shape
    let shape = ImageShape(height: height, width: width, channels: stored.channels)
    if orientation == .upright, shape == stored { return image }
    // Where the seen pixel (0, 0) is stored, and how far it is to the next one of its row and of its column.
    let (column, row) = (stored.channels, stored.channels * stored.width)
    let origin =
      (orientation.mirrorsColumns ? (stored.width - 1) * column : 0)
      + (orientation.mirrorsRows ? (stored.height - 1) * row : 0)
    let (alongColumns, alongRows) = (
      orientation.mirrorsColumns ? -column : column, orientation.mirrorsRows ? -row : row
    )
    let (right, down) = orientation.swapsSides ? (alongRows, alongColumns) : (alongColumns, alongRows)
    let pixels = [UInt8](unsafeUninitializedCapacity: shape.count) { target, initialized in
      image.pixels.withUnsafeBufferPointer { source in
        var place = 0
        for y in top..<top + height {
          var from = origin + y * down + left * right
          for _ in 0..<width {
            for channel in 0..<stored.channels { target[place + channel] = source[from + channel] }
            place += stored.channels
            from += right
          }
        }
      }
      initialized = shape.count
    }
    return (shape, pixels)
  }
}
