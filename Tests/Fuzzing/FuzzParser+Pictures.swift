import Foundation
import Images
import TestSupport

/// The readers of pictures that data sets are made of.
extension FuzzParser {
  /// Reads a picture as the maker of a data set does; large ones are told from their headers, as there by the memory.
  private static func convert(_ path: String) throws {
    let data = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    let form = try PictureDecoder.form(of: data, subject: "x")
    guard form.memoryBytes <= 1 << 26 else { return }
    _ = try PictureTransform(.centerCrop(8), background: [1, 2, 3]).apply(to: data, form, subject: "x")
  }

  static func jpeg() throws -> FuzzParser {
    let files = try fixtures("pictures", ["jpg"], upTo: 20_000)
    let turned = (1...8).map {
      MadePicture.jpeg(files[0], exif: MadePicture.exif(orientation: $0, bigEndian: $0 % 2 == 0))
    }
    return FuzzParser(
      name: "jpeg",
      knownRecords: [
        "SOF0", "SOF2", "SOF9", "SOF10", "DHT", "DQT", "SOS", "EXIF", "Adobe", "gray", "colour", "four channels",
      ],
      seeds: files + turned, mutate: { bytes, donor, random in JPEGImage.mutate(bytes, donor: donor, &random) },
      records: { bytes in
        JPEGImage(bytes)?.segments.flatMap(\.names).map { Record(name: $0, place: 0) } ?? []
      },
      read: convert)
  }

  /// PNG and netpbm of every kind.
  static func anyPicture() throws -> FuzzParser {
    let palette = MadePicture.chunk("PLTE", [255, 0, 0, 0, 255, 0, 0, 0, 255]) + MadePicture.chunk("tRNS", [0, 9])
    let pngs = [(0, 1, 1), (0, 16, 1), (2, 16, 3), (3, 2, 1), (4, 8, 2), (4, 16, 2), (6, 8, 4), (6, 16, 4)].map {
      kind, depth, samples in
      MadePicture.png(
        5, 3, depth: depth, kind: kind,
        rows: (0..<3).map { row in (0..<(5 * depth * samples + 7) / 8).map { UInt8(truncatingIfNeeded: $0 * 9 + row) }
        },
        chunks: kind == 3
          ? palette : MadePicture.chunk("eXIf", MadePicture.exif(orientation: 6, bigEndian: depth == 8)))
    }
    let raster: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    return FuzzParser(
      name: "picture",
      knownRecords: ["kind 0", "kind 2", "kind 3", "kind 4", "kind 6", "16 bits", "eXIf", "tRNS", "P2", "P5", "P6"],
      seeds: pngs + [
        Array("P2 2 2 15\n1 2 3 15".utf8), Array("P5 3 2 4095\n".utf8) + raster, Array("P6 2 1 65535\n".utf8) + raster,
        Array("P6 2 2 99\n".utf8) + raster,
      ],
      mutate: { bytes, _, random in
        guard bytes.first == UInt8(ascii: "P") else { return PNGImage.mutate(bytes, &random) }
        let words = ["P1", "P4", "P6", "1", "255", "256", "65535", "65536", "1048577", "#", "-1", ""]
        return random.oneIn(3)
          ? ByteMutation.apply(bytes, &random) : TextMutation.apply(bytes, words: words, &random)
      },
      records: { bytes in
        guard let image = PNGImage(bytes) else {
          return [Record(name: String(decoding: bytes.prefix(2), as: UTF8.self), place: 0)]
        }
        var names = image.chunks.map { String(decoding: $0.type, as: UTF8.self) }
        if let header = image.chunks.first?.data, header.count == 13 {
          names += ["kind \(header[9])", "\(header[8]) bits"]
        }
        return names.map { Record(name: $0, place: 0) }
      },
      read: convert)
  }
}
