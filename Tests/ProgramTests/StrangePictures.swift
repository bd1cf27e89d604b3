import Foundation
import Images
import TestSupport

/// Pictures as they lie in the folders of people: of every kind, broken in every way.
struct StrangePictures {
  let name: String
  let content: [UInt8]
  let isConverted: Bool

  static func all() throws -> [StrangePictures] {
    try photographs() + portables() + jpegs() + pngs() + others()
  }

  private static func fixture(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: Fixtures.path(name))))
  }

  private static func good(_ name: String, _ content: [UInt8]) -> Self {
    Self(name: name, content: content, isConverted: true)
  }
  private static func bad(_ name: String, _ content: [UInt8]) -> Self {
    Self(name: name, content: content, isConverted: false)
  }

  private static func photographs() throws -> [Self] {
    let kinds = [
      "gray.jpg", "colour.jpg", "progressive.jpg", "rgb.jpg", "cmyk.jpg", "ycck.jpg", "arithmetic.jpg",
      "arithmetic_progressive.jpg",
    ]
    let jpeg = try fixture("pictures/colour.jpg")
    let whole = try kinds.map { good("whole-" + $0, try fixture("pictures/" + $0)) }
    let turned = (1...8).map {
      good("turned-\($0).jpg", MadePicture.jpeg(jpeg, exif: MadePicture.exif(orientation: $0, bigEndian: $0 % 2 == 0)))
    }
    return try whole + turned + [
      good("wrong-suffix.png", jpeg), good("no-suffix", jpeg), good("UPPER.JPG", jpeg),
      good("really-png.jpg", MadeImage.png(1)),
      good("really-pgm.png", MadeImage.pgm(1)), good("text.txt.jpeg", jpeg),
      good("exif-nonsense.jpg", MadePicture.jpeg(jpeg, exif: [1, 2, 3])),
      good("bytes-behind.jpg", jpeg + [UInt8](repeating: 7, count: 300)), good("no-end.jpg", Array(jpeg.dropLast(2))),
    ]
  }

  private static func jpegs() throws -> [Self] {
    let jpeg = try fixture("pictures/colour.jpg")
    let progressive = try fixture("pictures/progressive.jpg")
    let frame = MadePicture.frame(of: jpeg) ?? 0
    func changed(_ offset: Int, _ bytes: [UInt8]) -> [UInt8] {
      var copy = jpeg
      copy.replaceSubrange(frame + offset..<frame + offset + bytes.count, with: bytes)
      return copy
    }
    var cases: [Self] = [
      bad("zero-bytes.jpg", []), bad("one-byte.jpg", [0xFF]), bad("signature.jpg", [0xFF, 0xD8, 0xFF]),
      bad("zeros.jpg", [UInt8](repeating: 0, count: 4096)), bad("text.jpg", Array("a photograph\n".utf8)),
      bad("page.jpg", Array("<!DOCTYPE html><html>not found".utf8)), bad("only-ends.jpg", [0xFF, 0xD8, 0xFF, 0xD9]),
      bad("12-bit.jpg", changed(4, [12])), bad("lossless.jpg", changed(1, [0xC3])),
      bad("hierarchical.jpg", changed(1, [0xC5])),
      bad("no-height.jpg", changed(5, [0, 0])), bad("no-width.jpg", changed(7, [0, 0])),
      bad("no-components.jpg", changed(9, [0])),
      bad("bomb.jpg", changed(5, [0xFF, 0xDC, 0xFF, 0xDC])), bad("taller.jpg", changed(5, [1, 0])),
      bad("no-frame.jpg", Array(jpeg[..<frame]) + jpeg[(frame + 19)...]), bad("behind-a-byte.jpg", [0] + jpeg),
      bad("lfs.jpg", Array("version https://git-lfs.github.com/spec/v1\noid sha256:0\n".utf8)),
    ]
    // Cut at eighths of the file; from the last cuts on pixels are lacking, from the first ones on the header.
    for part in 1..<8 {
      cases.append(bad("cut-\(part).jpg", Array(jpeg.prefix(jpeg.count * part / 8))))
      cases.append(bad("cut-progressive-\(part).jpg", Array(progressive.prefix(progressive.count * part / 8))))
    }
    return cases
  }

  private static func pngs() throws -> [Self] {
    let palette = MadePicture.chunk("PLTE", [255, 0, 0, 0, 255, 0, 0, 0, 255])
    let row = [UInt8](repeating: 0x5A, count: 128)
    func rows(_ bytes: Int, _ count: Int = 9) -> [[UInt8]] { Array(repeating: Array(row.prefix(bytes)), count: count) }
    var cases: [Self] = []
    for (kind, depths, samples) in [(0, [1, 2, 4, 8, 16], 1), (2, [8, 16], 3), (4, [8, 16], 2), (6, [8, 16], 4)] {
      for depth in depths {
        cases.append(
          good(
            "kind-\(kind)-\(depth).png",
            MadePicture.png(9, 9, depth: depth, kind: kind, rows: rows((9 * depth * samples + 7) / 8))))
      }
    }
    for depth in [2, 4, 8] {
      let pixels = Array(repeating: [UInt8](repeating: 0, count: (9 * depth + 7) / 8), count: 9)
      cases.append(
        good("palette-\(depth).png", MadePicture.png(9, 9, depth: depth, kind: 3, rows: pixels, chunks: palette)))
    }
    let plain = MadePicture.png(9, 9, kind: 0, rows: rows(9))
    func flipped(_ place: Int) -> [UInt8] {
      var bytes = plain
      bytes[place] ^= 0xFF
      return bytes
    }
    func header(_ width: Int, _ height: Int, _ kind: Int = 2) -> [UInt8] {
      MadePicture.signature + MadePicture.header(width, height, depth: 8, kind: kind)
        + MadePicture.chunk("IDAT", MadePicture.stream([0])) + MadePicture.chunk("IEND", [])
    }
    let control =
      MadePicture.big(0, 4) + MadePicture.big(9, 4) + MadePicture.big(9, 4) + [UInt8](repeating: 0, count: 14)
    func animated(_ frames: Int) -> [UInt8] {
      MadePicture.chunk("acTL", MadePicture.big(frames, 4) + MadePicture.big(0, 4)) + MadePicture.chunk("fcTL", control)
    }
    return try cases + [
      good(
        "transparent.png",
        MadePicture.png(9, 9, kind: 2, rows: rows(27), chunks: MadePicture.chunk("tRNS", [0, 0x5A, 0, 0x5A, 0, 0x5A]))),
      good(
        "transparent-palette.png",
        MadePicture.png(
          9, 9, kind: 3, rows: Array(repeating: [0, 1, 2, 0, 1, 2, 0, 1, 2], count: 9),
          chunks: palette + MadePicture.chunk("tRNS", [0, 128]))),
      good("interlaced.png", fixture("images/interlaced_rgb_11x13.png")),
      good("gamma.png", fixture("images/gray_5x3_gamma.png")),
      good("1x1.png", MadePicture.png(1, 1, kind: 2, rows: [[1, 2, 3]])),
      good("1x400.png", MadePicture.png(1, 400, kind: 0, rows: rows(1, 400))),
      good(
        "20000-wide.png",
        MadePicture.png(20_000, 3, kind: 0, rows: Array(repeating: [UInt8](repeating: 9, count: 20_000), count: 3))),
      good("20000-high.png", MadePicture.png(2, 20_000, kind: 2, rows: rows(6, 20_000))),
      good("bytes-behind.png", plain + [1, 2, 3]),
      good("one-frame.png", MadePicture.png(9, 9, kind: 0, rows: rows(9), chunks: animated(1))),
      bad("animated.png", MadePicture.png(9, 9, kind: 0, rows: rows(9), chunks: animated(2))),
      bad("bomb.png", header(1_000_000, 1_000_000)), bad("large.png", header(20_000, 20_000, 0)),
      bad("claims.png", header(16_000, 16_000)),
      bad("no-width.png", header(0, 9)), bad("negative.png", header(1 << 31, 9)),
      bad("header-flipped.png", flipped(20)), bad("data-flipped.png", flipped(50)),
      bad("signature-flipped.png", flipped(1)), bad("cut-signature.png", Array(plain.prefix(7))),
      bad("cut-header.png", Array(plain.prefix(20))),
      bad("cut-data.png", Array(plain.prefix(70))), bad("cut-chunk.png", Array(plain.prefix(35))),
      bad("zero-bytes.png", []),
      bad("too-few-rows.png", MadePicture.png(9, 9, kind: 0, rows: rows(9, 4))),
      bad("no-palette.png", MadePicture.png(9, 9, kind: 3, rows: rows(9))),
      bad("depth-3.png", MadePicture.png(9, 9, depth: 3, kind: 0, rows: rows(9))),
      bad("kind-5.png", MadePicture.png(9, 9, kind: 5, rows: rows(9))),
      bad(
        "no-data.png",
        MadePicture.signature + MadePicture.header(9, 9, depth: 8, kind: 0) + MadePicture.chunk("IEND", [])),
    ]
  }

  private static func portables() throws -> [Self] {
    let raster = [UInt8](repeating: 3, count: 600)
    func text(_ text: String, _ raster: [UInt8] = []) -> [UInt8] { Array(text.utf8) + raster }
    return [
      good("plain.pbm", text("P1 3 2 101 010")), good("plain.pgm", text("P2\n# c\n2 2\n9\n0 3 6 9")),
      good("plain.ppm", text("P3 1 1 65535 1 2 3")),
      good("raw.pbm", text("P4 9 2\n", Array(raster.prefix(4)))), good("raw.pgm", text("P5 9 9 255\n", raster)),
      good("raw.ppm", text("P6 9 9 255\n", raster)),
      good("deep.pgm", text("P5 9 9 4095\n", raster)), good("deep.ppm", text("P6 9 9 65535\n", raster)),
      good("shallow.pgm", text("P5 9 9 3\n", raster)),
      bad("cut.pgm", text("P5 90 90 255\n", raster)), bad("cut-plain.ppm", text("P3 9 9 255 1 2 3")),
      bad("no-size.pgm", text("P5 ")),
      bad("zero.ppm", text("P6 0 9 255\n", raster)), bad("bomb.ppm", text("P6 1000000 1000000 255\n")),
      bad("long.pbm", text("P4 2000000 1\n")),
      bad("huge-number.pgm", text("P5 99999999999999999999 1 255\n")),
      bad("too-deep.pgm", text("P5 9 9 65536\n", raster)),
      bad("above.pgm", text("P5 9 9 2\n", raster)), bad("word.pgm", text("P2 2 1 255 1 x")),
      bad("several.pgm", text("P5 1 1 255\n\u{1}P5 1 1 255\n\u{1}")),
      bad("only-magic.pnm", text("P6\n")),
    ]
  }

  private static func others() throws -> [Self] {
    [
      bad("animated.gif", Array("GIF89a".utf8) + [UInt8](repeating: 1, count: 50)),
      bad("gif-named.png", Array("GIF87a".utf8)),
      bad("picture.webp", Array("RIFF1234WEBPVP8 ".utf8)), bad("webp-named.jpg", Array("RIFF1234WEBPVP8 ".utf8)),
      bad("picture.bmp", Array("BM".utf8) + [UInt8](repeating: 0, count: 60)),
      bad("picture.tiff", [0x49, 0x49, 0x2A, 0, 8, 0, 0, 0]),
      bad("picture.heic", [0, 0, 0, 24] + Array("ftypheic".utf8)),
      bad("picture.avif", [0, 0, 0, 24] + Array("ftypavif".utf8)),
      bad("picture.jxl", [0xFF, 0x0A, 1, 2]),
      bad("picture.svg", Array("<svg xmlns=\"http://www.w3.org/2000/svg\"/>".utf8)),
      bad("picture.psd", Array("8BPS".utf8)), bad("picture.pam", Array("P7\nWIDTH 1\n".utf8)),
      bad("picture.pfm", Array("Pf\n1 1\n".utf8)),
      bad("raw.nef", [0x4D, 0x4D, 0, 0x2A]), bad("more.zip", Array("PK\u{3}\u{4}".utf8)),
      bad("more.tar.gz", [0x1F, 0x8B, 8, 0]),
    ]
  }
}
