import Diagnostics
import Files

/// What a picture declares about itself.
public struct PictureForm: Sendable, Equatable {
  /// Its pixels as they are stored: 1 channel of gray, 2 with alpha, 3 of RGB, 4 with alpha or of CMYK.
  let stored: ImageShape
  /// How it is turned to be seen.
  let orientation: Orientation
  var isCMYK = false
  var isProgressive = false

  /// Its width as it is seen, in pixels.
  public var width: Int { orientation.swapsSides ? stored.height : stored.width }
  /// Its height as it is seen, in pixels.
  public var height: Int { orientation.swapsSides ? stored.width : stored.height }

  /// The memory that decoding it takes beside its file, in bytes: its pixels, those of them that are cut out, and of a
  /// progressive image its coefficients.
  public var memoryBytes: Int { stored.count * (isProgressive ? 4 : 2) }
}

/// Decodes pictures of any format, size and mode that a data set can be made of.
public enum PictureDecoder {
  /// What a picture declares.
  /// - Throws: a `Failure` with status `dataError` where it is damaged, too large, or of a kind that is not read.
  public static func form(of data: [UInt8], subject: String) throws -> PictureForm {
    switch try format(of: data, subject) {
    case .png: try PNGDecoder.form(of: data, subject: subject)
    case .jpeg: try JPEGDecoder.form(of: data, subject: subject)
    case .netpbm:
      PictureForm(stored: try PNMDecoder.shape(of: data, .source, subject: subject), orientation: .upright)
    }
  }

  /// Decodes a picture to 8 bits of gray or RGB.
  ///
  /// Samples of 16 bits are rounded, CMYK becomes RGB without a profile, inverted as Adobe writes and viewers show it, and
  /// alpha is composed over a colour.
  /// - Parameters:
  ///   - form: what `form` said of it.
  ///   - background: red, green and blue.
  /// - Returns: 1 channel where it is gray (over a gray background, if it has alpha), else 3; as it is stored, not turned.
  /// - Throws: a `Failure` with status `dataError` where it is damaged.
  static func decode(_ data: [UInt8], _ form: PictureForm, background: [UInt8], subject: String) throws -> (
    shape: ImageShape, pixels: [UInt8]
  ) {
    precondition(background.count == 3, "a background of \(background.count) channels")
    var pixels: [UInt8]
    switch try format(of: data, subject) {
    case .png: pixels = try PNGDecoder.picture(data, form, subject: subject)
    case .jpeg: pixels = try JPEGDecoder.picture(data, form, subject: subject)
    case .netpbm: pixels = try PNMDecoder.decode(data, .source, subject: subject).pixels
    }
    let (height, width) = (form.stored.height, form.stored.width)
    switch form.stored.channels {
    case 4 where form.isCMYK: flattenCMYK(&pixels)
    case 4: flattenAlpha(&pixels, over: background)
    case 2 where Set(background).count == 1: flattenAlpha(&pixels, over: [background[0]])
    case 2:
      pixels = widened(pixels)
      flattenAlpha(&pixels, over: background)
    default: break
    }
    return (ImageShape(height: height, width: width, channels: pixels.count / (height * width)), pixels)
  }

  private enum Format { case png, jpeg, netpbm }

  private static func format(of data: [UInt8], _ subject: String) throws -> Format {
    if data.starts(with: PNGDecoder.signature) { return .png }
    if JPEGDecoder.matches(data) { return .jpeg }
    if PNMDecoder.hasSignature(data) { return .netpbm }
    let beginning = Array(data.prefix(EntryKind.neededBytes))
    let kind =
      ForeignPicture.kind(suffix: "", beginning: beginning) ?? FileGuess(beginning).map(\.kind) ?? "something else"
    throw Failure(.dataError, subject, "no PNG, JPEG, PPM, PGM or PBM image but \(kind)")
  }

  /// Product of two samples as fractions of 255, rounded.
  private static func product(_ left: UInt8, _ right: UInt8) -> UInt8 {
    UInt8((Int(left) * Int(right) + 127) / 255)
  }

  /// Four channels, of which the last is multiplied with the others and goes: inverted CMYK is RGB times what black leaves.
  private static func flattenCMYK(_ pixels: inout [UInt8]) {
    let count = pixels.count / 4
    pixels.withUnsafeMutableBufferPointer { buffer in
      for pixel in 0..<count {
        for channel in 0..<3 {
          buffer[3 * pixel + channel] = product(buffer[4 * pixel + channel], buffer[4 * pixel + 3])
        }
      }
    }
    pixels.removeLast(count)
  }

  /// The last channel is how much of the others covers the background, and goes.
  private static func flattenAlpha(_ pixels: inout [UInt8], over background: [UInt8]) {
    let channels = background.count
    let count = pixels.count / (channels + 1)
    pixels.withUnsafeMutableBufferPointer { buffer in
      for pixel in 0..<count {
        let alpha = Int(buffer[(channels + 1) * pixel + channels])
        for channel in 0..<channels {
          let value = Int(buffer[(channels + 1) * pixel + channel])
          let sum = value * alpha + Int(background[channel]) * (255 - alpha)
          buffer[channels * pixel + channel] = UInt8((sum + 127) / 255)
        }
      }
    }
    pixels.removeLast(count)
  }

  /// Gray with alpha as RGB with alpha.
  private static func widened(_ pixels: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 2 * pixels.count) { buffer, initialized in
      for pixel in 0..<pixels.count / 2 {
        for channel in 0..<3 { buffer[4 * pixel + channel] = pixels[2 * pixel] }
        buffer[4 * pixel + 3] = pixels[2 * pixel + 1]
      }
      initialized = 2 * pixels.count
    }
  }
}
