import Diagnostics
import Images
import TestSupport
import Testing

/// The images of netpbm.
@Suite struct PNMDecoderTests {
  private func decode(_ text: String, _ raster: [UInt8] = []) throws -> (shape: ImageShape, pixels: [UInt8]) {
    try PNMDecoder.decode(Array(text.utf8) + raster, subject: "x.pnm")
  }

  @Test("Gray and colour, binary and plain, with comments and any white space, are the samples that are stored")
  func samples() throws {
    let gray = ImageShape(height: 2, width: 3, channels: 1)
    for image in [
      try decode("P5\n3 2\n255\n", [1, 2, 3, 253, 254, 255]), try decode("P2 3 2 255\n1 2 3\n253 254 255\n"),
      try decode("P5 # made\n# by hand\n3\t2\r\n255 ", [1, 2, 3, 253, 254, 255]),
      try decode("P2\n3 2\n255\n1 2 3 # a row\n253\n254 255"),
    ] { #expect(image.shape == gray && image.pixels == [1, 2, 3, 253, 254, 255]) }
    let colour = ImageShape(height: 1, width: 2, channels: 3)
    for image in [
      try decode("P6\n2 1\n255\n", [9, 8, 7, 0x50, 0x35, 0x20]), try decode("P3\n2 1\n255\n9 8 7\n80 53 32\n"),
    ] { #expect(image.shape == colour && image.pixels == [9, 8, 7, 80, 53, 32]) }
  }

  @Test("In a bitmap 1 is black, rows are padded to bytes, and plain digits need no space")
  func bitmaps() throws {
    let pixels: [UInt8] = [0, 255, 0, 255, 255, 255, 255, 255, 255, 0].map { $0 }
    #expect(try decode("P4 10 1\n", [0b1010_0000, 0b0100_0000]).pixels == pixels)
    #expect(try decode("P1 10 1\n1010000001").pixels == pixels)
    #expect(try decode("P1\n5 2\n1 0 1 0 0\n00001\n").pixels == pixels)
  }

  @Test("Bytes behind a binary raster are nobody's, another image is one too many")
  func behind() throws {
    #expect(try decode("P5\n1 1\n255\n", [7, 10, 0, 66]).pixels == [7])
    let two = #expect(throws: Failure.self) { try decode("P5\n1 1\n255\n", [7] + Array("P5\n1 1\n255\n".utf8) + [8]) }
    #expect(two?.description.contains("several images") == true)
    // As pamfile counts them: with white space between them, and in plain form.
    for text in [
      "P5\n1 1\n255\n7\n\nP4\n1 1\n1",
      "P2\n1 1\n255\n7\nP2\n1 1\n255\n8\n",
      "P1\n1 1\n1\nP1\n1 1\n0",
    ] {
      let failure = #expect(throws: Failure.self) { try decode(text) }
      #expect(failure?.description.contains("several images") == true, "\(String(describing: failure))")
    }
  }

  @Test(
    "Other depths, damaged headers and missing samples are refused with the reason",
    arguments: [
      ("P5\n2 1\n65535\n\0\0\0\0", "65535"), ("P2\n1 1\n15\n7\n", "up to 15"), ("P5\n0 1\n255\n", "0 pixels"),
      ("P5\n99999 1\n255\n", "1x99999 pixels; images of at most 8192x8192"),
      ("P5\n99999999999999999999 1\n255\n", "width"), ("P5\n2\n", "height"),
      ("P5\n2 1\n", "largest value"), ("P5\n2 1\n255", "end"), ("P5\n2 1\n255\n\u{1}", "1 bytes are left"),
      ("P2\n2 1\n255\n1", "bytes are left"), ("P2\n2 1\n255\n1 x", "sample 2"), ("P2\n1 1\n255\n256", "is 256"),
      ("P1\n2 1\n1 2", "is 2"), ("P3\n1 1\n255\n1 2 -3", "sample 3"), ("P6\n8192 8192\n255\nabc", "3 bytes are left"),
    ])
  func refused(text: String, words: String) {
    let failure = #expect(throws: Failure.self) { try decode(text) }
    #expect(failure?.status == .dataError && failure?.subject == "x.pnm")
    #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
  }

  @Test("The decoder of any image goes by the content, and says what is no image")
  func byContent() throws {
    #expect(try ImageDecoder.decode(MadeImage.png(3), subject: "a").pixels == MadeImage.pixels(3))
    #expect(try ImageDecoder.decode(MadeImage.pgm(3), subject: "a").pixels == MadeImage.pixels(3))
    for (bytes, words) in [
      (MadeImage.jpeg, "a JPEG image"), (Array("version https://git-lfs.github.com/spec/v1\n".utf8), "git lfs pull"),
      ([], "empty"), (Array("<html>".utf8), "web page"), (Array("RIFF1234WEBPVP8 ".utf8), "a WebP image"),
    ] {
      let failure = #expect(throws: Failure.self) { try ImageDecoder.decode(bytes, subject: "0.png") }
      #expect(failure?.status == .dataError && failure?.subject == "0.png")
      #expect(failure?.description.contains(words) == true, "\(failure?.description ?? "")")
    }
  }
}
