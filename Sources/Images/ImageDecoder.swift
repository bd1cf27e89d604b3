import Diagnostics
import Files

/// Decodes an image of any format that is read: PNG, and the PBM, PGM and PPM of netpbm. The content says which it is.
public enum ImageDecoder {
  /// Decodes an image.
  ///
  /// - Parameters:
  ///   - data: the content of the file.
  ///   - subject: names the image in errors.
  /// - Returns: its shape and its bytes in row, column, channel order.
  /// - Throws: a `Failure` with status `dataError` where it is damaged or of another kind, saying of which.
  public static func decode(_ data: [UInt8], subject: String) throws -> (shape: ImageShape, pixels: [UInt8]) {
    if try isNetpbm(data, subject) { return try PNMDecoder.decode(data, subject: subject) }
    return try PNGDecoder.decode(data, subject: subject)
  }

  /// The shape that an image declares.
  /// - Throws: as `decode`.
  public static func shape(of data: [UInt8], subject: String) throws -> ImageShape {
    if try isNetpbm(data, subject) { return try PNMDecoder.shape(of: data, subject: subject) }
    return try PNGDecoder.shape(of: data, subject: subject)
  }

  private static func isNetpbm(_ data: [UInt8], _ subject: String) throws -> Bool {
    if PNMDecoder.hasSignature(data) { return true }
    guard !data.starts(with: PNGDecoder.signature) else { return false }
    let beginning = Array(data.prefix(EntryKind.neededBytes))
    if let picture = ForeignPicture.kind(suffix: "", beginning: beginning) { throw refused(subject, picture) }
    // The beginning of a PNG's signature is for the decoder to refuse.
    if let guess = FileGuess(beginning), !beginning.starts(with: PNGDecoder.signature.prefix(4)) {
      throw Failure(.dataError, subject, "not an intact PNG image: this is \(guess.kind)", remedy: guess.remedy)
    }
    return false
  }

  /// The failure of a picture in a format that is not read.
  static func refused(_ subject: String, _ picture: String) -> Failure {
    Failure(
      .dataError, subject, "\(picture), no PNG file: PNG, PPM, PGM and PBM images are read",
      remedy: "convert it to PNG, or take it out")
  }
}
