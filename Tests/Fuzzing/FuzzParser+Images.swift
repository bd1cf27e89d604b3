import Foundation
import Images
import Scoring
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
        try readImages(dataset.images)
        _ = try dataset.labels()
      })
  }

  static func imageTar() throws -> FuzzParser {
    let picture = try fixture("images/gray_5x3_gamma.png")
    let files = [picture, picture].enumerated().flatMap { [("\($0).png", $1), ("\($0).cls", Array("7".utf8))] }
    return FuzzParser(
      name: "image-tar", knownRecords: ["image", "other file", "link", "long name", "pax header", "end"],
      seeds: [
        TarImage(files: files.map { .init(name: $0.0, content: $0.1) }).encoded,
        TarImage(files: [
          .init(name: "x", content: Array("28 path=a/b/c/d/e/image.png\n".utf8), kind: "x"),
          .init(name: "image.png", content: files[0].1),
          .init(name: "././@LongLink", content: Array(String(repeating: "n", count: 120).utf8) + [0], kind: "L"),
          .init(name: "n", content: []),
          .init(name: "link.png", content: [], kind: "2", target: "a/b/c/./d/e/image.png"),
          .init(name: "hard.png", content: [], kind: "1", target: "link.png"),
        ]).encoded,
      ],
      mutate: { bytes, _, random in TarImage.mutate(bytes, &random) },
      records: { bytes in
        guard let image = TarImage(bytes) else { return [] }
        let names = image.files.map { file -> String in
          switch file.kind {
          case "x", "g": "pax header"
          case "L", "K": "long name"
          case "1", "2": "link"
          default: file.name.hasSuffix(".png") ? "image" : "other file"
          }
        }
        return (names + (image.hasEnd ? ["end"] : [])).map { Record(name: $0, place: 0) }
      }, read: { try readImages(try StoredImages(tar: $0)) })
  }

  static func imageNumpy() throws -> FuzzParser {
    func images(_ shape: String, _ count: Int, isDeflated: Bool, labels: Bool) -> [UInt8] {
      let array = NumpyMutation.array(
        header: "{'descr': '|u1', 'fortran_order': False, 'shape': \(shape), }\n",
        data: (0..<count).map { UInt8(truncatingIfNeeded: $0 * 41) })
      let others = labels ? [("arr_1.npy", NumpyMutation.array("<i8", width: 8), false)] : []
      return ZipImage(entries: [("arr_0.npy", array, isDeflated)] + others, hasWideEnd: labels).encoded
    }
    return FuzzParser(
      name: "image-npz", knownRecords: ["stored entry", "deflated entry", "64-bit end record", "arr_0", "arr_1"],
      seeds: [
        images("(5, 4, 4, 3)", 240, isDeflated: false, labels: true),
        images("(5, 4, 4, 1)", 80, isDeflated: true, labels: false),
      ],
      mutate: { bytes, _, random in
        ZipImage.mutate(bytes, &random) { _, content, random in NumpyMutation.apply(content, &random) }
      },
      records: { bytes in
        guard let image = ZipImage(bytes) else { return [] }
        let names = image.entries.flatMap {
          [$0.isDeflated ? "deflated entry" : "stored entry", String(decoding: $0.name.dropLast(4), as: UTF8.self)]
        }
        return (names + (image.hasWideEnd ? ["64-bit end record"] : [])).map { Record(name: $0, place: 0) }
      },
      read: { path in
        let images = try ImageCollection(path)
        // What the beginning of a file says it is decides who reads it; here it is to be this reader.
        guard images.count > 0 else { return }
        for start in stride(from: 0, to: min(images.count, 64), by: 4) {
          _ = try images.images(start..<min(start + 4, images.count))
        }
      })
  }

  /// Reads the first images in order.
  private static func readImages(_ source: any ImageSource) throws {
    for start in stride(from: 0, to: min(source.count, 64), by: 4) {
      _ = try source.images(start..<min(start + 4, source.count))
    }
  }

  static func netpbm() throws -> FuzzParser {
    let raster: [UInt8] = [1, 2, 3, 250, 251, 252, 9, 8, 7, 6, 5, 4]
    let numbers = raster.map { "\($0)" }.joined(separator: " ")
    return FuzzParser(
      name: "netpbm", knownRecords: ["P1", "P2", "P3", "P4", "P5", "P6", "comment"],
      seeds: [
        Array("P1\n5 2\n10100\n0 0 0 0 1\n".utf8), Array("P2 4 3 255\n# gray\n\(numbers)\n".utf8),
        Array("P3\n2 2\n255\n\(numbers)".utf8), Array("P4\n10 3\n".utf8) + raster.prefix(6),
        Array("P5\n#\n4 3\n255\n".utf8) + raster, Array("P6\n2 2\n255\n".utf8) + raster,
      ],
      mutate: { bytes, _, random in
        let words = ["P1", "P4", "P6", "255", "8192", "65535", "2147483647", "#", "\n", "-1", ""]
        return random.oneIn(3)
          ? ByteMutation.apply(bytes, &random) : TextMutation.apply(bytes, words: words, &random)
      },
      records: { bytes in
        let kind = String(decoding: bytes.prefix(2), as: UTF8.self)
        return ([kind] + (bytes.contains(0x23) ? ["comment"] : [])).map { Record(name: $0, place: 0) }
      },
      read: { path in
        _ = try ImageDecoder.decode(Array(try Data(contentsOf: URL(fileURLWithPath: path))), subject: "x.pnm")
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
