import Diagnostics

/// Which pictures are read.
enum PictureRules: Sendable {
  /// Those of a data set that is read as it stands: PNG and netpbm in 8 bits of gray or RGB. A picture that is none of them
  /// is refused.
  case dataset
  /// Those that a data set is made of: JPEG as well, of any kind of pixels and up to a large size. A picture that is none of
  /// them is left out by name.
  case source

  /// The most pixels of a source's picture: four times what the largest cameras of photographers take.
  static let maximumPixels = 1 << 28
  /// The longest side of a source's picture, in pixels.
  static let maximumSide = 1 << 20

  /// The suffixes of the formats that are read.
  var suffixes: Set<String> { self == .dataset ? Self.lossless : Self.lossless.union(Self.ofJPEG) }

  private static let lossless: Set<String> = ["png", "ppm", "pgm", "pbm", "pnm"]
  private static let ofJPEG: Set<String> = ["jpg", "jpeg", "jpe", "jfif", "jif", "pjpeg", "pjp"]

  /// The largest file of an image, in bytes.
  var maximumFileBytes: Int { self == .dataset ? StoredImages.maximumImageBytes : 1 << 28 }

  /// Whether a file is of a format that is read.
  /// - Parameter beginning: its first bytes.
  func reads(_ beginning: [UInt8]) -> Bool {
    beginning.starts(with: PNGDecoder.signature) || PNMDecoder.matches(beginning)
      || self == .source && JPEGDecoder.matches(beginning)
  }

  /// - Throws: a `Failure` with status `dataError` where an image is larger than those that are read.
  func requireSides(width: Int, height: Int, kind: String, subject: String) throws {
    let (isRead, limit): (Bool, String) =
      switch self {
      case .dataset:
        (
          max(width, height) <= PNGDecoder.maximumSide,
          "\(PNGDecoder.maximumSide)x\(PNGDecoder.maximumSide)"
        )
      case .source:
        (
          max(width, height) <= Self.maximumSide && width * height <= Self.maximumPixels,
          "\(Self.maximumPixels) pixels and \(Self.maximumSide) a side"
        )
      }
    guard isRead else {
      throw Failure(
        .dataError, subject, "a \(kind) image of \(height)x\(width) pixels; images of at most \(limit) are read",
        remedy: "scale it down or cut it, or take it out")
    }
  }
}
