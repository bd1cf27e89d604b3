/// One image on its way into another format.
public struct ExportedImage: Sendable {
  /// Its number in the archive.
  public let index: Int
  /// The seed that it was made from.
  public let seed: UInt64
  /// Its class; nil where the network has none.
  public let label: Int?
  /// Bytes in row, column, channel order.
  public let pixels: ArraySlice<UInt8>
  /// The content of a PNG file; empty where the format needs none.
  public let png: [UInt8]

  /// - Parameters:
  ///   - index: its number in the archive.
  ///   - seed: the seed that it was made from.
  ///   - label: its class, if any.
  ///   - pixels: bytes in row, column, channel order.
  ///   - png: the content of a PNG file, if the format needs one.
  public init(index: Int, seed: UInt64, label: Int?, pixels: ArraySlice<UInt8>, png: [UInt8]) {
    self.index = index
    self.seed = seed
    self.label = label
    self.pixels = pixels
    self.png = png
  }
}

/// Something that images are written to one after another, in the order of their numbers.
public protocol ImageSink {
  /// Whether it wants images as PNG files.
  static var takesPNG: Bool { get }
  /// Takes the next image.
  /// - Throws: a `Failure` where it cannot be written.
  func add(_ image: ExportedImage) throws
  /// Writes what comes after the last image.
  func finish() throws
}

/// A number with zeros in front of it.
func padded(_ number: some BinaryInteger, _ width: Int) -> String {
  let text = String(number)
  return String(repeating: "0", count: max(0, width - text.count)) + text
}
