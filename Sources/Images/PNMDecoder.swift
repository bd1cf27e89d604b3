import Diagnostics

/// Reads the images of netpbm: PBM (P1, P4), PGM (P2, P5) and PPM (P3, P6) with samples of 8 bits.
///
/// A bitmap becomes gray: 1 is black (0), 0 is white (255). Samples are taken as they are, so the largest value has to be
/// 255; others would have to be scaled, and 16 bits rounded, which is for whoever makes the data set to decide.
/// (netpbm.sourceforge.net/doc/pbm.html, pgm.html, ppm.html.)
public enum PNMDecoder {
  /// Decodes an image.
  ///
  /// - Parameters:
  ///   - data: the content of the file.
  ///   - subject: names the image in errors.
  /// - Returns: its shape, one channel for PBM and PGM and three for PPM, and its bytes in row, column, channel order.
  /// - Throws: a `Failure` with status `dataError` where it is damaged, holds several images, or has another largest value.
  public static func decode(_ data: [UInt8], subject: String) throws -> (shape: ImageShape, pixels: [UInt8]) {
    try decode(data, .dataset, subject: subject)
  }

  /// Decodes an image; with the rules of a source samples of any depth, scaled to 8 bits and rounded.
  static func decode(_ data: [UInt8], _ rules: PictureRules, subject: String) throws -> (
    shape: ImageShape, pixels: [UInt8]
  ) {
    let header = try header(of: data, rules, subject: subject)
    let shape = header.shape
    guard header.leastBytes <= data.count - header.end else {
      throw damaged(subject, "it declares \(shape), and \(data.count - header.end) bytes are left for them")
    }
    if header.isPlain {
      let (pixels, end) = try plain(data, header, subject)
      try requireOne(data, end, subject)
      return (shape, pixels)
    }
    let end = header.end + header.leastBytes
    try requireOne(data, end, subject)
    let raster = data[header.end..<end]
    guard header.isBitmap else { return (shape, try samples(raster, header, subject)) }
    let rowBytes = (shape.width + 7) / 8
    var pixels = [UInt8](repeating: 255, count: shape.count)
    for row in 0..<shape.height {
      for column in 0..<shape.width {
        let byte = raster[header.end + row * rowBytes + column / 8]
        if byte & (0x80 >> UInt8(column % 8)) != 0 { pixels[row * shape.width + column] = 0 }
      }
    }
    return (shape, pixels)
  }

  /// The samples of a binary raster.
  private static func samples(_ raster: ArraySlice<UInt8>, _ header: Header, _ subject: String) throws -> [UInt8] {
    if header.maximum == 255 { return Array(raster) }
    let width = header.sampleBytes
    return try (0..<header.shape.count).map { sample in
      let place = header.end + sample * width
      return try scaled(width == 1 ? Int(raster[place]) : Int(raster[place]) << 8 | Int(raster[place + 1]))
    }
    func scaled(_ value: Int) throws -> UInt8 {
      guard value <= header.maximum else {
        throw damaged(subject, "a sample of \(value), above its largest value \(header.maximum)")
      }
      return header.scaled(value)
    }
  }

  /// Refuses a second image behind the first, with or without white space between them, as the tools of netpbm read it.
  private static func requireOne(_ data: [UInt8], _ end: Int, _ subject: String) throws {
    guard !hasSignature(data[end...].drop(while: isSpace)) else {
      throw Failure(
        .dataError, subject, "several images in one file; one is expected", remedy: "split it (pamsplit of netpbm)")
    }
  }

  /// The shape that an image declares.
  /// - Throws: as `decode`.
  public static func shape(of data: [UInt8], subject: String) throws -> ImageShape {
    try shape(of: data, .dataset, subject: subject)
  }

  static func shape(of data: [UInt8], _ rules: PictureRules, subject: String) throws -> ImageShape {
    try header(of: data, rules, subject: subject).shape
  }

  /// Whether a file begins with a whole header: what is not named as an image has to prove it, for "P1 " begins texts too.
  static func matches(_ beginning: [UInt8]) -> Bool {
    hasSignature(beginning) && (try? header(of: beginning, nil, subject: "")) != nil
  }

