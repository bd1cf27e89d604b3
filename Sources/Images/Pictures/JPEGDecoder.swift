import CJPEG
import Diagnostics

/// Reads JPEG images: sequential and progressive, Huffman and arithmetic, gray, colour and CMYK, in 8 bits.
///
/// What libjpeg would paint over is damage here: rows that are not there, data that makes no sense. Colour profiles are not
/// applied.
enum JPEGDecoder {
  /// Scans of a progressive image: encoders write about ten.
  private static let maximumScans = 200

  /// Whether a file begins like a JPEG image.
  static func matches(_ beginning: [UInt8]) -> Bool { beginning.starts(with: [0xFF, 0xD8, 0xFF]) }

  /// The form of an image.
  /// - Throws: a `Failure` with status `dataError` where its header is damaged, or it is of a kind that is not read.
  static func form(of data: [UInt8], subject: String) throws -> PictureForm {
    var header = sid_jpeg_header()
    guard sid_jpeg_decode(data, data.count, Int32(maximumScans), &header, nil) == 1 else {
      throw damaged(subject, header)
    }
    let (width, height) = (Int(header.width), Int(header.height))
    try PictureRules.source.requireSides(width: width, height: height, kind: "JPEG", subject: subject)
    return PictureForm(
      stored: ImageShape(height: height, width: width, channels: Int(header.channels)),
      orientation: Orientation(jpeg: data) ?? .upright, isCMYK: header.channels == 4,
      isProgressive: header.is_progressive != 0)
  }

  /// The pixels of an image: gray, RGB, or CMYK as it is stored.
  /// - Throws: a `Failure` with status `dataError` where it is damaged.
  static func picture(_ data: [UInt8], _ form: PictureForm, subject: String) throws -> [UInt8] {
    var header = sid_jpeg_header()
    header.width = UInt32(form.stored.width)
    header.height = UInt32(form.stored.height)
    header.channels = Int32(form.stored.channels)
    let pixels = [UInt8](unsafeUninitializedCapacity: form.stored.count) { buffer, initialized in
      let isRead = sid_jpeg_decode(data, data.count, Int32(maximumScans), &header, buffer.baseAddress)
      initialized = isRead == 1 ? form.stored.count : 0
    }
    guard pixels.count == form.stored.count else { throw damaged(subject, header) }
    return pixels
  }

  private static func damaged(_ subject: String, _ header: sid_jpeg_header) -> Failure {
    let message = withUnsafeBytes(of: header.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return Failure(.dataError, subject, "not an intact JPEG image that is read (libjpeg: \(message))")
  }
}
