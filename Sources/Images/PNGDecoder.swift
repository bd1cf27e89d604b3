import CPNG
import Diagnostics

/// Height, width and channels of an image.
public struct ImageShape: Sendable, Equatable, CustomStringConvertible {
  /// Rows of pixels.
  public let height: Int
  /// Pixels of a row.
  public let width: Int
  /// 1 for gray, 3 for RGB.
  public let channels: Int

  /// - Parameters:
  ///   - height: rows of pixels.
  ///   - width: pixels of a row.
  ///   - channels: 1 for gray, 3 for RGB.
  public init(height: Int, width: Int, channels: Int) {
    self.height = height
    self.width = width
    self.channels = channels
  }

  /// The number of bytes of an image.
  public var count: Int { height * width * channels }

  /// For messages: `32x32 pixels of 3 channels`.
  public var description: String { "\(height)x\(width) pixels of \(channels) channel\(channels == 1 ? "" : "s")" }
}

/// Reads PNG images of 8-bit gray or RGB, plain or interlaced, with every checksum verified.
///
/// Colour profiles and gamma are not applied: a pixel is the byte that was stored, as training code reads it.
public enum PNGDecoder {
  /// The largest height and width that is read, in pixels.
  public static let maximumSide = 8192

  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Decodes an image.
  ///
  /// - Parameters:
  ///   - data: the content of a PNG file.
  ///   - subject: names the image in errors.
  /// - Returns: its shape and its bytes in row, column, channel order.
  /// - Throws: a `Failure` with status `dataError` where it is damaged, or neither 8-bit gray nor 8-bit RGB.
  public static func decode(_ data: [UInt8], subject: String) throws -> (shape: ImageShape, pixels: [UInt8]) {
    let shape = try shape(of: data, subject: subject)
    // The most that deflate can reach.
    guard shape.count / 1032 <= data.count else {
      throw Failure(.dataError, subject, "declares \(shape), which its \(data.count) bytes cannot hold")
    }
    return (shape, try pixels(data, shape, limit: maximumSide, expands: false, subject))
  }

  private static func pixels(
    _ data: [UInt8], _ shape: ImageShape, limit: Int, expands: Bool, _ subject: String
  ) throws -> [UInt8] {
    var header = sid_png_header()
    let pixels = [UInt8](unsafeUninitializedCapacity: shape.count) { buffer, initialized in
      let isRead = sid_png_decode(
        data, data.count, UInt32(limit), expands ? 1 : 0, &header, buffer.baseAddress, shape.width * shape.channels,
        UInt32(shape.height))
      initialized = isRead == 1 ? shape.count : 0
    }
    guard pixels.count == shape.count else { throw damaged(subject, header) }
    return pixels
  }

  /// The shape that an image declares.
  /// - Throws: as `decode`.
  public static func shape(of data: [UInt8], subject: String) throws -> ImageShape {
    try checkChunks(data, .dataset, subject: subject)
    var header = sid_png_header()
    guard sid_png_decode(data, data.count, UInt32(maximumSide), 0, &header, nil, 0, 0) == 1 else {
      throw damaged(subject, header)
    }
    guard header.bit_depth == 8, header.color_type == 0 || header.color_type == 2 else {
      throw Failure(
        .dataError, subject, "\(kind(header)) PNG, 8-bit gray or RGB is expected",
        remedy: "convert the images when the data set is made")
    }
    return ImageShape(
      height: Int(header.height), width: Int(header.width), channels: header.color_type == 0 ? 1 : 3)
  }

  /// The form of an image of any kind, as `picture` gives it.
  /// - Throws: as `decode`, but for kinds of pixels.
  static func form(of data: [UInt8], subject: String) throws -> PictureForm {
    let orientation = try checkChunks(data, .source, subject: subject)
    var header = sid_png_header()
    guard sid_png_decode(data, data.count, UInt32(PictureRules.maximumSide), 1, &header, nil, 0, 0) == 1 else {
      throw damaged(subject, header)
    }
    return PictureForm(
      stored: ImageShape(height: Int(header.height), width: Int(header.width), channels: Int(header.channels)),
      orientation: orientation)
  }

  /// The pixels of an image of any kind, made 8 bits of gray or RGB, with alpha where it has any.
  static func picture(_ data: [UInt8], _ form: PictureForm, subject: String) throws -> [UInt8] {
    // Fewer than 8 bits are a bit each at least.
    guard form.stored.count / (1032 * 8 * form.stored.channels) <= data.count else {
      throw Failure(.dataError, subject, "declares \(form.stored), which its \(data.count) bytes cannot hold")
    }
    return try pixels(data, form.stored, limit: PictureRules.maximumSide, expands: true, subject)
  }

  /// Compares the lengths that chunks declare with the bytes that are there: libpng allocates before it reads.
  ///
  /// What stands behind the last chunk belongs to nobody: sites and editors append to files, and every viewer shows them.
  /// An animation is several images, of which one would be taken unseen. (PNG Specification, Third Edition, 11.3.6.)
  /// - Returns: how the image is turned to be seen (the chunk `eXIf`).
  @discardableResult
  private static func checkChunks(_ data: [UInt8], _ rules: PictureRules, subject: String) throws -> Orientation {
    var orientation = Orientation.upright
    var place = 8
    var frames = 0
    var isFrame = false
    while place + 8 <= data.count {
      let length = data[place..<(place + 4)].reduce(0) { $0 << 8 | Int($1) }
      guard length <= data.count - place - 8 else {
        throw Failure(
          .dataError, subject,
          "not an intact PNG image: a chunk of \(length) bytes where only \(data.count - place - 8) are left")
      }
      let content = data[(place + 8)...].prefix(length)
      switch String(decoding: data[(place + 4)..<(place + 8)], as: UTF8.self) {
      case "IHDR" where length >= 8 && place == 8: try checkSides(content, rules, subject)
      case "eXIf": orientation = Orientation(exif: content) ?? orientation
      case "acTL" where length >= 4: frames = content.prefix(4).reduce(0) { $0 << 8 | Int($1) }
      case "fcTL": isFrame = true
      case "IDAT" where frames > 0:
        // A picture that no frame control precedes is shown where animations are not, and is none of the frames.
        let count = frames + (isFrame ? 0 : 1)
        guard count == 1 else {
          throw Failure(
            .dataError, subject, "an animated PNG (APNG): \(count) frames in one file; one image is expected",
            remedy: "split it into images, or take it out")
        }
      case "IEND": return orientation
      default: break
      }
      // Type and checksum stand around the data.
      place += 12 + length
    }
    return orientation
  }

  private static func checkSides(_ header: ArraySlice<UInt8>, _ rules: PictureRules, _ subject: String) throws {
    let sides = [header.prefix(4), header.dropFirst(4).prefix(4)].map { $0.reduce(0) { $0 << 8 | Int($1) } }
    // What libpng refuses anyway is damage.
    guard sides.allSatisfy({ (1..<1 << 31).contains($0) }) else { return }
    try rules.requireSides(width: sides[0], height: sides[1], kind: "PNG", subject: subject)
  }

  private static func kind(_ header: sid_png_header) -> String {
    let kinds: [Int32: String] = [0: "gray", 2: "RGB", 3: "palette", 4: "gray and alpha", 6: "RGB and alpha"]
    return "a \(header.bit_depth)-bit \(kinds[header.color_type] ?? "unknown")"
  }

  private static func damaged(_ subject: String, _ header: sid_png_header) -> Failure {
    let message = withUnsafeBytes(of: header.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return Failure(.dataError, subject, "not an intact PNG image (libpng: \(message))")
  }
}