  /// Whether a file begins with `P1` to `P6` and what may stand behind them.
  static func hasSignature(_ data: some Collection<UInt8>) -> Bool {
    let beginning = Array(data.prefix(3))
    return beginning.count == 3 && beginning[0] == UInt8(ascii: "P") && (0x31...0x36).contains(beginning[1])
      && (isSpace(beginning[2]) || beginning[2] == UInt8(ascii: "#"))
  }

  private struct Header {
    let shape: ImageShape
    let isPlain: Bool
    let isBitmap: Bool
    /// The largest value of a sample; 1 of a bitmap.
    let maximum: Int
    /// Where the raster begins.
    let end: Int
    /// Bytes of a binary sample.
    var sampleBytes: Int { maximum > 255 ? 2 : 1 }
    /// A sample in 8 bits.
    func scaled(_ value: Int) -> UInt8 { UInt8((value * 255 * 2 + maximum) / (2 * maximum)) }
    /// The bytes of a binary raster; the fewest that a plain one can have.
    var leastBytes: Int {
      if isPlain { return isBitmap ? shape.count : 2 * shape.count - 1 }
      return isBitmap ? (shape.width + 7) / 8 * shape.height : shape.count * sampleBytes
    }
  }

  /// - Parameter rules: nil to know an image also where it is none that is read.
  private static func header(of data: [UInt8], _ rules: PictureRules?, subject: String) throws -> Header {
    guard hasSignature(data) else { throw damaged(subject, "no header") }
    let kind = data[1] - 0x30
    var place = 2
    func field(_ name: String) throws -> Int {
      guard let value = number(data, &place) else { throw damaged(subject, "no \(name) in its header") }
      return value
    }
    let (width, height) = (try field("width"), try field("height"))
    guard width > 0, height > 0 else { throw damaged(subject, "\(height)x\(width) pixels") }
    try rules?.requireSides(width: width, height: height, kind: "netpbm", subject: subject)
    let isBitmap = kind == 1 || kind == 4
    var maximum = 1
    if !isBitmap {
      maximum = try field("largest value")
      guard maximum == 255 || rules != .dataset && (1...65535).contains(maximum) else {
        guard rules == .dataset else { throw damaged(subject, "samples up to \(maximum)") }
        throw Failure(
          .dataError, subject, "a netpbm image of samples up to \(maximum); 255 (8 bits) is expected",
          remedy: "convert the images when the data set is made (pamdepth 255)")
      }
    }
    // One white space, and then the raster.
    guard place < data.count, isSpace(data[place]) else { throw damaged(subject, "its header does not end") }
    return Header(
      shape: ImageShape(height: height, width: width, channels: kind % 3 == 0 ? 3 : 1), isPlain: kind <= 3,
      isBitmap: isBitmap, maximum: maximum, end: place + 1)
  }

  /// The samples of a plain raster: numbers in ASCII, or single digits of a bitmap.
  private static func plain(_ data: [UInt8], _ header: Header, _ subject: String) throws -> (
    pixels: [UInt8], end: Int
  ) {
    var place = header.end
    var pixels: [UInt8] = []
    pixels.reserveCapacity(header.shape.count)
    for sample in 0..<header.shape.count {
      let value = number(data, &place, digits: header.isBitmap ? 1 : .max)
      guard let value, value <= header.maximum else {
        throw damaged(
          subject, "sample \(sample + 1) of \(header.shape.count) is \(value.map { "\($0)" } ?? "missing")")
      }
      pixels.append(header.isBitmap ? (value == 1 ? 0 : 255) : header.scaled(value))
    }
    return (pixels, place)
  }

  /// The number behind white space and comments; nil where there is none, or none below 2^31.
  private static func number(_ data: [UInt8], _ place: inout Int, digits: Int = .max) -> Int? {
    while place < data.count, isSpace(data[place]) || data[place] == UInt8(ascii: "#") {
      if data[place] == UInt8(ascii: "#") {
        while place < data.count, data[place] != 0x0A, data[place] != 0x0D { place += 1 }
      } else {
        place += 1
      }
    }
    var value: Int?
    let start = place
    while place < data.count, place - start < digits, (0x30...0x39).contains(data[place]) {
      value = (value ?? 0) * 10 + Int(data[place] - 0x30)
      if value ?? 0 >= 1 << 31 { return nil }
      place += 1
    }
    return value
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (9...13).contains(byte) }

  private static func damaged(_ subject: String, _ problem: String) -> Failure {
    Failure(.dataError, subject, "not an intact netpbm image: \(problem)")
  }
}
