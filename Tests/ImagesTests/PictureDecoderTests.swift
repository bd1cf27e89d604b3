import Diagnostics
import Foundation
import Images
import TestSupport
import Testing

/// Pictures of every kind, as a data set takes them.
@Suite("Pictures that data sets are made of")
struct PictureDecoderTests {
  private static func file(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("pictures/" + name))))
  }

  private func decode(_ data: [UInt8], background: [UInt8] = [255, 255, 255]) throws -> (
    shape: ImageShape, pixels: [UInt8]
  ) {
    let form = try PictureDecoder.form(of: data, subject: "x")
    let image = try PictureTransform(.whole, background: background).apply(to: data, form, subject: "x")
    #expect(image.shape.width == form.width && image.shape.height == form.height)
    return image
  }

  @Test(
    "A JPEG image has the pixels that Pillow decodes: gray, colour, CMYK, progressive, arithmetic",
    arguments: [
      ("gray", "gray"), ("colour", "colour"), ("progressive", "colour"), ("rgb", "rgb"), ("cmyk", "cmyk"),
      ("ycck", "ycck"), ("arithmetic", "arithmetic"), ("arithmetic_progressive", "arithmetic"),
    ])
  func jpeg(name: String, expected: String) throws {
    let image = try decode(Self.file(name + ".jpg"))
    let other = try ImageDecoder.decode(Self.file(expected + ".png"), subject: expected)
    #expect(image.shape == other.shape && image.shape.width == 37 && image.shape.height == 23)
    #expect(image.pixels == other.pixels)
  }

  /// Where the pixel that is seen at a place is stored, from EXIF's own table: where row 0 and column 0 are seen.
  private static func stored(_ orientation: Int, x: Int, y: Int, width: Int, height: Int) -> (x: Int, y: Int) {
    let (right, bottom) = (width - 1 - x, height - 1 - y)
    switch orientation {
    case 1: return (x, y)  // row 0 top, column 0 left
    case 2: return (right, y)  // top, right
    case 3: return (right, bottom)  // bottom, right
    case 4: return (x, bottom)  // bottom, left
    case 5: return (y, x)  // left, top
    case 6: return (y, right)  // right, top
    case 7: return (bottom, right)  // right, bottom
    default: return (bottom, x)  // left, bottom
    }
  }

  @Test("EXIF turns and mirrors JPEG and PNG images, whatever the order of its bytes", arguments: 1...8)
  func orientation(number: Int) throws {
    let plain = try ImageDecoder.decode(Self.file("colour.png"), subject: "plain")
    let isTurned = number >= 5
    for isBig in [true, false] {
      let exif = MadePicture.exif(orientation: number, bigEndian: isBig)
      let png = try Self.file("colour.png")
      for data in [
        MadePicture.jpeg(try Self.file("colour.jpg"), exif: exif),
        // Behind the signature and the header.
        png.prefix(33) + MadePicture.chunk("eXIf", exif) + png.dropFirst(33),
      ] {
        let image = try decode(data)
        let (width, height) = (image.shape.width, image.shape.height)
        #expect((width, height) == (isTurned ? (23, 37) : (37, 23)))
        for y in 0..<height {
          for x in 0..<width {
            let from = Self.stored(number, x: x, y: y, width: width, height: height)
            let (place, other) = (3 * (y * width + x), 3 * (from.y * 37 + from.x))
            guard image.pixels[place..<place + 3].elementsEqual(plain.pixels[other..<other + 3]) else {
              Issue.record("orientation \(number): the pixel at \(x), \(y) is another")
              return
            }
          }
        }
      }
    }
  }

  @Test("EXIF that makes no sense turns nothing")
  func senselessOrientation() throws {
    let plain = try decode(Self.file("colour.jpg"))
    let exif = MadePicture.exif(orientation: 6, bigEndian: true)
    for bytes in [
      MadePicture.exif(orientation: 0, bigEndian: true), MadePicture.exif(orientation: 9, bigEndian: false), [],
      Array(exif.prefix(20)), Array("II*\0".utf8) + [255, 255, 255, 255], exif.map { ~$0 },
    ] {
      let image = try decode(MadePicture.jpeg(Self.file("colour.jpg"), exif: bytes))
      #expect(image.shape == plain.shape && image.pixels == plain.pixels)
    }
  }

  @Test("PNG of every kind and depth becomes 8 bits")
  func png() throws {
    let palette = MadePicture.chunk("PLTE", [255, 0, 0, 0, 255, 0, 0, 0, 255])
    for (data, channels, pixels) in [
      (MadePicture.png(4, 1, depth: 1, kind: 0, rows: [[0b1010_0000]]), 1, [255, 0, 255, 0]),
      (MadePicture.png(4, 1, depth: 2, kind: 0, rows: [[0b0001_1011]]), 1, [0, 85, 170, 255]),
      (MadePicture.png(2, 1, depth: 4, kind: 0, rows: [[0x1F]]), 1, [17, 255]),
      // 16 bits are rounded: 0x0080 is 0.498, 0x0081 is 0.502 of 8 bits.
      (MadePicture.png(3, 1, depth: 16, kind: 0, rows: [[0, 0x80, 0, 0x81, 0xFF, 0xFF]]), 1, [0, 1, 255]),
      (MadePicture.png(1, 1, depth: 16, kind: 2, rows: [[1, 1, 2, 2, 3, 0x83]]), 3, [1, 2, 3]),
      (
        MadePicture.png(4, 1, depth: 2, kind: 3, rows: [[0b0001_1000]], chunks: palette), 3,
        [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 0, 0]
      ),
      // A palette of which the first colour is transparent, gray of which one is, and alpha of both kinds.
      (
        MadePicture.png(2, 1, depth: 8, kind: 3, rows: [[0, 2]], chunks: palette + MadePicture.chunk("tRNS", [0])), 3,
        [255, 255, 255, 0, 0, 255]
      ),
      (MadePicture.png(2, 1, kind: 0, rows: [[7, 9]], chunks: MadePicture.chunk("tRNS", [0, 7])), 1, [255, 9]),
      (MadePicture.png(3, 1, kind: 4, rows: [[100, 255, 100, 0, 100, 51]]), 1, [100, 255, 224]),
      (
        MadePicture.png(
          2, 1, depth: 16, kind: 6, rows: [[9, 9, 8, 8, 7, 7, 255, 255] + [0, 0, 0, 0, 0, 0, 128, 128]]), 3,
        [9, 8, 7, 127, 127, 127]
      ),
    ] as [([UInt8], Int, [UInt8])] {
      let image = try decode(data)
      #expect(image.shape.channels == channels && image.pixels == pixels)
    }
    let interlaced = try PNGDecoder.decode(
      Array(Data(contentsOf: URL(fileURLWithPath: Fixtures.path("images/interlaced_rgb_11x13.png")))), subject: "i")
    #expect(
      try decode(Array(Data(contentsOf: URL(fileURLWithPath: Fixtures.path("images/interlaced_rgb_11x13.png"))))).pixels
        == interlaced.pixels)
  }

  @Test("What is transparent shows the background, which may make a gray picture one of colours")
  func background() throws {
    let gray = MadePicture.png(2, 1, kind: 4, rows: [[100, 255, 100, 51]])
    #expect(try decode(gray, background: [0, 0, 0]).pixels == [100, 20])
    let colour = try decode(gray, background: [0, 200, 50])
    #expect(colour.shape.channels == 3 && colour.pixels == [100, 100, 100, 20, 180, 60])
    #expect(
      try decode(MadePicture.png(1, 1, kind: 6, rows: [[200, 0, 100, 102]]), background: [0, 200, 50]).pixels
        == [80, 120, 70])
  }

  @Test(
    "netpbm of any depth becomes 8 bits, rounded",
    arguments: [
      ("P2\n3 1\n15\n0 7 15", [], [0, 119, 255]), ("P5 3 1 15\n", [0, 7, 15], [0, 119, 255]),
      ("P5 3 1 1\n", [0, 1, 1], [0, 255, 255]),
      ("P5 3 1 65535\n", [0, 0x80, 0, 0x81, 0xFF, 0xFF], [0, 1, 255]),
      ("P6 1 1 1023\n", [3, 0xFF, 2, 0, 0, 0], [255, 128, 0]), ("P3 1 1 1000 1000 500 0", [], [255, 128, 0]),
      ("P4 3 1\n", [0b0100_0000], [255, 0, 255]),
    ] as [(String, [UInt8], [UInt8])])
  func netpbm(text: String, raster: [UInt8], pixels: [UInt8]) throws {
    #expect(try decode(Array(text.utf8) + raster).pixels == pixels)
  }

  static func changed(_ name: String, _ change: (inout [UInt8], Int) -> Void) throws -> [UInt8] {
    var bytes = try file(name)
    change(&bytes, try #require(MadePicture.frame(of: bytes)))
    return bytes
  }

  @Test("What cannot be read is refused with the reason")
  func refused() throws {
    let jpeg = try Self.file("colour.jpg")
    let colours = MadePicture.header(30_000, 30_000, depth: 8, kind: 2)
    for (data, words) in [
      (try Self.changed("colour.jpg") { $0[$1 + 4] = 12 }, "precision 12"),
      (try Self.changed("colour.jpg") { $0[$1 + 1] = 0xC3 }, "SOF type"),
      (Array(jpeg.dropLast(60)), "remature end"), (Array(jpeg.prefix(100)), "libjpeg"),
      (Array(try Self.file("progressive.jpg").dropLast(100)), "not an intact JPEG"),
      (Array(try Self.file("arithmetic_progressive.jpg").dropLast(2)), "ends early"),
      (
        try Self.changed("colour.jpg") { bytes, frame in
          bytes.replaceSubrange(frame + 5..<frame + 9, with: [0x75, 0x30, 0x75, 0x30])
        }, "30000x30000 pixels; images of at most 268435456 pixels"
      ),
      (MadePicture.signature + colours + MadePicture.chunk("IDAT", [1]) + MadePicture.chunk("IEND", []), "at most"),
      (
        MadePicture.signature + MadePicture.header(16_000, 16_000, depth: 8, kind: 2) + MadePicture.chunk("IDAT", [1])
          + MadePicture.chunk("IEND", []), "bytes cannot hold"
      ),
      (Array("P5 2 1 15\n".utf8) + [16, 0], "above its largest value"), (Array("P5 2 1 0\n".utf8) + [1, 1], "up to 0"),
      (Array("P5 2 1 70000\n".utf8) + [1, 1], "up to 70000"),
      (Array("P5 2 1 65535\n".utf8) + [1, 1], "2 bytes are left"),
      (Array("P5 20000 20000 255\n".utf8), "at most"), (Array("P5 2000000 1 255\n".utf8), "1048576 a side"),
      ([], "empty"), (Array("GIF89a".utf8), "a GIF image"), (Array("Hello".utf8), "text"),
    ] {
      let failure = #expect(throws: Failure.self) { try decode(data) }
      #expect(failure?.status == .dataError && failure?.subject == "x")
      #expect(failure?.problem.contains(words) == true, "\(failure?.problem ?? "") has no \(words)")
    }
  }

  @Test("A JPEG image may lack the end that nothing comes before, and have bytes of nobody's before and behind it")
  func harmless() throws {
    let jpeg = try Self.file("colour.jpg")
    let pixels = try decode(jpeg).pixels
    #expect(try decode(Array(jpeg.dropLast(2))).pixels == pixels)
    #expect(try decode(jpeg.dropLast(2) + [1, 2, 3] + jpeg.suffix(2)).pixels == pixels)
    #expect(try decode(jpeg + [UInt8](repeating: 0, count: 999)).pixels == pixels)
  }

  private static func formula(_ height: Int, _ width: Int, _ channels: Int) -> [UInt8] {
    (0..<height).flatMap { y in
      (0..<width).flatMap { x in
        (0..<channels).map { c in
          UInt8(truncatingIfNeeded: ((x * 37 + y * 101 + c * 59) ^ ((x * y) >> 2)) + x * 5 / 3)
        }
      }
    }
  }

  @Test(
    "Lanczos' filter gives the bytes of Pillow, smaller and larger",
    arguments: [(50, 3, 13), (13, 1, 50), (200, 1, 7), (3, 3, 32), (1, 3, 5), (97, 3, 64), (33, 1, 1)])
  func lanczos(side: Int, channels: Int, target: Int) throws {
    let shape = ImageShape(height: side, width: side, channels: channels)
    let data = try PNGEncoder.encode(Self.formula(side, side, channels)[...], shape: shape)
    let form = try PictureDecoder.form(of: data, subject: "x")
    let image = try PictureTransform(.centerCrop(target), background: [0, 0, 0]).apply(to: data, form, subject: "x")
    let expected = try ImageDecoder.decode(
      Self.file("lanczos_\(side)x\(side)x\(channels)_to_\(target).png"), subject: "expected")
    #expect(image.shape == expected.shape && image.pixels == expected.pixels)
  }

  @Test("A wide picture comes between black bars; a smaller one is refused")
  func wide() throws {
    let data = try PNGEncoder.encode(
      Self.formula(77, 90, 3)[...], shape: ImageShape(height: 77, width: 90, channels: 3))
    let form = try PictureDecoder.form(of: data, subject: "x")
    let transform = PictureTransform(.centerCropWide(width: 32, height: 20), background: [9, 9, 9])
    let image = try transform.apply(to: data, form, subject: "x")
    let expected = try ImageDecoder.decode(Self.file("lanczos_77x90x3_wide_32x20.png"), subject: "expected")
    let bar = [UInt8](repeating: 0, count: 6 * 32 * 3)
    #expect(image.shape == ImageShape(height: 32, width: 32, channels: 3))
    #expect(image.pixels == bar + expected.pixels + bar)
    let larger = PictureTransform(.centerCropWide(width: 91, height: 20), background: [9, 9, 9])
    let failure = #expect(throws: Failure.self) { try larger.apply(to: data, form, subject: "x") }
    #expect(failure?.problem == "90x77 pixels (width x height) are fewer than 91x20")
  }

  @Test("The square in the middle is taken as it is seen, turned or not")
  func centre() throws {
    let plain = try decode(Self.file("colour.jpg")).pixels
    var square: [[UInt8]] = []
    for y in 0..<23 {
      for x in 7..<30 { square.append(Array(plain[(y * 37 + x) * 3..<(y * 37 + x + 1) * 3])) }
    }
    // Row 0 is seen at the right.
    var turned: [[UInt8]] = []
    for y in 0..<23 {
      for x in 0..<23 { turned.append(square[(22 - x) * 23 + y]) }
    }
    for (number, expected) in [(1, square), (6, turned)] {
      let exif = MadePicture.exif(orientation: number, bigEndian: true)
      let data = MadePicture.jpeg(try Self.file("colour.jpg"), exif: exif)
      let form = try PictureDecoder.form(of: data, subject: "x")
      let image = try PictureTransform(.centerCrop(23), background: [0, 0, 0]).apply(to: data, form, subject: "x")
      #expect(image.pixels == Array(expected.joined()))
    }
  }
}
