import Foundation
import Images
import TestSupport

/// The readers of `Images`.
extension FuzzParser {
  static func imageArchive() throws -> FuzzParser {
    FuzzParser(
      name: "image-archive",
      knownRecords: [
        "dataset.json", "labels list", "labels null", "stored entry", "deflated entry", "IHDR", "IDAT", "IEND",
      ],
      seeds: try fixtures("golden/dataset", ["zip"], upTo: 20_000) + (try fixtures("images", ["zip"], upTo: 20_000)),
      mutate: { bytes, _, random in
        ZipImage.mutate(bytes, &random) { name, content, random in
          name.hasSuffix("json")
            ? TextMutation.apply(content, words: ["labels", "00000/img00000000.png", ""], &random)
            : PNGImage.mutate(content, &random)
        }
      },
      records: { bytes in
        guard let image = ZipImage(bytes) else { return [] }
        return image.entries.flatMap { entry -> [Record] in
          var names = [entry.isDeflated ? "deflated entry" : "stored entry"]
          if entry.name == Array("dataset.json".utf8) {
            let isNull = String(decoding: entry.content, as: UTF8.self).contains("null")
            names += ["dataset.json", isNull ? "labels null" : "labels list"]
          }
          let chunks = PNGImage(entry.content)?.chunks.map { String(decoding: $0.type, as: UTF8.self) } ?? []
          return (names + chunks).map { Record(name: $0, place: 0) }
        }
      },
      read: { path in
        let dataset = try ImageDataset(contentsOf: path)
        let reader = try dataset.images()
        while try !reader.next(4).isEmpty {}
      })
  }

  static func png() throws -> FuzzParser {
    FuzzParser(
      name: "png",
      knownRecords: [
        "IHDR", "IDAT", "IEND", "gAMA", "tEXt", "zTXt", "iTXt", "tRNS", "interlaced", "8-bit gray", "8-bit RGB",
      ],
      seeds: try fixtures("images", ["png"], upTo: 20_000),
      mutate: { bytes, _, random in PNGImage.mutate(bytes, &random) },
      records: { bytes in
        guard let image = PNGImage(bytes) else { return [] }
        var names = image.chunks.map { String(decoding: $0.type, as: UTF8.self) }
        if let header = image.chunks.first?.data, header.count == 13 {
          if header[12] == 1 { names.append("interlaced") }
          names.append("\(header[8])-bit \(header[9] == 0 ? "gray" : "RGB")")
        }
        return names.map { Record(name: $0, place: 0) }
      },
      read: { path in
        _ = try PNGDecoder.decode(Array(try Data(contentsOf: URL(fileURLWithPath: path))), subject: "x.png")
      })
  }
}
