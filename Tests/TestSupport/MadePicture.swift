import Foundation

/// Pictures of any kind as files, made by hand.
public enum MadePicture {
  /// A chunk of a PNG file with its checksum.
  public static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
    let content = Array(type.utf8) + data
    return big(data.count, 4) + content + big(Int(NpzStandIn.checksum(content)), 4)
  }

  /// The signature of PNG files.
  public static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// The first chunk of a PNG file.
  public static func header(_ width: Int, _ height: Int, depth: Int, kind: Int, interlaced: Bool = false) -> [UInt8] {
    chunk(
      "IHDR", big(width, 4) + big(height, 4) + [UInt8(depth), UInt8(kind), 0, 0, interlaced ? 1 : 0])
  }

  /// A PNG file.
  /// - Parameters:
  ///   - depth: bits of a sample.
  ///   - kind: 0 gray, 2 RGB, 3 palette, 4 gray with alpha, 6 RGB with alpha.
  ///   - rows: the packed samples of each row.
  ///   - chunks: what stands before the pixels, in whole chunks.
  public static func png(
    _ width: Int, _ height: Int, depth: Int = 8, kind: Int, rows: [[UInt8]], chunks: [UInt8] = [],
    interlaced: Bool = false
  ) -> [UInt8] {
    signature + header(width, height, depth: depth, kind: kind, interlaced: interlaced) + chunks
      + chunk("IDAT", stream(rows.flatMap { [0] + $0 })) + chunk("IEND", [])
  }

  /// A zlib stream of stored blocks.
  public static func stream(_ content: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = [0x78, 0x01]
    var place = 0
    repeat {
      let part = content[place..<min(content.count, place + 65_535)]
      place = part.endIndex
      let length = [UInt8(part.count & 255), UInt8(part.count >> 8)]
      bytes += [place == content.count ? 1 : 0] + length + length.map { ~$0 } + part
    } while place < content.count
    let sums = content.reduce(into: (low: 1, high: 0)) {
      $0.low = ($0.low + Int($1)) % 65_521
      $0.high = ($0.high + $0.low) % 65_521
    }
    return bytes + big(sums.high << 16 | sums.low, 4)
  }

  /// EXIF data that says how a picture is turned, as a TIFF file.
  public static func exif(orientation: Int, bigEndian: Bool) -> [UInt8] {
    func number(_ value: Int, _ count: Int) -> [UInt8] {
      bigEndian ? big(value, count) : big(value, count).reversed()
    }
    let mark: [UInt8] = bigEndian ? [0x4D, 0x4D] : [0x49, 0x49]
    let others = number(0x0100, 2) + number(4, 2) + number(1, 4) + number(37, 4)
    return mark + number(42, 2) + number(8, 4) + number(2, 2) + others + number(0x0112, 2) + number(3, 2) + number(1, 4)
      + number(orientation, 2) + [0, 0] + number(0, 4)
  }

  /// A JPEG file with EXIF data.
  public static func jpeg(_ file: [UInt8], exif: [UInt8]) -> [UInt8] {
    let content = Array("Exif".utf8) + [0, 0] + exif
    return Array(file[..<2]) + [0xFF, 0xE1] + big(content.count + 2, 2) + content + file[2...]
  }

  /// Where the frame header of a JPEG file begins: its marker's first byte.
  public static func frame(of file: [UInt8]) -> Int? {
    file.indices.dropLast(9).first { file[$0] == 0xFF && [0xC0, 0xC1, 0xC2, 0xC9, 0xCA].contains(file[$0 + 1]) }
  }

  /// A number with its highest byte first.
  public static func big(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
